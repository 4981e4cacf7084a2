"""Watches leases and chains while a chaos run goes on: what must hold at every moment, not only at the end.

It follows the chains link by link, one request for each new link and one more for each open shard, so that an hour's
run costs no more at its end than at its beginning. Requests go past the fault proxies.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from articles.aws import Lease, Shard, list_shards, read_leases, translated
from articles.chain import ShardName
from articles.position import Position
from local.chains import Chain, Chains

EVERY_SECONDS = 0.25
SHARDS_EVERY_SECONDS = 1.0
OBJECTS_EVERY_SECONDS = 20.0
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


@dataclass(slots=True)
class Watch:
    """A thread between enter and exit. Others read what it publishes; nobody else writes it.

    `tell` takes what does not break an invariant but is worth a word: a lease or a chain that rests.
    """

    chains: Chains
    dynamodb: Any
    kinesis: Any
    s3: Any
    bucket: str
    table: str
    stream: tuple[str, int]
    put: Callable[[], Mapping[str, int]]
    tell: Callable[[str], None]
    leases: Mapping[str, Lease] = field(default_factory=dict)
    shards: Mapping[str, Shard] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    looks: int = 0
    longest_rest: float = 0.0
    _tags: dict[str, str] = field(default_factory=dict)
    _rests: dict[str, Rest] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)
    _due: dict[str, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _error: Exception | None = None

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._run, name="chaos-watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """After a last look at every object."""
        self._stop.set()
        if self._thread:
            self._thread.join(60)
            self._thread = None

    def check(self) -> None:
        """Raise what ended the thread early."""
        if self._error:
            raise self._error

    def open_shards(self) -> list[Shard]:
        return [shard for shard in self.shards.values() if shard.ending_sequence is None]

    def chain(self, shard: str) -> Chain:
        return self.chains.shards.get(ShardName(*self.stream, shard)) or Chain()

    def behind(self) -> int:
        """Records that were put and are not stored, and closed shards whose chain has not ended."""
        stored = self.chains.total.totals
        closed = [shard for shard in self.shards.values() if shard.ending_sequence is not None]
        unended = sum(not self._ended(shard.id) for shard in closed)
        return sum(self.put().values()) - stored.good - stored.rejected + unended

    def look(self) -> None:
        """The leases are read before the chains: a chain only grows, so a later look can only be kinder."""
        if self._is_due("shards", SHARDS_EVERY_SECONDS):
            self.shards = {shard.id: shard for shard in list_shards(self.kinesis, self.stream[0])}
            for shard in self.shards:
                self.chains.shards.setdefault(ShardName(*self.stream, shard), Chain())
        self.leases = {lease.key: lease for lease in read_leases(self.dynamodb, self.table) or ()}
        self.chains.advance()
        for lease in self.leases.values():
            self._check_lease(lease)
        self._check_order()
        if self._is_due("objects", OBJECTS_EVERY_SECONDS):
            self._check_objects()
        self._check_rests(time.monotonic())
        self.looks += 1

    def _run(self) -> None:
        try:
            while not self._stop.wait(EVERY_SECONDS):
                self.look()
            self._due.clear()
            self.look()
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._error = error

    def _is_due(self, what: str, every: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every
        return True

    def _ended(self, shard: str) -> bool:
        tail = self.chain(shard).tail
        return tail is not None and tail.state.ended

    def _check_lease(self, lease: Lease) -> None:
        tail = self.chain(lease.key).tail
        if lease.checkpoint == "SHARD_END":
            if not self._ended(lease.key):
                self._found(4, f"the lease of {lease.key} is at SHARD_END, its chain at {tail and tail.state}")
        elif lease.checkpoint.isdecimal():
            at = Position.of(lease.checkpoint, lease.sub)
            if tail is None or at > tail.state.position:
                self._found(4, f"the lease of {lease.key} is at {at}, its chain at {tail and tail.state}")

    def _check_order(self) -> None:
        """A child's chain that is new must find its parents' ended, now that they are looked at once more."""
        new = [
            shard
            for shard in self.shards.values()
            if shard.id not in self._begun and self.chain(shard.id).group.objects
        ]
        if any(shard.parents for shard in new):
            self.chains.advance()
        for shard in new:
            self._begun.add(shard.id)
            for parent in shard.parents:
                if not self._ended(parent):
                    self._found(8, f"{shard.id} had links before the chain of its parent {parent} ended")

    def _check_objects(self) -> None:
        tags = dict(self._list())
        for key, tag in self._tags.items():
            if tags.get(key) != tag:
                self._found(7, f"{key} has {'changed' if key in tags else 'gone'}")
        self._tags = tags

    def _list(self) -> Iterator[tuple[str, str]]:
        with translated("s3", f"bucket {self.bucket}"):
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket)
            for page in pages:
                yield from ((item["Key"], str(item["ETag"])) for item in page.get("Contents", ()))

    def _check_rests(self, now: float) -> None:
        put = self.put()
        for shard in self.shards.values():
            chain, lease = self.chain(shard.id), self.leases.get(shard.id)
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
                self.tell(f"{what} has rested at {at} for {REST_SECONDS:.0f} s, {why}")

    def _found(self, invariant: int, problem: str) -> None:
        if (invariant, problem) not in self.problems:
            self.problems.append((invariant, problem))


def owner_of(leases: Mapping[str, Lease], shard: str) -> str | None:
    lease = leases.get(shard)
    return lease.owner if lease else None
