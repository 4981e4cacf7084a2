"""Watches the stream, its leases and who leads while a chaos run goes on. Requests go past the fault proxies."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from articles.aws import Lease, Shard, StreamIdentity, list_shards, read_leases, translated
from local.demo_view import Row

EVERY_SECONDS = 0.25
SHARDS_EVERY_SECONDS = 1.0
LEADER_EVERY_SECONDS = 1.0
LOCK_SECONDS = 30.0
Problem = tuple[int, str]
"""The invariant's number, and what contradicts it."""


@dataclass(slots=True)
class Rest:
    """Since when something stands still, and where it stands."""

    at: str
    since: float
    told: bool = False


@dataclass(frozen=True, slots=True)
class Sources:
    """Where it is looked: clients that go past the proxies, and what was put: records a shard, and the
    sequence number of the last."""

    kinesis: Any
    dynamodb: Any
    s3: Any
    stream: StreamIdentity
    bucket: str
    table: str
    put: Callable[[], Mapping[str, int]]
    last: Callable[[], Mapping[str, int]]


class Watch(ABC):
    """A thread between enter and exit. Others read what it publishes; nobody else writes it. `tell` takes what breaks
    no invariant but is worth a word."""

    invariants: Sequence[int] = ()
    """Those that it looks at."""

    def __init__(self, sources: Sources, tell: Callable[[str], None]) -> None:
        self.sources = sources
        self.leader = ""
        self.leases: Mapping[str, Lease] = {}
        self.shards: Mapping[str, Shard] = {}
        self.problems: list[Problem] = []
        self.looks = 0
        self.longest_rest = 0.0
        self._tell = tell
        self._lock = Rest("", 0.0)
        self._due: dict[str, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos-watch", daemon=True)
        self._error: Exception | None = None

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def at(self, shard: str) -> str:
        """How far the shard is stored: changes whenever something was."""

    @abstractmethod
    def ended(self, shard: str) -> bool:
        """Whether all of a closed shard is stored."""

    @abstractmethod
    def stored(self) -> tuple[int, int]:
        """Records and files."""

    @abstractmethod
    def behind(self) -> int:
        """0 once all that was put is stored and every closed shard has ended."""

    @abstractmethod
    def rows(self) -> tuple[Row, ...]:
        """Of the open shards, to be shown."""

    @abstractmethod
    def look(self) -> None: ...

    def stop(self) -> None:
        """After a last look at everything."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(60)

    def check(self) -> None:
        """Raise what ended the thread early."""
        if self._error:
            raise self._error

    def open_shards(self) -> list[Shard]:
        return [shard for shard in self.shards.values() if shard.ending_sequence is None]

    def unended(self) -> int:
        return sum(shard.ending_sequence is not None and not self.ended(shard.id) for shard in self.shards.values())

    def owner(self, shard: str) -> str:
        lease = self.leases.get(shard)
        return (lease.owner if lease else None) or ""

    def look_at_stream(self) -> None:
        if self.is_due("shards", SHARDS_EVERY_SECONDS):
            self.shards = {shard.id: shard for shard in list_shards(self.sources.kinesis, self.sources.stream.name)}
        self.leases = {lease.key: lease for lease in read_leases(self.sources.dynamodb, self.sources.table) or ()}
        if self.is_due("leader", LEADER_EVERY_SECONDS):
            self._look_at_leader(time.monotonic())

    def _look_at_leader(self, now: float) -> None:
        """Without one that renews its lock nobody is given a lease: that explains a shard that rests."""
        with translated("dynamodb", f"table {self.sources.table}-CoordinatorState"):
            item = self.sources.dynamodb.get_item(
                TableName=f"{self.sources.table}-CoordinatorState", Key={"key": {"S": "Leader"}}, ConsistentRead=True
            ).get("Item", {})
        leader, version = (str(item.get(name, {}).get("S", "")) for name in ("ownerName", "recordVersionNumber"))
        if leader != self.leader:
            self._tell(f"{leader or 'nobody'} leads")
        elif version != self._lock.at:
            self._lock = Rest(version, now)
        elif leader and now - self._lock.since > LOCK_SECONDS and not self._lock.told:
            self._lock.told = True
            self._tell(f"the leader {leader} has not renewed its lock for {LOCK_SECONDS:.0f} s")
        self.leader = leader

    def is_due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every
        return True

    def keys(self, prefix: str = "", after: str = "") -> Iterator[tuple[str, str]]:
        """Every object with its tag."""
        with translated("s3", f"bucket {self.sources.bucket}"):
            pages = self.sources.s3.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.sources.bucket, Prefix=prefix, StartAfter=after):
                yield from ((item["Key"], str(item["ETag"])) for item in page.get("Contents", ()))

    def found(self, invariant: int, problem: str) -> None:
        if (invariant, problem) not in self.problems:
            self.problems.append((invariant, problem))
            self._tell(f"INVARIANT {invariant}: {problem}")

    def _run(self) -> None:
        try:
            while not self._stop.wait(EVERY_SECONDS):
                self._look()
            self._due.clear()
            self._look()
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._error = error

    def _look(self) -> None:
        self.look()
        self.looks += 1
