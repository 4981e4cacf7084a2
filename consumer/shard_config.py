"""What does not change while a child runs."""

from __future__ import annotations

from dataclasses import dataclass

from articles.chain import ShardName
from articles.keys import Layout


@dataclass(frozen=True, slots=True)
class ShardConfig:
    """Times are seconds, sizes bytes."""

    layout: Layout
    shard: ShardName
    worker: str
    start_mode: str
    stream_arn: str
    starting_sequence_number: str | None
    retention_seconds: float
    file_bytes: int
    file_seconds: float
    file_records: int
    codec: str
    idle_turn: bool
    deadline_seconds: float
