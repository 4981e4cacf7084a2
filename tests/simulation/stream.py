"""The stream: its shards, what was put into them, and what nobody can be blamed for losing."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from random import choice, choices, randint, random, sample
from typing import Final

from articles.chain import ShardName
from articles.position import Position
from consumer.record import Record

DAY: Final = 86_400.0
NEVER: Final = 10**9
"""A day after all others."""

At = tuple[int, int]
"""A position as a plain pair; the product's own class is slow to compare and to hash."""


@dataclass(frozen=True, slots=True)
class Payload:
    """`words` is None for what is no article."""

    data: bytes
    content: str | None
    words: int | None


def _article(content: str, words: int, extra: bytes = b"") -> Payload:
    return Payload(b'{"article_id":"a","content":"%s"%s}' % (content.encode(), extra), content, words)


PAYLOADS: Final = (
    *(_article("w " * words, words) for words in range(1, 12)),
    _article("ein\u2003\u00dcbermut", 2, b',"title":null,"author":"x","language":"de"'),
    _article("long" * 40, 1),
    Payload(b"", None, None),
    Payload(b'{"article_id": 1}', None, None),
    Payload(b'{"article_id":"\xff"}', None, None),
)
_WEIGHTS: Final = tuple(accumulate(4 if payload.words else 1 for payload in PAYLOADS))


@dataclass(frozen=True, slots=True)
class Put:
    """`day` is the arrival's, in days since 1970, None where the arrival says nothing; `newest` the latest day of all
    arrivals up to this one in the shard: no page may be later for it."""

    record: Record
    payload: Payload
    day: int | None
    newest: int


@dataclass(slots=True, eq=False)
class StreamShard:
    """`visible` is the trim horizon: records before that index have expired. `excused` may be stored or not: they
    expired before the chain had them, or one worker's de-aggregation dropped them."""

    name: ShardName
    parents: tuple[StreamShard, ...] = ()
    puts: list[Put] = field(default_factory=list)
    at: list[At] = field(default_factory=list)
    excused: set[At] = field(default_factory=set)
    visible: int = 0
    closed: bool = False
    gone: bool = False
    known: dict[At, Put] = field(default_factory=dict)
    newest: int = 0

    def __post_init__(self) -> None:
        self.key = str(self.name)

    key: str = ""

    def put(self, record: Record, payload: Payload, day: int | None) -> None:
        self.newest = max(self.newest, NEVER if day is None else day)
        at = (record.position.number, record.position.sub)
        put = Put(record, payload, day, self.newest)
        self.puts.append(put)
        self.at.append(at)
        self.known[at] = put

    def after(self, at: At) -> int:
        """The index of the first record past a position."""
        return bisect_right(self.at, at)

    def trim(self, to: int, stored: At) -> None:
        """Records before index `to` expire; those past `stored`, the end of the chain, may now be lost."""
        self.excused.update(at for at in self.at[self.visible : to] if at > stored)
        self.visible = max(self.visible, to)


class Stream:
    """One stream name; it may be deleted and made again. `odd`: some arrivals are missing or lie far ahead."""

    def __init__(self, shards: int, *, odd: bool) -> None:
        self.odd = odd
        self.shards: list[StreamShard] = []
        """Of all streams that had the name, in the order in which they came."""
        self.created = 1_700_000_000
        self._begin(shards)

    def _begin(self, shards: int) -> None:
        self._sequence = randint(49_000, 51_000)
        self._next = 0
        for _ in range(shards):
            self._add(())

    @property
    def live(self) -> list[StreamShard]:
        return [shard for shard in self.shards if not shard.gone]

    def _add(self, parents: tuple[StreamShard, ...]) -> None:
        name = ShardName("S-1", self.created, f"shardId-{self._next:012d}")
        self._next += 1
        self.shards.append(StreamShard(name, parents))

    def put(self, shard: StreamShard, count: int, wall: float) -> None:
        for _ in range(count):
            self._sequence += 1 + int(random() * 3)
            arrived = wall + random() * 10 - 5  # nodes disagree by seconds
            arrival: int | None = int(arrived * 1000)
            day: int | None = int(arrived // DAY)
            if self.odd and random() < 0.08:
                arrival, day = choice((None, int((wall + 40 * DAY) * 1000))), None
            sequence = f"{self._sequence:06d}"
            for sub in range(1 if random() < 0.8 else randint(2, 6)):
                payload = choices(PAYLOADS, cum_weights=_WEIGHTS)[0]
                position = Position(self._sequence, sub, sequence)
                shard.put(Record(position, arrival, payload.data, "k"), payload, day)

    def reshard(self) -> bool:
        """Split one open shard, or merge two."""
        open_shards = [shard for shard in self.live if not shard.closed]
        if not open_shards:
            return False
        parents = sample(open_shards, min(len(open_shards), randint(1, 2)))
        for parent in parents:
            parent.closed = True
        for _ in range(2 if len(parents) == 1 else 1):
            self._add(tuple(parents))
        return True

    def recreate(self) -> None:
        """Delete the stream and make it again: other records under the same names of shards."""
        for shard in self.live:
            shard.closed = shard.gone = True
        self.created += randint(1, 100_000)
        self._begin(1)
