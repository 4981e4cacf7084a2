"""Batches of articles of similar length: less padding, and no sample lost or given twice.

Some samples are read ahead into a pool, sorted by length, cut into batches, and the batches come in a random order that
the seed decides. What comes out follows from the dataset's sequence alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Any, Final

from articles.errors import UserError
from articles.training.dataset import ArticleDataset
from articles.training.reading import Sample

POOL: Final = 50
"""Batches."""


def words(sample: Sample) -> int:
    count: int = sample["word_count"]
    return count


def cut(pool: Sequence[Sample], batch_size: int, key: Callable[[Sample], Any], seed: object) -> list[list[Sample]]:
    """Batches of neighbours by `key`, each sample of the pool once, in an order that `seed` decides. One batch is
    smaller when they do not divide evenly. Pure: also for the `collate_fn` of a loader whose batches are pools, so that
    its workers sort."""
    ordered = sorted(pool, key=key)
    found = [ordered[start : start + batch_size] for start in range(0, len(ordered), batch_size)]
    draw = Random(str(seed))
    places = [draw.random() for _ in found]
    return [found[number] for number in sorted(range(len(found)), key=places.__getitem__)]


class Buckets:
    """Iterate for lists of `batch_size` samples of similar `key`, their word count unless another is given; `pool`
    batches are sorted at a time and kept in memory. The epoch's very last pool has the batch that may be smaller.

    Resuming is exact: the state is the dataset's before the pool, and how many of the pool's batches have come out, so
    resuming reads up to a pool again. Between pools it is good for any world size, inside one only for that of the
    state, as what is left of a pool is no stretch of the dataset's sequence; `batch_size` and `pool` have to stay.
    """

    def __init__(
        self, dataset: ArticleDataset, batch_size: int, *, pool: int = POOL, key: Callable[[Sample], Any] = words
    ) -> None:
        if batch_size < 1 or pool < 1:
            raise UserError(f"batch_size={batch_size}, pool={pool}: both are one or more")
        if key is words and "word_count" not in dataset.fields:
            raise UserError("the word count decides: open the dataset with word_count among its fields, or give a key")
        self.dataset = dataset
        self._batch, self._pool, self._key = batch_size, pool, key
        self._skip = 0
        """Of the next iteration's first pool."""
        self._inside: tuple[dict[str, Any], int] | None = None
        """The state before the pool that is being given, and how many of its batches have come out."""

    def __len__(self) -> int:
        """Batches of this rank in a whole epoch."""
        return (len(self.dataset) + self._batch - 1) // self._batch

    def __iter__(self) -> Iterator[list[Sample]]:
        samples = iter(self.dataset)
        skip, self._skip, self._inside = self._skip, 0, None
        return self._batches(samples, skip)

    def _batches(self, samples: Iterator[Sample], skip: int) -> Iterator[list[Sample]]:
        while True:
            start = self.dataset.state_dict()
            pool = list(islice(samples, self._pool * self._batch))
            if not pool:
                return
            found = cut(pool, self._batch, self._key, f"{start['seed']}/{start['epoch']}/{start['position']}")
            for given, batch in enumerate(found[skip:], skip + 1):
                self._inside = (start, given) if given < len(found) else None
                yield batch
            skip = 0

    def set_epoch(self, epoch: int) -> None:
        """As the dataset's."""
        if epoch != self.dataset.epoch:
            self._skip, self._inside = 0, None
        self.dataset.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """The dataset's state, and where in a pool."""
        start, given = self._inside or (self.dataset.state_dict(), self._skip)
        return {**start, "pool": {**self._shape(), "given": given}}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next iteration goes on with the next batch. Raises UserError for the state of another sequence, and from
        inside a pool of another shape."""
        pool = {"given": 0, **state.get("pool", {})}
        wrong = [f"{name} {pool[name]}, not {mine}" for name, mine in self._shape().items() if pool.get(name) != mine]
        if pool["given"] and wrong:
            raise UserError(
                f"the state is from inside a pool of {', '.join(wrong)}: go on with the same, or take a state from "
                "between two pools"
            )
        self.dataset.load_state_dict(state)
        self._skip, self._inside = pool["given"], None

    def _shape(self) -> dict[str, int]:
        return {"batch_size": self._batch, "batches": self._pool, "world_size": self.dataset.world_size}
