"""The daemon as a consumer meets it: leases, batches fetched ahead, a checkpoint's answers, workers' clocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import random
from typing import TYPE_CHECKING, Any, Final, Generic, NoReturn, TypeVar

from articles.errors import ChainError, StoreError, StoreUnavailable
from articles.position import ZERO, Position
from consumer.checkpointing import CheckpointRefused
from consumer.record import Record
from consumer.shard import Shard
from tests.simulation.chains import Line
from tests.simulation.stream import At, StreamShard
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")

SHARD_END: Final = Position(10**56, 0, "SHARD_END")
QUEUE: Final = 12
"""How many batches the daemon fetches ahead."""


@dataclass(slots=True)
class Time:
    """The world's own: it only goes on."""

    wall: float = 1_750_000_000.0
    monotonic: float = 1000.0

    def turn(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@dataclass(slots=True)
class WorkerClock:
    """A machine's clock; its wall clock is `wrong` by some seconds, and may jump."""

    time: Time
    wrong: float = 0.0

    def wall(self) -> float:
        return self.time.wall + self.wrong

    def monotonic(self) -> float:
        return self.time.monotonic

    def sleep(self, seconds: float) -> None:
        self.time.turn(seconds)


@dataclass(slots=True)
class Lease:
    checkpoint: Position | None = None
    owner: int = 0


@dataclass(slots=True, eq=False)
class Child:
    """A child process: the real consumer, and what the daemon has fetched for it, each batch with its lag then.
    `next` is the index of the record fetched next; `drops` are sub-records that its de-aggregation loses."""

    number: int
    shard: StreamShard
    application: int
    lease: Lease
    worker: str
    next: int
    block_bytes: int
    stored_before: dict[str, int]
    drops: frozenset[At]
    consumer: Shard = field(init=False)
    alive: bool = True
    queue: deque[tuple[list[Record], int]] = field(default_factory=deque)
    last: list[Record] = field(default_factory=list)
    threads: list[Later[Any]] = field(default_factory=list)
    """Work beside its callbacks that has not been done yet."""

    def __str__(self) -> str:
        return f"{self.worker}#{self.number}"

    @property
    def parked(self) -> str | None:
        return self.consumer._publisher.live.parked

    @property
    def read_all(self) -> bool:
        return not self.queue and max(self.next, self.shard.visible) >= len(self.shard.puts)

    def fetch(self, most: int) -> None:
        """Ask Kinesis; expired records are skipped, without a word."""
        shard = self.shard
        begin = max(self.next, shard.visible)
        self.next = min(begin + most, len(shard.puts))
        batch = [put.record for put in shard.puts[begin : self.next]]
        if self.drops:
            batch = [record for record in batch if (record.position.number, record.position.sub) not in self.drops]
        self.queue.append((batch, 1000 * (len(shard.puts) - self.next)))

    def check_live_counts(self, line: Line) -> None:
        """A child counts only what it stored itself, or may take for it: its worker's links since it began."""
        live = self.consumer._publisher.live
        stored: Mapping[str, int] = line.by_worker.get(self.worker, {})
        for name in ("objects", "records", "rejected", "words"):
            bound = stored.get(name, 0) - self.stored_before.get(name, 0)
            if getattr(live, name) > bound:
                raise Violation(6, f"{self.worker} counts {getattr(live, name)} {name}, it stored {bound}")


class Later(Generic[T]):
    """Work beside the callbacks: at once, at some later step of its process, or not before it is waited for."""

    def __init__(self, world: World, child: Child, call: Callable[[], T]) -> None:
        self._world, self._child, self._call = world, child, call
        self._outcome: Callable[[], T] | None = None
        child.threads.append(self)
        if random() < 0.4:
            self.run()

    def run(self) -> None:
        """Raises what ends the process; what the work itself raises waits for `result`."""
        self._child.threads.remove(self)
        try:
            value = self._call()
        except (StoreError, ChainError) as error:
            self._outcome = partial(_throw, error)
        else:
            self._outcome = lambda: value

    def done(self) -> bool:
        return self._outcome is not None

    def result(self, seconds: float | None = None) -> T:
        if self._outcome is None:
            if seconds is not None and self._world.faults.on and random() < 0.1:
                self._world.time.turn(seconds)
                raise StoreUnavailable("the store has not answered yet")
            self.run()
        assert self._outcome is not None
        return self._outcome()


def _throw(error: Exception) -> NoReturn:
    raise error


@dataclass(slots=True)
class FakeCheckpointer:
    world: World
    child: Child

    def checkpoint(self, sequence_number: str, sub_sequence_number: int) -> None:
        self._write("checkpoint", Position.of(sequence_number, sub_sequence_number))

    def end_shard(self) -> None:
        self._write("shard end", SHARD_END)

    def _write(self, what: str, position: Position) -> None:
        world, child = self.world, self.child
        world.faults.step(f"before {what}", CheckpointFailed)
        lease = child.lease
        if lease.owner != child.number:
            raise CheckpointRefused("ShutdownException")
        if world.faults.throttled():
            raise CheckpointRefused("ThrottlingException")
        check_checkpoint(world.chains.line(child.shard), position)
        if lease.checkpoint is not None and position < lease.checkpoint:
            raise Violation(4, f"the checkpoint of {child.shard.key} went back to {position}")
        lease.checkpoint = position
        world.counts[what] += 1
        world.tell("checkpoint {}", position)
        world.faults.step(f"after {what}", CheckpointFailed)


class CheckpointFailed(CheckpointRefused):
    """Nobody knows whether it was written."""

    def __init__(self, _where: str) -> None:
        super().__init__("KinesisClientLibDependencyException" if random() < 0.7 else "RuntimeException")


Error = Callable[[str], Exception]


def check_checkpoint(line: Line, position: Position) -> None:
    if position is SHARD_END:
        if not line.ended:
            raise Violation(4, f"SHARD_END of {line.shard.key} without the END link")
        return
    at = (position.number, position.sub)
    if at > line.at:
        raise Violation(4, f"checkpoint {position} of {line.shard.key} is past its chain's end, {line.at}")
    if at not in line.ends or position == ZERO:
        raise Violation(4, f"checkpoint {position} of {line.shard.key} is not where a link ends")
    if line.shard.known[at].record.position.sequence != position.sequence:
        raise Violation(4, f"checkpoint {position} of {line.shard.key} is not as it was delivered")
