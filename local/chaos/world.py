"""What the nemesis reaches: the workers, the stream, and the wires to S3 and DynamoDB; and how it waits."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from local.chaos.nemesis import Impossible
from local.chaos.supervisor import Supervisor, Worker
from local.chaos.watch import Watch
from local.fault_proxy import Fault, FaultProxy

_T = TypeVar("_T")
NAME, BUCKET, PREFIX, APPLICATION = "MyStream", "my-bucket", "articles", "articles"
PUT = frozenset({"PUT"})
LEADERS = 0.05


class Wire:
    """A proxy whose faults come from many acts at once."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self._striking: list[tuple[Fault, ...]] = []

    @contextmanager
    def striking(self, *faults: Fault, first: bool = False) -> Iterator[Callable[[], int]]:
        """These strike inside, before all others if `first`; yields how often they have. (What `left` says counts anew
        whenever another act begins or ends: leave as soon as it has struck.)"""
        before = sum(self.proxy.counts[kind] for kind in {fault.kind for fault in faults})
        self._striking.insert(0 if first else len(self._striking), faults)
        self._set()
        try:
            yield lambda: sum(self.proxy.counts[kind] for kind in {fault.kind for fault in faults}) - before
        finally:
            self._striking.remove(faults)
            self._set()

    def clear(self) -> None:
        self._striking.clear()
        self._set()

    def _set(self) -> None:
        self.proxy.set([fault for faults in self._striking for fault in faults])


@dataclass(slots=True)
class World:
    """`join` makes a worker that was not there before; `proofs` counts what only an act can tell."""

    supervisor: Supervisor
    s3: Wire
    dynamodb: Wire
    kinesis: Any
    watch: Watch
    join: Callable[[], Worker]
    proofs: Counter[str] = field(default_factory=Counter)

    def children(self) -> list[tuple[Worker, str, int]]:
        """Every child that reads now: its worker, shard and process id."""
        return [
            (worker, shard, pid) for worker in self.supervisor.running() for shard, pid in worker.children().items()
        ]

    def spared(self, draw: Random, leaders: float = LEADERS) -> str:
        """The leader's id, mostly."""
        return self.watch.leader if draw.random() >= leaders else ""

    def victim(self, draw: Random, leaders: float = LEADERS) -> tuple[Worker, str, int]:
        """A child of an open shard: it will put something soon. Raises Impossible.

        Of the leader's only with the probability `leaders`: when a leader is killed or frozen, nobody is given a lease
        until its lock has run out, for two minutes in which much less goes on that could go wrong.
        """
        there = {shard.id for shard in self.watch.open_shards()}
        leader = self.spared(draw, leaders)
        return pick(draw, [child for child in self.children() if child[1] in there and child[0].id != leader])


def pick(draw: Random, there: Sequence[_T]) -> _T:
    """Raises Impossible when there is nothing to pick from."""
    if not there:
        raise Impossible
    return draw.choice(there)


def until(ready: Callable[[], bool], seconds: float, said: str = "") -> Generator[str, None, float | None]:
    """Waits; after how many seconds it was so, None when it took longer than that."""
    began = time.monotonic()
    while not ready():
        if time.monotonic() - began > seconds:
            return None
        yield said
    return time.monotonic() - began


def pause(seconds: float, said: str = "") -> Generator[str, None, None]:
    yield from until(lambda: False, seconds, said)
