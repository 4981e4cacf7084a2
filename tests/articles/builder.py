"""Build chains in a store, link by link, by hand: independent of the consumer, so that both can be held against it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from articles import container, schema
from articles.chain import END, Link, Root, ShardName, State, Totals
from articles.container import Block
from articles.encode import encode_article, encode_dead_letter
from articles.keys import Layout
from articles.position import ZERO, Position
from articles.store import ObjectStore

STREAM = "MyStream"
CREATED = 1_750_000_000
DAY = 86_400_000
MORNING = 1_750_032_000_000
"""2025-06-16T00:00:00Z in epoch milliseconds."""
PAGE = "2025-06-16"


@dataclass(frozen=True, slots=True)
class Article:
    """A record to store: `content` of `None` is one that was rejected."""

    number: int
    content: str | None = "one two three"
    sub: int = 0
    arrival: int | None = MORNING
    article_id: str = ""
    word_count: int | None = None
    """Instead of the right one."""
    payload: bytes = b"\xff"
    """Of a rejected one, as are reason and key."""
    reason: str = "not_json"
    partition_key: str | None = None

    @property
    def position(self) -> Position:
        return Position.of(str(self.number), self.sub)

    @property
    def words(self) -> int | None:
        if self.content is None:
            return None
        return len(self.content.split()) if self.word_count is None else self.word_count


@dataclass(slots=True)
class Chain:
    """One shard's chain; `state` is where its next link goes."""

    store: ObjectStore
    layout: Layout = field(default_factory=lambda: Layout("articles"))
    shard: ShardName = field(default_factory=lambda: name(0))
    state: State = field(default_factory=lambda: State(ZERO, PAGE))
    worker: str = "worker-1"
    codec: str = "deflate"
    enrichment: str = "word-count-1"
    block_records: int = 2
    keys: list[str] = field(default_factory=list)

    def root(self, mode: str = "TRIM_HORIZON", written: int = MORNING) -> str:
        root = Root(
            self.shard,
            self.state.page,
            mode,
            f"arn:aws:kinesis:us-east-1:000000000000:stream/{self.shard.stream}",
            "1",
            written,
            "1.0.0",
        )
        key = self.layout.root_key(self.shard)
        assert self.store.create(key, root.to_json(), {})
        return key

    def link(self, records: Sequence[Article] = (), page: str | None = None, **changed: Any) -> str:
        """Store the next link. `changed` replaces fields of its header: what it says, not what it does."""
        made = self.seal(records, page, **changed)
        assert self.store.create(made.key, made.body, made.link.summary.to_attributes())
        self.state = made.link.after
        self.keys.append(made.key)
        return made.key

    def end(self) -> str:
        return self.link(page=END)

    def seal(self, records: Sequence[Article] = (), page: str | None = None, **changed: Any) -> Made:
        key = self.layout.link_key(self.shard, self.state)
        good = [record for record in records if record.content is not None]
        bad = [record for record in records if record.content is None]
        blocks = [self._block(part) for part in _cut(good, self.block_records)]
        dead = [self._dead_block(record) for record in bad]
        dead_digest = container.digest(dead) if dead else ""
        dead_key = self.layout.dead_letter_key(key, dead_digest) if dead else ""
        if dead:
            body = container.assemble(dead_key, schema.DEAD_LETTER, self.codec, {}, dead)
            self.store.create(dead_key, body, {})
        arrivals = [record.arrival for record in records if record.arrival is not None]
        positions = [record.position for record in records]
        link = Link(
            shard=self.shard,
            before=self.state,
            after=State(positions[-1] if positions else self.state.position, page or self.state.page),
            first=positions[0] if positions else None,
            last=positions[-1] if positions else None,
            first_arrival=min(arrivals, default=None),
            last_arrival=max(arrivals, default=None),
            totals=Totals(len(good), len(bad), sum(record.words or 0 for record in good)),
            worker=self.worker,
            digest=container.digest(blocks),
            dead_letter_key=dead_key,
            dead_letter_digest=dead_digest,
            schema=schema.VERSION,
            enrichment=self.enrichment,
            software="1.0.0",
            blocks=tuple((block.count, len(block.data)) for block in blocks),
        )
        link = dataclasses.replace(link, **changed)
        body = container.assemble(key, schema.ARTICLE, self.codec, link.to_metadata(), blocks)
        return Made(key, body, link)

    def _block(self, records: Sequence[Article]) -> Block:
        data = b"".join(encode_article(self._avro(record)) for record in records)
        return Block(len(records), container.compress(self.codec, data))

    def _avro(self, record: Article) -> dict[str, Any]:
        return {
            "article_id": record.article_id or f"a-{record.number}-{record.sub}",
            "title": None,
            "author": None,
            "publish_date": None,
            "content": record.content,
            "word_count": record.words,
            "shard_id": self.shard.shard,
            "sequence_number": record.position.sequence,
            "sub_sequence_number": record.sub,
            "arrival_timestamp": record.arrival,
            "extra": None,
        }

    def _dead_block(self, record: Article) -> Block:
        said = {
            "reason": record.reason,
            "detail": "",
            "payload": record.payload,
            "partition_key": record.partition_key,
            "shard_id": self.shard.shard,
            "sequence_number": record.position.sequence,
            "sub_sequence_number": record.sub,
            "arrival_timestamp": record.arrival,
        }
        return Block(1, container.compress(self.codec, encode_dead_letter(said)))


@dataclass(frozen=True, slots=True)
class Made:
    key: str
    body: bytes
    link: Link


def name(shard: int, stream: str = STREAM, created: int = CREATED) -> ShardName:
    return ShardName(stream, created, f"shardId-{shard:012d}")


def articles(numbers: Iterable[int], content: str | None = "one two three", **other: Any) -> list[Article]:
    return [Article(number, content, **other) for number in numbers]


def _cut(records: Sequence[Article], size: int) -> Iterable[Sequence[Article]]:
    return (records[start : start + size] for start in range(0, len(records), size))
