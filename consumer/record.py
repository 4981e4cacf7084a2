"""What the daemon delivers."""

from __future__ import annotations

from dataclasses import dataclass

from articles.position import Position


@dataclass(slots=True)
class Record:
    """One record, KPL aggregates already taken apart. `arrival` is in epoch milliseconds, None where unknown. Never
    changed; not `frozen=True`, which takes three times as long to make one."""

    position: Position
    arrival: int | None
    data: bytes
    partition_key: str | None = None
