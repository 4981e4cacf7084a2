"""Watches leases and chains while a chaos run goes on: what must hold at every moment, not only at the end.

It follows the chains link by link, one request for each new link and one more for each open shard, so that an hour's
run costs no more at its end than at its beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from articles.aws import Lease
from articles.chain import ShardName
from articles.position import Position
from local.chains import Chain, Chains
from local.chaos.watch import Rest, Sources, Watch
from local.demo_view import Row

OBJECTS_EVERY_SECONDS = 20.0
REST_SECONDS = 120.0
"""A shard with records whose chain or checkpoint rests for so long is worth a word: a dead leader's lock is given up
after two minutes."""


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
            if lease:
                said = f"the handing over of {shard.id} by {lease.handed_by}"
                self._rest(said, at, lease.handed_by is not None, "nobody reads it", now)

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
