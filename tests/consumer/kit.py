"""A shard's consumer on fakes, with one ordered log: what was done to the store, and what was checkpointed."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from articles.avro import Avro, read_container
from articles.chain import Link, ShardName
from articles.clock import utc_date
from articles.container import read_header
from articles.keys import Layout
from articles.position import Position
from articles.retry import RetryingStore
from consumer.background import Background
from consumer.checkpointing import CheckpointRefused
from consumer.enrich import WordCount
from consumer.lease_losses import LeaseLosses
from consumer.live import Live, Publisher
from consumer.logs import Log
from consumer.record import Record
from consumer.shard import Shard
from consumer.shard_config import ShardConfig
from tests.fakes import AtOnce, Effect, FakeClock, MemoryStore

LAYOUT = Layout("p")
SHARD = ShardName("My-Stream", 1_700_000_000, "shardId-000000000001")
NOW = 1_750_000_000
"""2025-06-15T15:06:40Z, where a FakeClock starts."""
DAY = 86_400
PAGE = utc_date(NOW)
NEXT_PAGE = utc_date(NOW + DAY)
DEADLINE = 30.0
CONFIG = ShardConfig(
    layout=LAYOUT,
    shard=SHARD,
    worker="w1",
    start_mode="TRIM_HORIZON",
    stream_arn="arn:aws:kinesis:us-east-1:1:stream/My-Stream",
    starting_sequence_number="1",
    retention_seconds=24 * 3600.0,
    file_bytes=1 << 20,
    file_seconds=60.0,
    file_records=1000,
    codec="deflate",
    idle_turn=True,
    deadline_seconds=DEADLINE,
)


def article(content: str = "one two three", **fields: object) -> bytes:
    return json.dumps({"article_id": "a", "content": content} | fields).encode()


def record(
    number: int | str, content: str = "one two three", *, sub: int = 0, day: int = 0, data: bytes | None = None
) -> Record:
    """A delivered record that arrived `day` days from now; `data` stands in for a valid article."""
    arrival = (NOW + day * DAY) * 1000
    return Record(Position.of(str(number), sub), arrival, article(content) if data is None else data, "key")


def bad(number: int | str, data: bytes = b"not an article", **given: Any) -> Record:
    return record(number, data=data, **given)


def records(*numbers: int) -> list[Record]:
    return [record(number) for number in numbers]


class Lease:
    """The daemon's side of checkpoints. `answers`: the errors of the next attempts, None for one that is taken."""

    def __init__(self, store: MemoryStore) -> None:
        self.answers: list[str | None] = []
        self.written: list[str] = []
        self._store = store

    def checkpoint(self, sequence_number: str, sub_sequence_number: int) -> None:
        self._write(f"{sequence_number}:{sub_sequence_number}")

    def end_shard(self) -> None:
        self._write("SHARD_END")

    def _write(self, what: str) -> None:
        answer = self.answers.pop(0) if self.answers else None
        self._store.log.append(Effect("checkpoint", what, answer or ""))
        if answer:
            raise CheckpointRefused(answer)
        self.written.append(what)


class Bench:
    """A bucket and a clock, and workers on them."""

    def __init__(self, state_dir: Path | None = None) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock(NOW)
        self.state_dir = state_dir

    def worker(self, start: str | None = "TRIM_HORIZON", sub: int = 0, **changed: Any) -> Worker:
        """A child that holds the shard's lease; `start` is the lease's checkpoint, None for one not yet initialized."""
        worker = Worker(self, **changed)
        if start is not None:
            worker.shard.start(start, sub)
        return worker

    def effects(self, *operations: str) -> list[str]:
        """The log so far, with short names for keys."""
        return [brief(effect) for effect in self.store.log if not operations or effect.operation in operations]

    def links(self) -> list[str]:
        """The chain's links in short: key, then the records each holds, then where it leads."""
        found = []
        for key in self.store.keys(LAYOUT.data):
            link = self.link(key)
            held = ",".join(f"{row['sequence_number']}.{row['sub_sequence_number']}" for row in self.rows(key))
            page = link.after.page.removeprefix("2025-")
            found.append(f"{name(key)} [{held.replace('.0', '')}] -> {link.after.position} {page}")
        return found

    def link(self, key: str) -> Link:
        return Link.from_metadata(key, read_header(self.store.objects[key].body).metadata)

    def rows(self, key: str) -> list[Avro]:
        return list(read_container(io.BytesIO(self.store.objects[key].body)))

    def held(self) -> list[str]:
        """All records of all links, in the order of the keys."""
        return [row["sequence_number"] for key in self.store.keys(LAYOUT.data) for row in self.rows(key)]


class Worker:
    def __init__(self, bench: Bench, background: Background = AtOnce, **changed: Any) -> None:
        self.config = replace(CONFIG, **changed)
        self.lease = Lease(bench.store)
        self.log = io.StringIO()
        self.live = Live(self.config.shard.shard, self.config.worker, 1, bench.clock.wall())
        store = RetryingStore(bench.store, bench.clock, self.config.deadline_seconds)
        publisher = Publisher(bench.state_dir, self.live)
        log = Log("DEBUG", self.log, worker=self.config.worker)
        self.shard = Shard(
            self.config,
            store,
            WordCount(),
            bench.clock,
            log,
            publisher,
            LeaseLosses(bench.state_dir, self.config.shard.shard),
            background,
        )

    def process(self, *batch: Record, behind: int | None = 0) -> None:
        self.shard.process(batch, behind, self.lease)

    def end(self) -> None:
        self.shard.shard_ended(self.lease)

    def shut_down(self) -> None:
        self.shard.shutdown_requested(self.lease)

    @property
    def parked(self) -> str:
        return self.live.parked or ""

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def said(self, event: str) -> Sequence[dict[str, Any]]:
        return [line for line in self.events if line["event"] == event]


def name(key: str) -> str:
    """`root 0:0`, `link 06-15/3:0`, `dead-letter 06-15/3:0`; other keys and folders as they are."""
    if root := LAYOUT.parse_root(key):
        return f"root {root.position.number}:{root.position.sub}"
    if link := LAYOUT.parse_link(key):
        return f"link {link.page.removeprefix('2025-')}/{link.position.number}:{link.position.sub}"
    if LAYOUT.is_dead_letter(key):
        link = LAYOUT.parse_link(
            f"{LAYOUT.data}{key.removeprefix(LAYOUT.dead_letters)[: -len('-0123456789abcdef.avro')]}.avro"
        )
        assert link is not None
        return f"dead-letter {link.page.removeprefix('2025-')}/{link.position.number}:{link.position.sub}"
    return key


def brief(effect: Effect) -> str:
    return f"{effect.operation} {name(effect.key)} {effect.detail}".rstrip()
