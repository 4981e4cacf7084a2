"""What a worker's log says, read as it grows: an hour of three workers is hundreds of megabytes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PIECE = 1 << 20
REFUSAL = b"run_kcl.sh: "
PARKED, LEAVING, ADOPTED = "parked", "leaving", "adopted"
LEFT = "left with"


class WorkerLog:
    """`events` counts the children's lines by event, and with the reason where there is one ("adopted: shard end").
    `last_words` is why a child left, or the launcher did not start; whoever starts a worker clears it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: Counter[str] = Counter()
        self.complaints: Counter[str] = Counter()
        self.last_words = ""
        self._at = 0
        self._rest = b""

    def read(self) -> None:
        """Take in what was written since."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._at)
            while piece := file.read(PIECE):
                self._at += len(piece)
                *lines, self._rest = (self._rest + piece).split(b"\n")
                for line in lines:
                    self._take(line)

    def _take(self, line: bytes) -> None:
        if line.startswith(REFUSAL):
            self.last_words = line.removeprefix(REFUSAL).decode(errors="replace")[:300]
        elif b'"event": ' in line:  # a child's: the daemon's own lines have no space there
            try:
                said = json.loads(line)
            except ValueError:
                return
            if isinstance(said, dict):
                self._child_said(said)

    def _child_said(self, said: Mapping[str, Any]) -> None:
        event, reason = str(said.get("event")), said.get("reason")
        self.events[event] += 1
        if event == ADOPTED:
            self.events[f"{ADOPTED}: {reason}"] += 1
        elif event == LEAVING:
            self.last_words = f"{said.get('shard', '')} {LEFT} {said.get('code')}, {said.get('message') or ''}"[:300]
            self.complaints[f"{LEFT} {said.get('code')}"] += 1
        elif event == PARKED:
            self.complaints[f"parked: {str(reason)[:200]}"] += 1
