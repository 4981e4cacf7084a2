"""What the daemon delivers."""

from __future__ import annotations

from dataclasses import dataclass

from articles.position import Position


@dataclass(frozen=True, slots=True)
class Record:
    """One record, KPL aggregates already taken apart. `arrival` is in epoch milliseconds, None where unknown."""

    position: Position
    arrival: int | None
    data: bytes
    partition_key: str | None = None
