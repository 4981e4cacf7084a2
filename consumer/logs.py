"""One line of JSON an event, on stderr. Never article text, keys of articles or secrets."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TextIO

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class Log:
    """`fields` stand in every line (worker, shard)."""

    def __init__(self, level: str = "INFO", stream: TextIO | None = None, **fields: object) -> None:
        self._level = LEVELS.index(level)
        self._stream = stream or sys.stderr
        self._fields = fields

    def bind(self, **fields: object) -> Log:
        return Log(LEVELS[self._level], self._stream, **{**self._fields, **fields})

    def info(self, event: str, **fields: object) -> None:
        self._write("INFO", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write("WARNING", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._write("ERROR", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        if LEVELS.index(level) < self._level:
            return
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": level, "event": event, **self._fields, **fields}
        # One write a line: several children share the daemon's stderr.
        self._stream.write(json.dumps(line, default=str) + "\n")
        self._stream.flush()
