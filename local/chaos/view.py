"""How a chaos run shows itself: a live table on a terminal, plain lines elsewhere; the history goes into a file too."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from local.chaos.nemesis import Entry
from local.chaos.watch import Watch
from local.demo_view import REDRAW_SECONDS, Snapshot, TerminalView
from local.producer import Progress

PLAIN_SECONDS = 10.0


class Teller:
    """`history_file` gets every line with its seconds since the start. Threads may call `note`."""

    def __init__(self, stream: IO[str], history_file: Path) -> None:
        self.notes: list[str] = []
        self._stream = stream
        self._file = history_file.open("w", encoding="utf-8")
        self._terminal = TerminalView(stream) if stream.isatty() else None
        self._began = time.monotonic()
        self._attack: float | None = None
        self._phase = ""
        self._under_way: Sequence[Entry] = ()
        self._next = 0.0
        self._done: Counter[str] = Counter()
        self._figures = "nothing put"

    @property
    def seconds(self) -> float:
        return time.monotonic() - (self._attack or self._began)

    def phase(self, phase: str) -> None:
        self._phase, self._under_way = phase, ()
        if phase == "attacking":
            self._attack = time.monotonic()
        self.say(f"== {phase}")

    def say(self, line: str) -> None:
        """A line of the history."""
        self._write(f"{self.seconds:7.1f} s  {line}")

    def history(self, entry: Entry) -> None:
        self._done[entry.kind] += 1
        self._write(str(entry))

    def so_far(self) -> str:
        """For who cannot wait for the end."""
        done = ", ".join(f"{kind} {number}" for kind, number in sorted(self._done.items()))
        return f"{self.seconds:.0f} s, {self._figures}; done: {done or 'nothing'}"

    def worker(self, worker: str, said: str) -> None:
        self.say(f"{worker} {said}")

    def note(self, said: str) -> None:
        self.notes.append(f"{self.seconds:.0f} s: {said}")
        self.say(f"note: {said}")

    def under_way(self, entries: Sequence[Entry]) -> None:
        self._under_way = entries

    def show(self, watch: Watch, put: Progress) -> None:
        if time.monotonic() < self._next:
            return
        stored, files = watch.stored()
        behind = put.records - stored
        self._figures = f"{put.records:,} put, {stored:,} stored, {behind:,} behind, {files:,} files"
        if self._terminal is None:
            self._next = time.monotonic() + PLAIN_SECONDS
            self._stream.write(f"{self.seconds:7.1f} s  {self._figures}\n")
            self._stream.flush()
            return
        self._next = time.monotonic() + REDRAW_SECONDS
        doing = "; ".join(entry.what or entry.kind for entry in self._under_way)
        phase = f"{self._phase}: {doing}" if doing else self._phase
        self._terminal.show(Snapshot(phase, self.seconds, put.records, stored=stored, files=files, shards=watch.rows()))

    def end(self, summary: Sequence[str], *, shown: bool) -> None:
        """The summary goes into the file in any case; a terminal gets the history first, in place of the table."""
        self._file.write("\n".join(["", *summary, ""]))
        self._file.flush()
        if shown:
            history = Path(self._file.name).read_text(encoding="utf-8") if self._terminal else "\n".join(summary) + "\n"
            self._stream.write(history)
            self._stream.flush()

    def close(self) -> None:
        if self._terminal:
            self._terminal.close()
        self._file.close()

    def _write(self, line: str) -> None:
        self._file.write(f"{line}\n")
        self._file.flush()
        if self._terminal is None:
            self._stream.write(f"{line}\n")
            self._stream.flush()
