"""PyTorch: an `ArticleDataset` for `DataLoader`, and for torchdata's `StatefulDataLoader`.

For random access in a sampler's order no adapter is needed: an `ArticleDataset` of one rank is a map-style dataset.

A loader asks its workers in turn, a batch each. Worker k of K therefore reads just the rank's batches k, k + K, …: what
the loader gives is the rank's sequence, whatever K is, and no article is read or inflated for nothing but the blocks
that two workers share.
"""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

import torch
from torch import distributed
from torch.utils.data import IterableDataset, get_worker_info

from articles.errors import UserError
from articles.training.adapters.places import filled
from articles.training.dataset import ArticleDataset
from articles.training.reading import Sample

_EPOCH, _POSITION, _LOADED, _TAKEN, _FIRST, _WORKERS = range(6)
"""Places of the memory that workers share with the process that started them, as persistent ones outlive an epoch: the
epoch; the position of the loaded state; how many were loaded; the pass that took it; where the last pass began; how
many workers read it, 0 without any."""
_NO_PASS: Final = -1
_NO_WORKER: Final = -2
"""In the place of a pass's seed, which is never negative."""


class IterableArticles(IterableDataset[Sample]):
    """The samples of `dataset` for a `DataLoader` with the same `batch_size` (None where it makes no batches): the same
    sequence for any number of workers, start method, `prefetch_factor`, `drop_last`, `persistent_workers`. It begins
    where the dataset is, which stays there.

    Rank and world size are those given, or the dataset's own where it was opened with a world size, or those of
    torch.distributed once that is initialised, or of the environment (RANK, WORLD_SIZE), or 0 and 1. What deals an
    `IterableDataset` to ranks itself, as accelerate and Hugging Face's Trainer do, needs `rank=0, world_size=1`. With
    the dataset's `remainder="keep"` ranks may differ by a sample, and so by a batch, on which collective operations
    wait for ever: open it with "drop" or "repeat" for DistributedDataParallel.

    Samples that cannot be read (`ArticleDataset.tolerate`; the worker logs the files) and articles with a tombstone
    leave no gap: samples that the worker has given before stand in for them. So a loader has the length that it says,
    ranks stay in step, and all other samples come where they come without gaps.
    """

    def __init__(
        self,
        dataset: ArticleDataset,
        batch_size: int | None,
        *,
        rank: int | None = None,
        world_size: int | None = None,
    ) -> None:
        if batch_size is not None and batch_size < 1:
            raise UserError(f"batch_size={batch_size}: one or more, or None")
        if (rank is None) != (world_size is None):
            raise UserError("give rank and world_size, or neither")
        self._dataset = copy.copy(dataset)
        self._batch = batch_size or 1
        self._ranks: tuple[int, int] | None = None
        if rank is not None and world_size is not None:
            self._ranks = rank, world_size
        elif dataset.world_size > 1:
            self._ranks = dataset.rank, dataset.world_size
        self._seen = 0
        """The loaded state whose position was taken here."""
        self._own: Mapping[str, Any] | None = None
        """The loaded state of this loader worker."""
        self._first = 0
        """Where the pass began that is read here."""
        self._given: int | None = None
        """How many samples of the rank's sequence are behind it, whosever they were; None before a pass."""
        self._shared = torch.zeros(6, dtype=torch.int64).share_memory_()
        self.load_state_dict(dataset.state_dict())

    def __len__(self) -> int:
        """Samples of this rank in a whole epoch, also while one is resumed."""
        return len(self._placed())

    def __iter__(self) -> Iterator[Sample]:
        dataset, info, shared = self._placed(), get_worker_info(), self._shared
        worker, workers, name = (info.id, info.num_workers, info.seed - info.id) if info else (0, 0, _NO_WORKER)
        position = self._take(name)
        epoch, first, skip = int(shared[_EPOCH]), position, 0
        if self._own is not None:
            epoch, first = self._own["epoch"], self._own["worker"]["first"]
            skip, self._own = _passed(self._own), None
        self._first, shared[_FIRST], shared[_WORKERS] = first, first, workers
        dataset.load_state_dict({**dataset.state_dict(), "epoch": epoch, "position": first})
        self._given = skip
        return self._read(filled(dataset, worker, max(1, workers), self._batch, skip))

    def _read(self, samples: Iterator[tuple[int, Sample]]) -> Iterator[Sample]:
        # A loader of another batch size would mix the samples up without a word. Nothing but the variables of its code
        # that asks for the first one says which it is; code that has others is taken at its word.
        frame = inspect.currentframe()
        asking = frame.f_back.f_locals if frame and frame.f_back else {}
        if "possibly_batched_index" in asking:
            asked = asking["possibly_batched_index"]
            size = len(asked) if isinstance(asked, list) else 1
            if size != self._batch:
                raise UserError(
                    f"the loader's batch_size is {size}, that of IterableArticles {self._batch}: give both the same"
                )
        del frame, asking
        for number, sample in samples:
            self._given = number + 1
            yield sample
        self._given = -(-(self._dataset.total - self._first) // self._dataset.world_size)

    def __getstate__(self) -> dict[str, Any]:
        # A worker that is not forked does not know torch.distributed.
        return {**self.__dict__, "_ranks": self._rank_and_world()}

    def set_epoch(self, epoch: int) -> None:
        """Before each epoch; persistent workers hear of it too. The one that a loaded state is of goes on there."""
        self._dataset.set_epoch(epoch)
        if epoch != int(self._shared[_EPOCH]):
            self._begin(epoch, 0)

    def state_dict(self) -> dict[str, Any]:
        """Where reading is, as `ArticleDataset.state_dict()`; inside a loader worker, where the worker is. Raises
        UserError where loader workers read, as this process cannot know what they gave and what waits."""
        info = get_worker_info()
        if info is None and int(self._shared[_WORKERS]):
            raise UserError(
                "loader workers read: count batches and use state_after(batches), or take the state of torchdata's "
                "StatefulDataLoader"
            )
        dataset = self._placed()
        state = dataset.state_dict()
        if self._given is not None:
            position = self._first + self._given * dataset.world_size
            state["position"] = min(position, dataset.total)
        return state if info is None else {**state, "worker": self._worker(info.id, info.num_workers)}

    def state_after(self, batches: int) -> dict[str, Any]:
        """The state when so many batches of this pass over the loader have been used, however many workers have
        prefetched: for loaders without a state. A pass begins with its epoch, or where a loaded state was."""
        dataset = self._placed()
        position = int(self._shared[_FIRST]) + batches * self._batch * dataset.world_size
        place = {"epoch": int(self._shared[_EPOCH]), "position": min(position, dataset.total)}
        return {**dataset.state_dict(), **place}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next pass goes on with the next sample. Takes the state of an `ArticleDataset`, of this, or of a
        StatefulDataLoader over it, of any world size and number of workers. Raises UserError for another sequence.

        A StatefulDataLoader's own `load_state_dict` needs the number of workers, batch and world size of the state."""
        info = get_worker_info()
        if info is None:
            state = state_of(state)
            self._dataset.load_state_dict(state)
            self._shared[_LOADED] += 1
            self._shared[_TAKEN] = _NO_PASS
            self._begin(state["epoch"], state["position"])
            return
        self._dataset.load_state_dict(state)
        mine = {**self._worker(info.id, info.num_workers), "first": state["worker"]["first"]}
        if state["worker"] != mine:
            raise UserError(
                f"the loader's state is of {state['worker']}, the loader's worker is {mine}: load it into the dataset "
                "with IterableArticles.load_state_dict(), which takes it for any number of workers and ranks"
            )
        self._own = state

    def _begin(self, epoch: int, position: int) -> None:
        self._shared[_EPOCH], self._shared[_POSITION], self._shared[_FIRST] = epoch, position, position
        self._shared[_WORKERS] = 0
        self._given = None

    def _take(self, name: int) -> int:
        """The position of the loaded state, for the first pass after it: for each of its workers, and for no later
        pass, neither of workers that stay nor of new ones. The name tells passes apart."""
        loaded, taken = int(self._shared[_LOADED]), int(self._shared[_TAKEN])
        if self._seen == loaded or taken not in (_NO_PASS, name):
            return 0
        self._seen, self._shared[_TAKEN] = loaded, name
        return int(self._shared[_POSITION])

    def _worker(self, worker: int, workers: int) -> dict[str, int]:
        world = self._dataset.world_size
        return {"id": worker, "of": workers, "batch_size": self._batch, "world_size": world, "first": self._first}

    def _placed(self) -> ArticleDataset:
        """The dataset, as that of this rank."""
        self._dataset.rank, self._dataset.world_size = self._rank_and_world()
        return self._dataset

    def _rank_and_world(self) -> tuple[int, int]:
        if self._ranks is not None:
            rank, world = self._ranks
        elif distributed.is_available() and distributed.is_initialized():
            rank, world = distributed.get_rank(), distributed.get_world_size()
        else:
            rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        if not 0 <= rank < world:
            raise UserError(f"rank {rank} of world_size {world}: ranks count from 0 to world_size - 1")
        return rank, world


def state_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """The state of an `ArticleDataset`, good for any world size and number of workers, of what a StatefulDataLoader
    over `IterableArticles` gives as its own. Others stay as they are."""
    if "_snapshot" not in state:
        found: Mapping[str, Any] = state.get("dataset_state", state)
        return dict(found)
    workers = [worker["dataset_state"] for worker in state["_snapshot"]["_worker_snapshots"].values()]
    one, loader = workers[0], workers[0]["worker"]
    number = min(map(_next, workers)) + state["_steps_since_snapshot"] * loader["batch_size"]
    position = min(loader["first"] + number * loader["world_size"], one["articles"])
    return {name: one[name] for name in one if name != "worker"} | {"position": position}


def _passed(state: Mapping[str, Any]) -> int:
    """How many samples of the rank's sequence are behind a worker, whosever they were."""
    loader = state["worker"]
    return -int(-(state["position"] - loader["first"]) // loader["world_size"])


def _next(state: Mapping[str, Any]) -> int:
    """The number of the worker's next sample in the rank's sequence."""
    loader, number = state["worker"], _passed(state)
    batch = number // loader["batch_size"]
    turns = (loader["id"] - batch) % loader["of"]
    return (batch + turns) * int(loader["batch_size"]) if turns else number
