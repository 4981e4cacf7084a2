"""Watches leases and chains while a chaos run goes on: what must hold at every moment, not only at the end.

It follows the chains link by link, one request for each new link and one more for each open shard, so that an hour's
run costs no more at its end than at its beginning. Requests go past the fault proxies.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from articles.aws import Lease, Shard, StreamIdentity, list_shards, read_leases, translated
from articles.chain import ShardName
from articles.position import Position
from local.chains import Chain, Chains
from local.demo_view import Row

EVERY_SECONDS = 0.25
SHARDS_EVERY_SECONDS = 1.0
LEADER_EVERY_SECONDS = 1.0
OBJECTS_EVERY_SECONDS = 20.0
LOCK_SECONDS = 30.0
REST_SECONDS = 120.0
"""A shard with records whose chain or checkpoint rests for so long is worth a word: a dead leader's lock is given up
after two minutes."""
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


class ChainWatch(Watch):
    """Of our consumer: its chains."""

    invariants = (4, 7, 8)

    def __init__(self, sources: Sources, tell: Callable[[str], None], chains: Chains) -> None:
        super().__init__(sources, tell)
        self._chains = chains
        self._tags: dict[str, str] = {}
        self._rests: dict[str, Rest] = {}
        self._begun: set[str] = set()

    def at(self, shard: str) -> str:
        tail = self._chain(shard).tail
        return str(tail.state) if tail else ""

    def ended(self, shard: str) -> bool:
        tail = self._chain(shard).tail
        return tail is not None and tail.state.ended

    def stored(self) -> tuple[int, int]:
        totals = self._chains.total.totals
        return totals.good + totals.rejected, self._chains.total.objects

    def behind(self) -> int:
        return sum(self.sources.put().values()) - self.stored()[0] + self.unended()

    def rows(self) -> tuple[Row, ...]:
        put, rows = self.sources.put(), []
        for shard in self.open_shards():
            group = self._chain(shard.id).group
            articles = put.get(shard.id, 0) - group.totals.rejected
            rows.append(Row(shard.id, self.owner(shard.id), group.totals.good, group.objects, group.value, articles))
        return tuple(rows)

    def look(self) -> None:
        """The leases are read before the chains: a chain only grows, so a later look can only be kinder."""
        self.look_at_stream()
        for shard in self.shards:
            self._chains.shards.setdefault(self._name(shard), Chain())
        self._chains.advance()
        for lease in self.leases.values():
            self._check_lease(lease)
        self._check_order()
        if self.is_due("objects", OBJECTS_EVERY_SECONDS):
            self._check_objects()
        self._check_rests(time.monotonic())

    def _name(self, shard: str) -> ShardName:
        return ShardName(self.sources.stream.name, self.sources.stream.created, shard)

    def _chain(self, shard: str) -> Chain:
        return self._chains.shards.get(self._name(shard)) or Chain()

    def _check_lease(self, lease: Lease) -> None:
        tail = self._chain(lease.key).tail
        if lease.checkpoint == "SHARD_END":
            if not self.ended(lease.key):
                self.found(4, f"the lease of {lease.key} is at SHARD_END, its chain at {tail and tail.state}")
        elif lease.checkpoint.isdecimal():
            at = Position.of(lease.checkpoint, lease.sub)
            if tail is None or at > tail.state.position:
                self.found(4, f"the lease of {lease.key} is at {at}, its chain at {tail and tail.state}")

    def _check_order(self) -> None:
        """A child's chain that is new must find its parents' ended, now that they are looked at once more."""
        begun = {shard for shard in self.shards if self._chain(shard).group.objects}
        new = [self.shards[shard] for shard in begun - self._begun]
        if any(shard.parents for shard in new):
            self._chains.advance()
        self._begun |= begun
        for shard in new:
            for parent in shard.parents:
                if not self.ended(parent):
                    self.found(8, f"{shard.id} had links before the chain of its parent {parent} ended")

    def _check_objects(self) -> None:
        tags = dict(self.keys())
        for key, tag in self._tags.items():
            if tags.get(key) != tag:
                self.found(7, f"{key} has {'changed' if key in tags else 'gone'}")
        self._tags = tags

    def _check_rests(self, now: float) -> None:
        put = self.sources.put()
        for shard in self.shards.values():
            chain, lease = self._chain(shard.id), self.leases.get(shard.id)
            totals = chain.group.totals
            waiting = put.get(shard.id, 0) - totals.good - totals.rejected
            position = chain.tail.state.position if chain.tail else None
            at = f"{lease.checkpoint}:{lease.sub}" if lease else "-"
            late = lease is not None and lease.checkpoint.isdecimal() and at != str(position)
            self._rest(f"the chain of {shard.id}", str(position), waiting > 0, f"while {waiting} records wait", now)
            self._rest(f"the lease of {shard.id}", at, late, f"behind its chain at {position}", now)

    def _rest(self, what: str, at: str, waits: bool, why: str, now: float) -> None:
        rest = self._rests.get(what)
        if not waits:
            self._rests.pop(what, None)
        elif rest is None or rest.at != at:
            self._rests[what] = Rest(at, now)
        else:
            self.longest_rest = max(self.longest_rest, now - rest.since)
            if now - rest.since > REST_SECONDS and not rest.told:
                rest.told = True
                self._tell(f"{what} has rested at {at} for {REST_SECONDS:.0f} s, {why}")
