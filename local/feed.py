"""The demo's producer: a thread that puts records while the workers read.

Every worker is to store something, and leases are shared out only seconds after a start. So the first records come in
at a walking pace, and enough are held back until every worker reads. Meanwhile a trickle goes on, so that the sharing
out, which goes by throughput, has something to go by.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

from articles.errors import UserError
from local.producer import Producer, Progress
from local.source import Outgoing

KNOWN = 2000  # records read ahead to learn how many there are
OPENING_SECONDS = 10.0
SHARING_SECONDS = 60.0  # the opening and the trickle together; then the rest is put, whoever reads
REST_SECONDS = 6.0
RECORDS_A_SHARD = 40  # held back, so that each shard gets some of them: with random keys, all but one time in 25,000
POLL_SECONDS = 0.05


class Feed:
    """`total` is how many there will be, None for an input too long to know. Enter starts the thread, exit stops and
    joins it."""

    def __init__(
        self,
        kinesis: Any,
        stream: str,
        source: Iterable[Outgoing],
        shards: int,
        ledger: Path,
        total: int | None = None,
    ) -> None:
        source = iter(source)
        head = list(islice(source, KNOWN + 1))
        if not head:
            raise UserError("there is nothing to put: the input holds no records")
        self.total = len(head) if len(head) <= KNOWN else total
        reserve = RECORDS_A_SHARD * shards
        self._opening = max(1, len(head) - max(len(head) // 2, reserve))
        self._trickle = max(0, len(head) - self._opening - reserve)
        self._source = chain(head, source)
        self._kinesis, self._stream, self._ledger = kinesis, stream, ledger
        self._gate, self._stop = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._parts: list[Progress] = []
        self.finished = False

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._gate.set()
        self._thread.join(timeout=10)

    def open_gate(self) -> None:
        """Let the rest go."""
        self._gate.set()

    @property
    def progress(self) -> Progress:
        """What is on the stream by now."""
        whole = Progress()
        for part in list(self._parts):
            whole.add(part)
        return whole

    def check(self) -> None:
        """Raise what ended the thread, if something did."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            self._put(islice(self._source, self._opening), self._opening / OPENING_SECONDS)
            if self._trickle:
                self._put(self._while_closed(self._trickle), self._trickle / (SHARING_SECONDS - OPENING_SECONDS))
            self._gate.wait()
            # An input of unknown length is put as fast as the stream takes it.
            rest = (self.total or 0) - self.progress.records
            self._put(self._source, max(1.0, rest / REST_SECONDS) if self.total else None)
            self.finished = not self._stop.is_set()
        except _Stopped:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._error = error

    def _put(self, source: Iterable[Outgoing], rate: float | None) -> None:
        with self._ledger.open("a", encoding="utf-8") as ledger:
            producer = Producer(self._kinesis, self._stream, ledger=ledger, rate=rate, pause=self._pause)
            self._parts.append(producer.progress)
            for _ in producer.put(self._until_stopped(source)):
                pass

    def _while_closed(self, count: int) -> Iterator[Outgoing]:
        for _ in range(count):
            if self._gate.is_set():
                return
            yield from islice(self._source, 1)

    def _until_stopped(self, source: Iterable[Outgoing]) -> Iterator[Outgoing]:
        for record in source:
            if self._stop.is_set():
                raise _Stopped
            yield record

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._stop.wait(min(left, POLL_SECONDS)):
                raise _Stopped


class _Stopped(Exception):
    pass
