"""How the demo shows itself: a few lines redrawn on a terminal, plain lines elsewhere. Knows nothing of AWS."""

from __future__ import annotations

import shutil
import time
import unicodedata
from dataclasses import dataclass, field
from typing import IO, Protocol

from articles.commands.table import count

REDRAW_SECONDS = 0.2
PLAIN_SECONDS = 2.0
BAR = 40
HIDE, SHOW, CLEAR_LINE, CLEAR_BELOW = "\033[?25l", "\033[?25h", "\033[K", "\033[J"


@dataclass(frozen=True, slots=True)
class Row:
    """A shard, or a worker. `average` is None before the first record; `put` is None for a worker."""

    name: str
    note: str
    stored: int
    files: int
    average: float | None
    put: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`total` is what will be put in all, None when unknown; `stored` counts dead letters too."""

    phase: str
    seconds: float
    put: int = 0
    total: int | None = None
    stored: int = 0
    rejected: int = 0
    files: int = 0
    shards: tuple[Row, ...] = field(default=())
    workers: tuple[Row, ...] = field(default=())


class View(Protocol):
    def show(self, snapshot: Snapshot, *, now: bool = False) -> None: ...

    def close(self) -> None:
        """Leave the terminal as it was; what was shown last stays."""
        ...


def view_on(stream: IO[str]) -> View:
    return TerminalView(stream) if stream.isatty() else PlainView(stream)


class TerminalView:
    """Redraws in place, never wider or higher than the terminal."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._height = 0
        self._next = 0.0

    def show(self, snapshot: Snapshot, *, now: bool = False) -> None:
        if not now and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + REDRAW_SECONDS
        size = shutil.get_terminal_size()
        lines = [fitted(line, size.columns - 1) for line in frame(snapshot, size.lines - 1)]
        up = f"\033[{self._height}A" if self._height else ""
        self._stream.write(HIDE + up + "\r" + "".join(f"{line}{CLEAR_LINE}\n" for line in lines) + CLEAR_BELOW)
        self._stream.flush()
        self._height = len(lines)

    def close(self) -> None:
        self._stream.write(SHOW)
        self._stream.flush()


class PlainView:
    """A line when the phase changes, and every two seconds while the numbers do."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._shown = ""
        self._phase = ""
        self._next = 0.0

    def show(self, snapshot: Snapshot, *, now: bool = False) -> None:
        moment = time.monotonic()
        counts = summary(snapshot)
        new_phase = snapshot.phase != self._phase
        if not new_phase and (counts == self._shown or (moment < self._next and not now)):
            return
        self._stream.write(
            f"{snapshot.seconds:5.1f} s  {snapshot.phase}" + (f": {counts}" if snapshot.put else "") + "\n"
        )
        self._stream.flush()
        self._shown, self._phase, self._next = counts, snapshot.phase, moment + PLAIN_SECONDS

    def close(self) -> None:
        pass


def summary(snapshot: Snapshot) -> str:
    behind = snapshot.put - snapshot.stored
    rejected = f", {snapshot.rejected} of them dead letters" if snapshot.rejected else ""
    files = count(snapshot.files, "file")
    return f"{snapshot.put:,} put, {snapshot.stored:,} stored{rejected}, {behind:,} behind, {files}"


def frame(snapshot: Snapshot, height: int) -> list[str]:
    """At most `height` lines; what is left out is said."""
    lines = [f"{snapshot.seconds:5.1f} s  {snapshot.phase}", "", "  " + summary(snapshot)]
    if snapshot.put:
        lines += ["  " + bar(snapshot), ""]
    for title, rows in (("worker", snapshot.workers), ("shard", snapshot.shards)):
        if rows:
            room = max(1, height - len(lines) - 2 - (len(snapshot.shards) and 4 if title == "worker" else 0))
            lines += table(title, rows, room)
    return lines[:height]


def bar(snapshot: Snapshot) -> str:
    """Stored, put but not stored, and still to come."""
    whole = max(snapshot.total or snapshot.put, 1)
    stored, put = (min(BAR, BAR * count // whole) for count in (snapshot.stored, snapshot.put))
    of = f"{100 * snapshot.stored // whole} %" if snapshot.total else ""
    return "█" * stored + "▒" * (put - stored) + "·" * (BAR - put) + f"  {of}"


def table(title: str, rows: tuple[Row, ...], room: int) -> list[str]:
    behind = any(row.put is not None for row in rows)
    heading = f"  {title:<20}{'stored':>8}{'behind' if behind else '':>8}{'files':>7}{'average':>10}"
    shown = rows if len(rows) <= room else rows[: max(0, room - 1)]
    lines = [heading]
    for row in shown:
        late = "" if row.put is None else f"{row.put - row.stored}"
        average = "–" if row.average is None else f"{row.average:.2f}"
        lines.append(f"  {row.name:<20}{row.stored:>8}{late:>8}{row.files:>7}{average:>10}  {row.note}")
    if len(shown) < len(rows):
        lines.append(f"  … and {len(rows) - len(shown)} more")
    return [*lines, ""]


def fitted(line: str, width: int) -> str:
    """Cut where it would wrap; wide characters take two columns."""
    taken = 0
    for index, character in enumerate(line):
        taken += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if taken > width:
            return line[:index]
    return line
