"""How far long work is, on standard error: a line that changes on a terminal, a plain one now and then elsewhere."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final

from articles.clock import Clock, SystemClock

LIVE_SECONDS: Final = 0.1
PLAIN_SECONDS: Final = 15.0


class Progress:
    """Counts what is done; `with Progress("objects") as progress: …; progress(1)`. Quiet for work that is quick."""

    def __init__(self, unit: str, clock: Clock | None = None) -> None:
        self._unit = unit
        self._clock = clock or SystemClock()
        self._live = sys.stderr.isatty()
        self._every = LIVE_SECONDS if self._live else PLAIN_SECONDS
        self._start = self._next = self._clock.monotonic() + self._every
        self._done = 0
        self._shown = False

    def __call__(self, done: int = 1) -> None:
        self._done += done
        now = self._clock.monotonic()
        if now >= self._next:
            self._next = now + self._every
            self._show(now)

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Make room on the terminal for something else."""
        if self._shown and self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False

    def _show(self, now: float) -> None:
        self._shown = True
        text = f"{self._done:,} {self._unit}, {self._done / max(now - self._start + self._every, 0.001):,.0f} a second"
        sys.stderr.write(f"\r\x1b[K{text}" if self._live else f"{text}\n")
        sys.stderr.flush()


def note(text: str) -> None:
    """One line beside the output proper."""
    sys.stderr.write(("\r\x1b[K" if sys.stderr.isatty() else "") + text + "\n")
    sys.stderr.flush()
