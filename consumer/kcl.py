"""The child's side of the daemon's protocol: the only import of amazon_kclpy.

kclpy swallows every Exception of a processor and still answers "done": the records would be skipped and the next
checkpoint would pass them. So every callback is guarded at its outermost point, and what escapes ends the process.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from select import select
from typing import Any, Final

import msgspec
from amazon_kclpy import dispatch, kcl
from amazon_kclpy.checkpoint_error import CheckpointError
from amazon_kclpy.v3.processor import RecordProcessorBase

from articles.errors import ChainError, StoreError
from articles.position import Position
from consumer import memory
from consumer.checkpointing import CheckpointRefused
from consumer.exits import Exit, Leave
from consumer.lines import Lines
from consumer.logs import Log
from consumer.record import Record
from consumer.shard import Shard

REST_SECONDS: Final = 0.05
"""Without another call for so long, a child rests."""
_YEAR_10000: Final = 253_402_300_800_000
"""In epoch milliseconds."""

ShardFactory = Callable[[str], tuple[Shard, Log]]
"""Makes the consumer of a shard from its id."""


class _Delivered(msgspec.Struct, gc=False, rename="camel"):
    """A record as the daemon writes it. kclpy's own class cannot be built for one without an arrival time, which would
    end the process again and again, and reads base64 at a quarter of msgspec's speed."""

    sequence_number: str
    data: bytes | None = None
    sub_sequence_number: int | None = None
    approximate_arrival_timestamp: int | None = None
    partition_key: str | None = None

    def record(self) -> Record:
        """Raises ChainError for a position that no key can hold."""
        arrival = self.approximate_arrival_timestamp
        if arrival is not None and not 0 <= arrival < _YEAR_10000:
            arrival = None  # no reader could make a date of it
        position = Position.of(self.sequence_number, self.sub_sequence_number)
        return Record(position, arrival, self.data or b"", self.partition_key)


class _Batch(msgspec.Struct, tag_field="action", tag="processRecords", rename="camel"):
    records: list[_Delivered]
    millis_behind_latest: int | None = None


_BATCH: Final = msgspec.json.Decoder(_Batch)


def _message(line: memoryview) -> Any:
    """One of kclpy's messages; what is none of them raises, and ends the process."""
    try:
        batch = _BATCH.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Another message, or one with a partition key that is not UTF-8.
        message = json.loads(bytes(line).decode("utf-8", "surrogateescape"))
        if message.get("action") != "processRecords":
            return dispatch.message_decode(message)
        batch = msgspec.convert(message, _Batch)
    return dispatch.message_decode(
        {"action": "processRecords", "records": batch.records, "millisBehindLatest": batch.millis_behind_latest}
    )


@dataclass(slots=True)
class _Line:
    text: memoryview


class _Pipe(kcl._IOHandler):  # noqa: SLF001 - it reads the protocol; nothing public can be put in its place
    """kclpy holds on to a line until it has the next one, which may be minutes later, and the line megabytes long. So
    it gets a view of the line, which ends as the line is parsed. Answers are written at once, in a third of the time
    of `json` and a text file: 4 µs a call."""

    def read_line(self) -> _Line | None:
        text = self.input_file.read()
        return None if text is None else _Line(text)

    def load_action(self, line: _Line) -> Any:
        with line.text:
            return _message(line.text)

    def write_action(self, response: Any) -> None:
        self.output_file.write(b"\n%b\n" % msgspec.json.encode(response))


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

    @property
    def objects(self) -> int:
        """Stored by this child."""
        return self._shard.objects if self._shard else 0

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


class _Process(kcl.KCLProcess):
    """Gives memory back after a file was stored, as soon as the daemon has nothing for it to do: here all of the call
    is free that kclpy holds on to while it is handled."""

    _objects = 0

    def _handle_a_line(self, line: _Line) -> None:
        super()._handle_a_line(line)
        lines, objects = self.io_handler.input_file, self.processor.objects
        stored = objects != self._objects
        if (stored or lines.large) and not select([lines], [], [], REST_SECONDS)[0]:
            lines.shrink()
            if stored:
                self._objects = objects
                memory.release()


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


def run(make: ShardFactory, log: Log, source: Lines, target: FileIO) -> None:
    """Serve the daemon until it closes the pipe."""
    try:
        process = _Process(Processor(make, log), source, target)
        process.io_handler = process.checkpointer.io_handler = _Pipe(source, target, sys.stderr)
        process.run()
    except BaseException as error:  # noqa: BLE001
        leave(log, error)
