"""Time is an argument: logic takes a Clock and never reads one of its own."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    def wall(self) -> float:
        """Seconds since the epoch; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back. Ages are measured by it."""
        ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def utc_date(epoch_seconds: float) -> str:
    """The page of a moment: its UTC date, `YYYY-MM-DD`."""
    return _date(epoch_seconds // 86_400)


@lru_cache(maxsize=16)
def _date(day: float) -> str:
    """Asked for every record of a stream, whose arrivals are of the same few days."""
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")
