"""Ctrl-C at any moment, without half-made things.

A signal only sets a flag; loops that wait ask for it with `check` or `sleep`. So no signal can fall between
starting a process and knowing that it was started, and a second Ctrl-C cannot interrupt the cleaning up. (A
`threading.Event` would not do: setting it inside a handler can wait for a lock that the interrupted thread
holds.)"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """While entered (main thread only), takes SIGINT, SIGTERM and SIGHUP; outside, it is never set."""

    def __init__(self) -> None:
        self.received = False
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> Interrupts:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise KeyboardInterrupt once a signal has come."""
        if self.received:
            raise KeyboardInterrupt

    def sleep(self, seconds: float) -> None:
        """Sleep, but raise KeyboardInterrupt at most 100 ms after a signal."""
        end = time.monotonic() + seconds
        while True:
            self.check()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, 0.1))

    def _take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what a handler is handed
        self.received = True
