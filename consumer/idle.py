"""When a quiet shard turns its page, so that a day can be complete without records.

A child that was stopped gets batches that queued up to a dozen calls, each with the lag of its fetch; so one empty
call says nothing, and sixteen in a row are asked for.
"""

from __future__ import annotations

from typing import Final

from articles.clock import utc_date

CALLS: Final = 16
AFTER_MIDNIGHT_SECONDS: Final = 30 * 60.0


class IdleTurn:
    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._target = ""
        self._calls = 0

    def reset(self) -> None:
        self._calls = 0

    def due(self, *, idle: bool, page: str, wall: float) -> str | None:
        """The page to turn to, once it is due. `idle`: the call was empty, nothing is open and `millisBehindLatest` was
        0; `page` is the open one, empty for a chain without a root; `wall` is in epoch seconds."""
        target = utc_date(wall - AFTER_MIDNIGHT_SECONDS)
        if not (self._enabled and idle) or target <= page:
            self.reset()
            return None
        if target != self._target:
            self._target = target
            self.reset()
        self._calls += 1
        return target if self._calls >= CALLS else None
