"""Live numbers of a child, one small file a shard in the worker's state directory.

They help to watch a worker; losing them loses nothing. The truth about what is stored is the chain.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path  # which a child does without

PUBLISH_SECONDS: Final = 1.0


@dataclass(slots=True)
class Live:
    """Counts are of this child's own links since it started; times are epoch seconds."""

    shard: str
    worker: str
    pid: int
    started: float
    updated: float = 0.0
    parked: str | None = None
    records: int = 0
    rejected: int = 0
    words: int = 0
    objects: int = 0
    buffered: int = 0
    last_position: str | None = None
    millis_behind: int | None = None
    ended: bool = False
    progressed: float = 0.0
    """When it last got on: stored something, or had nothing waiting."""


@dataclass(frozen=True, slots=True)
class WorkerAggregate:
    """A worker's own sums over its children; `average` is None before the first record."""

    records: int
    words: int
    objects: int
    parked: tuple[str, ...]

    @property
    def average(self) -> float | None:
        return self.words / self.records if self.records else None


class Progress:
    """When a shard last got on. It did not while records wait, here or on the stream, and its chain stands still;
    reading through a stretch of the stream without records counts: the lag falls."""

    def __init__(self) -> None:
        self._stored: str | None = None
        self._lag = 0

    def note(self, live: Live, wall: float) -> None:
        """To be told after each call what `live` says then."""
        lag = live.millis_behind or 0
        stored = live.last_position != self._stored
        if stored or not (live.buffered or lag) or (not live.buffered and lag < self._lag):
            live.progressed = wall
        self._stored, self._lag = live.last_position, lag


class Publisher:
    """Writes the file, at most once a second unless told that it matters. A disk that is full or read-only is no
    reason to stop: the consumer works from memory."""

    def __init__(self, state_dir: str | os.PathLike[str] | None, live: Live) -> None:
        self.live = live
        self._file = os.path.join(state_dir, "shards", f"{live.shard}.json") if state_dir else None
        self._published = float("-inf")
        self._progress = Progress()

    def publish(self, wall: float, monotonic: float, *, now: bool = False) -> None:
        self._progress.note(self.live, wall)
        if self._file is None or not (now or monotonic - self._published >= PUBLISH_SECONDS):
            return
        self._published = monotonic
        self.live.updated = wall
        temporary = f"{self._file.removesuffix('.json')}.{os.getpid()}.tmp"
        numbers = {name: getattr(self.live, name) for name in Live.__annotations__}
        try:
            os.makedirs(os.path.dirname(self._file), exist_ok=True)
            with open(temporary, "w", encoding="utf-8") as file:
                file.write(json.dumps(numbers))
            os.replace(temporary, self._file)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def read_shards(state_dir: Path) -> list[Live]:
    """What the children of one worker published last."""
    found = []
    for path in sorted((state_dir / "shards").glob("*.json")):
        try:
            found.append(Live(**json.loads(path.read_text())))
        except (OSError, ValueError, TypeError):
            continue  # being replaced, or of another version
    return found


def aggregate(shards: list[Live]) -> WorkerAggregate:
    return WorkerAggregate(
        sum(live.records for live in shards),
        sum(live.words for live in shards),
        sum(live.objects for live in shards),
        tuple(f"{live.shard}: {live.parked}" for live in shards if live.parked),
    )
