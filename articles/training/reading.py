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
from articles.training.blocks import Block, Damage, Groups
from articles.training.opening import Opened, Place
from articles.training.plan import Share, Window, epoch

Sample = dict[str, Any]

WINDOW_BYTES: Final = 8 << 20
"""Compressed bytes of the blocks whose samples are shuffled among each other: some 20 MiB of articles."""
IN_ORDER_BYTES: Final = 1 << 20
"""The same where nothing is shuffled: so much is held at a time."""
AHEAD_BYTES: Final = 4 << 20
"""Compressed bytes that are fetched before they are asked for, and wait inflated; when shuffled WINDOW_BYTES, as the
first samples of a window ask for most of its groups."""

MISSING: Final[Sample] = {}
"""Stands for a sample that cannot be read, or must not be."""


@dataclass(frozen=True, slots=True)
class Access:
    """How to fetch: `threads` at a time, each a group or, where groups are small, some that make `blocks`."""

    threads: int
    blocks: int


LOCAL: Final = Access(3, 16)
"""Files of this machine are mostly in memory: what takes time is inflating."""
REMOTE: Final = Access(64, 1)
"""What takes time is waiting for answers."""


@dataclass(frozen=True, slots=True)
class Content:
    """What of a record is wanted; nothing of those whose article_id has one of the digests `erased`."""

    fields: Sequence[str]
    erased: Set[bytes]

    @property
    def needed(self) -> tuple[str, ...]:
        """The fields to decode."""
        fields = tuple(self.fields)
        return fields if not self.erased or "article_id" in fields else (*fields, "article_id")

    def of(self, records: Sequence[Sample]) -> Sequence[Sample]:
        """Of records with the fields `needed` those that may be read, MISSING for the others."""
        if not self.erased:
            return records
        found = [MISSING if digest(record["article_id"]) in self.erased else record for record in records]
        if "article_id" not in self.fields:
            for record in found:
                record.pop("article_id", None)
        return found


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
        place: Place,
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
        self._groups, self._place, self._access, self._content = groups, place, access, content
        self._key, self._share, self._on_damage = key, share, on_damage
        self._turns: deque[_Turn] = deque()

    def __iter__(self) -> Iterator[Sample]:
        fetched = self._fetched()
        while found := next(fetched, None):
            turn = self._turns.popleft()
            held: list[Sequence[Sample] | None] = [None] * len(turn.window.groups)
            owners, starts = turn.owners, turn.window.starts
            for number, place in zip(turn.numbers, turn.places, strict=True):
                group = owners[place]
                samples = held[group]
                if samples is None:
                    samples = held[group] = self._hold(turn, *(found or next(fetched)))
                    found = None
                sample = samples[place - starts[group]]
                self.given = number + 1
                if sample is not MISSING:
                    yield sample
        left = self.span.end - self.span.first
        self.given = -(-left // self._share.world_size)

    def _fetched(self) -> Iterator[tuple[int, Opened]]:
        """The groups, and their index in their window, in the order in which they are asked for."""
        access, groups = self._access, self._groups
        bundle = max(1, access.blocks // groups.several)
        window = max(1, groups.within(AHEAD_BYTES if self._key is None else WINDOW_BYTES) // bundle)
        needed = self._needed()
        bundles = iter(lambda: list(islice(needed, bundle)), [])
        bundles = chain(([one] for one in islice(needed, 1)), bundles)  # the first one alone: the sooner it is there
        return chain.from_iterable(ahead(self._open, bundles, access.threads, window))

    def _open(self, bundle: Sequence[tuple[int, int]]) -> Iterator[tuple[int, Opened]]:
        found = self._place.open(self._groups, [group for group, _ in bundle], self._content.needed)
        return zip((index for _, index in bundle), found, strict=True)

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
        per_window = self._groups.within(IN_ORDER_BYTES if self._key is None else WINDOW_BYTES)
        around = 0
        while around < span.end and span.samples:
            begin = span.first + self._share.skip * self._share.world_size
            for window in epoch(counts, per_window, self._key, max(0, begin - around)):
                start = window.start + around
                if start >= span.end:
                    return
                yield window._replace(start=start), min(len(window.order), span.end - start)
            around += span.samples

    def _hold(self, turn: _Turn, index: int, found: Opened) -> Sequence[Sample]:
        """A group's samples, MISSING for those that cannot be read."""
        if not isinstance(found, list):
            return self._content.of(found)
        held: list[Sample] = []
        at = turn.window.starts[index]
        for block in found:
            if isinstance(block, Block):
                try:
                    held += self._content.of(block.records(self._content.needed))
                    continue
                except ChainError as error:
                    number = block.count if block.kept is None else len(block.kept)
                    block = Damage(self._groups[turn.window.groups[index]].file.file.key, str(error), number)
            first = at + len(held)
            held += [MISSING] * block.samples
            self._lost += sum(first <= place < at + len(held) for place in turn.places)
            self._on_damage(block, self._lost)
        return held
