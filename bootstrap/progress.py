"""Says what is being done: on a terminal one line a step that changes as it goes, elsewhere one plain line a step."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, TextIO

REFRESH_SECONDS: Final = 0.2


class Progress:
    """`detail` may be set at any time to a function that says how far the step is; `shown` is set once it was."""

    def __init__(self, stream: TextIO) -> None:
        self.detail: Callable[[], str] = str
        self.shown = threading.Event()
        self._stream = stream
        self._live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._began = time.monotonic()
        self._steps = 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Around the work. The line with the seconds is printed only when the work succeeds."""
        began = time.monotonic()
        self._steps += 1
        self.detail = str
        ended = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(title, began, ended), daemon=True)
        if self._live:
            ticker.start()
        try:
            yield
        finally:
            ended.set()
            if self._live:
                ticker.join()
                self._stream.write("\r\x1b[K")
                self._stream.flush()
        self.say(f"{title} ({time.monotonic() - began:.1f} s)")

    def say(self, text: str) -> None:
        self._stream.write(f"set-up: {text}\n")
        self._stream.flush()

    def close(self) -> None:
        if self._steps:
            self.say(f"done in {time.monotonic() - self._began:.1f} s")

    def _tick(self, title: str, began: float, ended: threading.Event) -> None:
        while not ended.wait(REFRESH_SECONDS):
            detail = self.detail()
            text = f"set-up: {title} … {time.monotonic() - began:.0f} s{'  ' if detail else ''}{detail}"
            self._stream.write(f"\r{text[: self._width()]}\x1b[K")
            self._stream.flush()
            if detail:
                self.shown.set()

    def _width(self) -> int:
        try:
            return max(20, os.get_terminal_size(self._stream.fileno()).columns - 1)
        except OSError:
            return 79
