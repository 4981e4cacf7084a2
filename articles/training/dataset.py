"""`ArticleDataset`: the articles of a snapshot, for training."""

from __future__ import annotations

import hashlib
import logging
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate
from typing import Any, Final, Literal

from articles import location, schema, tombstones
from articles.catalog import open_snapshot
from articles.errors import ChainError, UserError
from articles.training.blocks import Damage, Groups, Source
from articles.training.fetcher import open_source
from articles.training.opening import COLUMNS, Place, open_groups
from articles.training.plan import SEQUENCE, Share
from articles.training.reading import LOCAL, MISSING, REMOTE, Content, Reading, Sample, Span
from articles.training.selection import Choice, choose

Remainder = Literal["keep", "drop", "repeat"]

SMALL_GROUPS: Final = 60_000
"""Up to so many blocks a shuffled group is one block; above, up to LARGEST_GROUP. A hundredth of an epoch then still
comes from 600 places of the snapshot, and a window from 100."""
LARGEST_GROUP: Final = 4
SEQUENTIAL_GROUP: Final = 8
RECENT: Final = 8
"""Blocks that random access keeps decoded."""
DEADLINE: Final = 600.0
"""Seconds that a store which does not answer is asked again, before an epoch ends with StoreUnavailable."""

_log = logging.getLogger("articles.training")


class ArticleDataset:
    """The articles of a snapshot in `uri`: s3://bucket/prefix, a local folder, or a URL of the object store's client.

    Iterating gives a dict of `fields` an article, one epoch long: in the order of the snapshot, or, with `shuffle`, in
    one that `seed` and `set_epoch()` decide. That sequence is the same for any `world_size` and any number of loader
    workers; the rank takes each world_size-th sample of it. What is left over when the articles do not divide evenly is
    kept (`remainder="keep"`: the first ranks have one more), dropped ("drop": the last of the epoch's order) or filled
    up ("repeat": with the first of it).

    `since` and `until` (YYYY-MM-DD, both included) choose by the day of arrival, `min_words` and `max_words` by word
    count, `split=(low, high)` a part of [0, 1) of all articles by a digest of `article_id`: parts that do not overlap
    never share an article. `deduplicate` keeps the newest of the articles with one id.

    A file that is missing or damaged is set aside: logged, listed in `set_aside`, its samples skipped, until they are
    more than `tolerate` of the rank's samples; then ChainError is raised. Articles with a tombstone are skipped in
    their place, so that positions keep their meaning. Raises UserError for arguments that make no
    sense and where there is no snapshot.
    """

    def __init__(
        self,
        uri: str,
        *,
        snapshot: int | None = None,
        fields: Sequence[str] = COLUMNS,
        shuffle: bool = False,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        remainder: Remainder = "keep",
        deduplicate: bool = False,
        split: tuple[float, float] | None = None,
        since: str | None = None,
        until: str | None = None,
        min_words: int | None = None,
        max_words: int | None = None,
        tolerate: float = 0.01,
        region: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        if not 0 <= rank < world_size:
            raise UserError(f"rank {rank} of world_size {world_size}: ranks count from 0 to world_size - 1")
        if remainder not in ("keep", "drop", "repeat"):
            raise UserError(f'remainder {remainder!r}: "keep", "drop" or "repeat"')
        known = [field["name"] for field in schema.ARTICLE["fields"]]
        if not fields or not set(fields).issubset(known):
            raise UserError(f"fields {list(fields)}: choose of {', '.join(known)}")
        if open_groups is None:
            _log.info("articles.training._native is not compiled: reading takes three times as long")
        self._folder = None if location.is_remote(uri) else location.folder(uri)
        """Whatever the working folder will be."""
        self._where = str(self._folder or uri), region, endpoint_url, DEADLINE
        store, layout = location.open_uri(*self._where)
        self._source: tuple[int, Source] | None = os.getpid(), store
        self.uri, self.rank, self.world_size = uri, rank, world_size
        self.fields = tuple(dict.fromkeys(fields))
        self._remainder, self._tolerate = remainder, tolerate
        self._choice = Choice(since, until, deduplicate, min_words, max_words, split)
        with ThreadPoolExecutor(1) as beside:
            erased = beside.submit(tombstones.load, store, layout)
            opened = open_snapshot(store, layout, snapshot)
            self._content = Content(self.fields, erased.result())
        self.snapshot = opened.number
        self._segments = hashlib.sha256("".join(one.digest for one in opened.manifest.segments).encode()).hexdigest()
        self._files = choose(opened.files(), self._choice, opened.rows)
        self.shuffle, self.seed, self.epoch = shuffle, seed, 0
        blocks = sum(len(file.file.counts) for file in self._files)
        several = max(1, min(LARGEST_GROUP, blocks // SMALL_GROUPS)) if shuffle else SEQUENTIAL_GROUP
        self._groups = Groups(self._files, several)
        self.total = sum(self._groups.samples)
        """Samples of all ranks in an epoch."""
        self._access = REMOTE if location.is_remote(uri) else LOCAL
        self.set_aside: list[tuple[str, str]] = []
        """Keys of files that could not be read, or not in part, and why."""
        self._resume = 0
        self._reading: Reading | None = None
        self._single: tuple[Groups, Sequence[int]] | None = None
        self._recent: dict[int, Sequence[Sample]] = {}

    def __len__(self) -> int:
        """Samples of this rank in a whole epoch."""
        return len(range(self.rank, self._span(0).end, self.world_size))

    def __iter__(self) -> Iterator[Sample]:
        return self.share()

    def share(self, worker: int = 0, workers: int = 1, batch: int = 1, skip: int = 0) -> Iterator[Sample]:
        """What loader worker `worker` of `workers` has to give of the rank's samples, so that all of them in turn, a
        batch each, give the rank's sequence; without its first `skip` samples, whosever they are."""
        share = Share(self.rank, self.world_size, worker, workers, batch, skip)
        span, self._resume = self._span(self._resume), 0
        key = f"{self.seed}/{self.epoch}" if self.shuffle else None
        self._reading = Reading(
            self._groups,
            self._place(),
            self._access,
            self._content,
            key,
            span,
            share,
            partial(self._on_damage, len(self) / workers),
        )
        return iter(self._reading)

    def set_epoch(self, epoch: int) -> None:
        """Which epoch iterating gives. The one that a loaded state is of goes on where that state was."""
        if epoch != self.epoch:
            self.epoch, self._resume, self._reading = epoch, 0, None

    def state_dict(self) -> dict[str, Any]:
        """Where reading is, in JSON's types: behind the last sample that this rank was given, and as many of each other
        rank. It is good for any rank of any world size."""
        reading = self._reading
        position = reading.span.first + reading.given * self.world_size if reading else self._resume
        return {**self._identity(), "epoch": self.epoch, "position": min(position, self.total)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The next iteration goes on with the next sample. Raises UserError for the state of another sequence."""
        for name, mine in self._identity().items():
            if state.get(name) != mine:
                raise UserError(
                    f"the state is of another sequence: its {name} is {state.get(name)!r}, the dataset's {mine!r}; "
                    "open the dataset as it was when the state was saved"
                )
        self.epoch, self._resume, self._reading = state["epoch"], state["position"], None

    def __getitem__(self, index: int) -> Sample:
        """The article at that place of all chosen ones, in the order of the snapshot, whatever the rank; from several
        threads, too. Raises ChainError where its file is missing or damaged, or where it has a tombstone."""
        if not -self.total <= index < self.total:
            raise IndexError(f"index {index} of {self.total} articles")
        if self._single is None:
            groups = Groups(self._files, 1)
            self._single = groups, list(accumulate(groups.samples, initial=0))
        groups, starts = self._single
        index %= self.total
        group = bisect_right(starts, index) - 1
        samples = self._recent.get(group)
        if samples is None:
            samples = self._recent[group] = self._content.of(self._block(groups, group))
            for older in list(self._recent)[:-RECENT]:
                self._recent.pop(older, None)  # unless another thread was quicker
        sample = samples[index - starts[group]]
        if sample is MISSING:
            raise ChainError(f"article {index} has a tombstone: it must not be read any more")
        return dict(sample)

    def _block(self, groups: Groups, group: int) -> Sequence[Sample]:
        """The wanted records of a group that is one block. Raises ChainError."""
        (found,) = self._place().open(groups, [group], self._content.needed)
        if not isinstance(found, list):
            return found
        (block,) = found
        if isinstance(block, Damage):
            raise ChainError(f"{block.key}: {block.reason}")
        return block.records(self._content.needed)

    def __getstate__(self) -> dict[str, Any]:
        """For loader workers: what was read of the catalogue goes along, what is open does not. A copy begins where
        iterating would begin here."""
        opened: dict[str, Any] = {"_source": None, "_reading": None, "_single": None, "_recent": {}}
        return {**self.__dict__, **opened}

    def _place(self) -> Place:
        """With the source of this process."""
        process = os.getpid()
        if self._source is None or self._source[0] != process or getattr(self._source[1], "ended", False):
            self._source = process, open_source(*self._where)
        return Place(self._source[1], str(self._folder.parent) if self._folder else None)

    def _span(self, first: int) -> Span:
        """What all ranks read from that position on."""
        left = self.total - first
        over = left % self.world_size
        end = {"keep": self.total, "drop": self.total - over, "repeat": self.total + -left % self.world_size}
        return Span(first, end[self._remainder], self.total)

    def _identity(self) -> dict[str, Any]:
        """What decides the sequence, and with it what a position means."""
        snapshot = {"snapshot": self.snapshot, "segments": self._segments[:16], "articles": self.total}
        chosen = {**snapshot, **self._choice.to_json()}
        return {"sequence": SEQUENCE, **chosen, "shuffle": self.shuffle, "seed": self.seed}

    def _on_damage(self, samples: float, damage: Damage, lost: int) -> None:
        """Of about so many samples. Raises ChainError when more cannot be read than is tolerated."""
        if damage.key not in (key for key, _ in self.set_aside):
            self.set_aside.append((damage.key, damage.reason))
            _log.warning("%s is set aside: %s", damage.key, damage.reason)
        if lost > self._tolerate * samples:
            raise ChainError(
                f"{damage.key}: {damage.reason}; {lost:,} of {samples:,.0f} samples cannot be read, more than "
                f"tolerate={self._tolerate}: `articles verify` says what is missing; a new snapshot leaves it out"
            )
