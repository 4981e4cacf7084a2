"""Notices a lease that is lost again and again, as two live workers under one id do to each other without a word.

The times of a shard's losses are kept in the worker's state directory, because each loss ends a child. Balancing moves
a lease now and then; losing the same one five times in five minutes is no balancing.
"""

from __future__ import annotations

import json
import os
from typing import Final

WINDOW_SECONDS: Final = 300.0
TOO_OFTEN: Final = 5


class LeaseLosses:
    """`state_dir` is None where there is none; then nothing is noticed."""

    def __init__(self, state_dir: str | os.PathLike[str] | None, shard_id: str) -> None:
        self._file = os.path.join(state_dir, "lost", f"{shard_id}.json") if state_dir else None

    def note(self, wall: float) -> bool:
        """Note a loss at `wall` (epoch seconds); True when there were too many lately."""
        if self._file is None:
            return False
        try:
            with open(self._file, encoding="utf-8") as file:
                times = [float(time) for time in json.load(file)]
        except (OSError, ValueError, TypeError):
            times = []
        times = [time for time in times if abs(wall - time) < WINDOW_SECONDS] + [wall]
        try:
            os.makedirs(os.path.dirname(self._file), exist_ok=True)
            with open(self._file, "w", encoding="utf-8") as file:
                file.write(json.dumps(times))
        except OSError:
            pass  # a full disk: then nobody counts
        return len(times) >= TOO_OFTEN
