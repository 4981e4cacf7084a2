"""Checkpoints: only what the chain holds may be checkpointed, which is why `offer` takes a StoredObject."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final, Protocol

from articles.clock import Clock
from articles.position import Position
from articles.tail import StoredObject
from consumer.exits import Exit, Leave
from consumer.logs import Log
from consumer.settings import CHECKPOINT_SECONDS

FIRST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 5.0
# The daemon wraps what its DynamoDB client throws without an answer (connection lost, time-out) in a RuntimeException.
_RETRYABLE: Final = ("ThrottlingException", "KinesisClientLibDependencyException", "RuntimeException")


class CheckpointRefused(Exception):
    """The daemon's answer to a checkpoint; `name` is the Java exception's simple name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class LeaseGone(Exception):
    """The lease is not ours any more: discard everything, never try again."""


class Checkpointer(Protocol):
    """The daemon's side; usable only inside a callback, on its thread."""

    def checkpoint(self, sequence_number: str, sub_sequence_number: int) -> None:
        """Raises CheckpointRefused."""
        ...

    def end_shard(self) -> None:
        """Checkpoint SHARD_END; raises CheckpointRefused."""
        ...


class Checkpoints:
    """What the lease says, and what it may say next."""

    def __init__(self, lease: Position, clock: Clock, log: Log) -> None:
        self._lease = lease
        self._clock = clock
        self._log = log
        self._offered: list[Position] = []

    def offer(self, stored: StoredObject | None) -> None:
        """What is stored up to the end of this link may be checkpointed, once it has been delivered."""
        if stored is not None:
            self._offered.append(stored.summary.after.position)

    def commit(self, delivered: Position, checkpointer: Checkpointer, within: float = CHECKPOINT_SECONDS) -> None:
        """Checkpoint the newest end of a link that was delivered, if it is past the lease's.

        Never past what was delivered: after an adoption the chain can be ahead of this child, again and again for one
        that lags behind another application. Never the zero of a root: a root is no StoredObject. `within` is for how
        many seconds a refusing lease table is asked again. Raises LeaseGone, or Leave when it goes on refusing.
        """
        reached = max((end for end in self._offered if end <= delivered), default=None)
        self._offered = [end for end in self._offered if end > delivered]
        if reached is None or reached <= self._lease:
            return
        self._retry(f"{reached}", lambda: checkpointer.checkpoint(reached.sequence, reached.sub), within)
        self._lease = reached

    def end_shard(self, stored: StoredObject, checkpointer: Checkpointer) -> None:
        """Checkpoint SHARD_END; `stored` is the chain's END link."""
        if not stored.summary.after.ended:
            raise ValueError(f"{stored.key} does not end its chain")
        self._retry("SHARD_END", checkpointer.end_shard, CHECKPOINT_SECONDS)

    def _retry(self, what: str, call: Callable[[], None], within: float) -> None:
        start, pause = self._clock.monotonic(), FIRST_PAUSE
        while True:
            try:
                return call()
            except CheckpointRefused as refused:
                if refused.name == "ShutdownException":
                    raise LeaseGone from refused
                late = self._clock.monotonic() - start > within
                if refused.name not in _RETRYABLE or late:
                    raise Leave(Exit.CHECKPOINT, f"checkpoint {what}: {refused.name}") from refused
                self._log.warning("checkpoint-retry", position=what, reason=refused.name)
            # All but a throttled one may have been written all the same: the same position again.
            self._clock.sleep(random.uniform(pause / 2, pause))
            pause = min(pause * 2, LONGEST_PAUSE)
