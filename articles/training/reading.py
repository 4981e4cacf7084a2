"""One pass over an epoch, or over what is left of it, for one rank: fetched ahead, decoded when it is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from articles.errors import ChainError
from articles.tombstones import digest
from articles.training.ahead import ahead
from articles.training.blocks import Block, Damage, Groups, Packed, Source, inflated
from articles.training.plan import Share, Window, epoch

Sample = dict[str, Any]

WINDOW_BYTES: Final = 8 << 20
"""Compressed bytes of the blocks whose samples are shuffled among each other: some 20 MiB of articles."""
AHEAD_BYTES: Final = 4 << 20
"""Compressed bytes that are fetched before they are asked for, and wait inflated."""

MISSING: Final[Sample] = {}
"""Stands for a sample that cannot be read, or must not be."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to fetch: `threads` at a time, each a group or, where groups are small, some that make `blocks`. `reads`:
    whether they read, too, or only inflate what was read for them."""

    threads: int
    blocks: int
    reads: bool


LOCAL: Final = Access(2, 8, reads=False)
"""Each call into the system hands the interpreter's lock to another thread, and takes longer to get it back than a file
that is in memory takes to read."""
REMOTE: Final = Access(64, 1, reads=True)
"""What takes time is waiting for answers."""


@dataclass(frozen=True, slots=True)
class Content:
    """What of a record is wanted; nothing of those whose article_id has one of the digests `erased`."""

    fields: Sequence[str]
    erased: Set[bytes]

    def of(self, block: Block) -> list[Sample]:
        """The wanted records of a block; MISSING for those that are erased. Raises ChainError."""
        records = block.records(self.fields)
        if self.erased:
            ids = (record["article_id"] for record in block.records(("article_id",)))
            pairs = zip(ids, records, strict=True)
            records = [MISSING if digest(one) in self.erased else record for one, record in pairs]
        return records if block.kept is None else [records[number] for number in block.kept]


@dataclass(frozen=True, slots=True)
class Span:
    """Positions of the epoch's sequence from `first` up to `end`; those from `samples` on stand for the first ones."""

    first: int
    end: int
    samples: int


class _Turn(NamedTuple):
    """A window's samples that are read here: their places in the window, and their numbers in the rank's sequence."""

    window: Window
    owners: Sequence[int]
    places: Sequence[int]
    numbers: Sequence[int]


class Reading:
    """Iterate over it once. `given` is how many samples of the rank's sequence, from `span.first` on, are behind the
    last one that came out, those included that were skipped because they cannot be read.

    `on_damage` is told of what cannot be read, and how many samples of this share cannot be by now; it may raise."""

    def __init__(
        self,
        groups: Groups,
        source: Source,
        access: Access,
        content: Content,
        key: str | None,
        span: Span,
        share: Share,
        on_damage: Callable[[Damage, int], None],
    ) -> None:
        self.given = share.skip
        self.span = span
        self._lost = 0
        self._groups, self._source, self._access, self._content = groups, source, access, content
        self._key, self._share, self._on_damage = key, share, on_damage
        self._turns: deque[_Turn] = deque()

    def __iter__(self) -> Iterator[Sample]:
        fetched = self._fetched()
        while found := next(fetched, None):
            turn = self._turns.popleft()
            samples: list[Sample | None] = [None] * len(turn.owners)
            for number, place in zip(turn.numbers, turn.places, strict=True):
                sample = samples[place]
                if sample is None:
                    self._fill(samples, turn, *(found or next(fetched)))
                    found = None
                    sample = samples[place]
                samples[place] = None
                self.given = number + 1
                if sample is not MISSING:
                    yield sample  # type: ignore[misc]
        left = self.span.end - self.span.first
        self.given = -(-left // self._share.world_size)

    def _fetched(self) -> Iterator[tuple[int, list[Block | Damage]]]:
        """The groups, and their index in their window, in the order in which they are asked for."""
        access, groups, source = self._access, self._groups, self._source
        bundle = max(1, access.blocks // groups.several)
        window = max(1, groups.within(AHEAD_BYTES) // bundle)
        needed = self._needed()
        bundles = iter(lambda: list(islice(needed, bundle)), [])
        bundles = chain(([one] for one in islice(needed, 1)), bundles)  # the first one alone: the sooner it is there
        if access.reads:
            fetched = ahead(self._fetch, bundles, access.threads, window)
        else:
            read = ([(index, groups.read(source, group)) for group, index in bundle] for bundle in bundles)
            fetched = ahead(self._inflate, read, access.threads, window, access.threads)
        return chain.from_iterable(fetched)

    def _fetch(self, bundle: Sequence[tuple[int, int]]) -> list[tuple[int, list[Block | Damage]]]:
        return [(index, self._groups.fetch(self._source, group)) for group, index in bundle]

    @staticmethod
    def _inflate(bundle: Sequence[tuple[int, list[Packed | Damage]]]) -> list[tuple[int, list[Block | Damage]]]:
        return [(index, inflated(blocks)) for index, blocks in bundle]

    def _needed(self) -> Iterator[tuple[int, int]]:
        """What to fetch: numbers of groups, and their index in their window. Plans a turn as soon as it is asked for
        its first group."""
        for window, samples in self._windows():
            numbers, at = self._share.places(self.span.first, window.start, samples)
            if not numbers:
                continue
            owners: list[int] = []
            for index, group in enumerate(window.groups):
                owners += [index] * self._groups.samples[group]
            places = [window.order[place] for place in at]
            self._turns.append(_Turn(window, owners, places, numbers))
            for index in dict.fromkeys(map(owners.__getitem__, places)):
                yield window.groups[index], index

    def _windows(self) -> Iterator[tuple[Window, int]]:
        """Each with how many of its samples count."""
        span, counts = self.span, self._groups.samples
        around = 0
        while around < span.end and span.samples:
            begin = span.first + self._share.skip * self._share.world_size
            for window in epoch(counts, self._groups.within(WINDOW_BYTES), self._key, max(0, begin - around)):
                start = window.start + around
                if start >= span.end:
                    return
                yield window._replace(start=start), min(len(window.order), span.end - start)
            around += span.samples

    def _fill(self, samples: list[Sample | None], turn: _Turn, index: int, found: Sequence[Block | Damage]) -> None:
        at = turn.window.starts[index]
        for block in found:
            if isinstance(block, Block):
                try:
                    decoded = self._content.of(block)
                except ChainError as error:
                    number = block.count if block.kept is None else len(block.kept)
                    block = Damage(self._groups.key(turn.window.groups[index]), str(error), number)
                else:
                    samples[at : at + len(decoded)] = decoded
                    at += len(decoded)
                    continue
            end = at + block.samples
            samples[at:end] = [MISSING] * block.samples
            self._lost += sum(at <= place < end for place in turn.places)
            self._on_damage(block, self._lost)
            at = end
