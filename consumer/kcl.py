"""The child's side of the daemon's protocol: the only import of amazon_kclpy.

kclpy swallows every Exception of a processor and still answers "done": the records would be skipped and the next
checkpoint would pass them. So every callback is guarded at its outermost point, and what escapes ends the process.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

import pybase64
from amazon_kclpy import dispatch, kcl
from amazon_kclpy.checkpoint_error import CheckpointError
from amazon_kclpy.v3.processor import RecordProcessorBase

from articles.errors import ChainError, StoreError
from articles.position import Position
from consumer.checkpointing import CheckpointRefused
from consumer.exits import Exit, Leave
from consumer.logs import Log
from consumer.record import Record
from consumer.shard import Shard

_YEAR_10000: Final = 253_402_300_800_000
"""In epoch milliseconds."""

ShardFactory = Callable[[str], tuple[Shard, Log]]
"""Makes the consumer of a shard from its id."""


class _Delivered:
    """Stands in for kclpy's Record, which cannot be built for a record without an arrival time (the message would end
    the process, again and again) and builds a datetime for every other one."""

    __slots__ = ("message",)

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = message

    def record(self) -> Record:
        """Raises ChainError for a position that no key can hold."""
        message = self.message
        arrival = message.get("approximateArrivalTimestamp")
        if arrival is not None and not 0 <= int(arrival) < _YEAR_10000:
            arrival = None  # no reader could make a date of it
        key = message.get("partitionKey")
        return Record(
            Position.of(message["sequenceNumber"], message.get("subSequenceNumber")),
            None if arrival is None else int(arrival),
            pybase64.b64decode(message["data"] or "", validate=True),
            key.encode("utf-8", "replace").decode() if isinstance(key, str) else None,
        )


class _Checkpointer:
    """Always names a position: without one, kclpy commits everything delivered, stored or not."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def checkpoint(self, sequence_number: str, sub_sequence_number: int) -> None:
        self._call(sequence_number, sub_sequence_number)

    def end_shard(self) -> None:
        self._call(None, None)

    def _call(self, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        try:
            self._inner.checkpoint(sequence_number, sub_sequence_number)
        except CheckpointError as error:
            raise CheckpointRefused(str(error.value)) from error


class Processor(RecordProcessorBase):
    def __init__(self, make: ShardFactory, log: Log) -> None:
        self._make = make
        self._log = log
        self._shard: Shard | None = None

    def initialize(self, initialize_input: Any) -> None:
        with self._guard():
            shard, self._log = self._make(initialize_input.shard_id)
            shard.start(initialize_input.sequence_number, initialize_input.sub_sequence_number)
            self._shard = shard

    def process_records(self, process_records_input: Any) -> None:
        with self._guard():
            shard = self._started()
            try:
                records = [delivered.record() for delivered in process_records_input.records]
            except ChainError as error:
                shard.park(str(error))
                return
            behind = process_records_input.millis_behind_latest
            shard.process(records, behind, _Checkpointer(process_records_input.checkpointer))

    def lease_lost(self, lease_lost_input: Any) -> None:  # noqa: ARG002
        with self._guard():
            self._started().lease_lost()

    def shard_ended(self, shard_ended_input: Any) -> None:
        with self._guard():
            self._started().shard_ended(_Checkpointer(shard_ended_input.checkpointer))

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        with self._guard():
            self._started().shutdown_requested(_Checkpointer(shutdown_requested_input.checkpointer))

    def _started(self) -> Shard:
        if self._shard is None:
            raise Leave(Exit.UNEXPECTED, "a callback came before initialize")
        return self._shard

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - what kclpy gets to see it swallows
            leave(self._log, error)


def leave(log: Log, error: BaseException) -> None:
    """End the process at once: no buffers flushed, no answer given, nothing checkpointed."""
    if isinstance(error, Leave):
        code, where = error.code, ""
    elif isinstance(error, StoreError):
        code, where = Exit.STORE, ""
    else:
        # The last frames say where; the message of an unexpected error may hold article text, so it stays out.
        frames = traceback.extract_tb(error.__traceback__)[-6:]
        code, where = Exit.UNEXPECTED, " < ".join(f"{f.name}:{f.lineno}" for f in reversed(frames))
    known = code is not Exit.UNEXPECTED or isinstance(error, Leave)
    try:
        log.error(
            "leaving",
            code=int(code),
            error=type(error).__name__,
            message=str(error) if known else "",
            at=where,
        )
    finally:
        os._exit(code)


def run(make: ShardFactory, log: Log, source: TextIO, target: TextIO) -> None:
    """Serve the daemon until it closes the pipe."""
    dispatch._serializers["record"] = _Delivered  # noqa: SLF001 - see there
    try:
        kcl.KCLProcess(Processor(make, log), source, target).run()
    except BaseException as error:  # noqa: BLE001
        leave(log, error)
