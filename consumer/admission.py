"""What a shard's consumer refuses when it starts: what would lose records or fork the chain."""

from __future__ import annotations

from typing import Protocol

from articles.chain import Root
from articles.errors import ChainError
from articles.position import ZERO, Position
from articles.tail import StoredObject

ENTRY_POINTS = ("TRIM_HORIZON", "AT_TIMESTAMP")


class Start(Protocol):
    """What the check needs of a shard's configuration."""

    @property
    def stream_arn(self) -> str: ...
    @property
    def start_mode(self) -> str: ...
    @property
    def retention_seconds(self) -> float: ...


class Found(Protocol):
    """What the check needs of a shard's chain."""

    @property
    def root(self) -> Root | None: ...
    @property
    def position(self) -> Position: ...
    @property
    def last(self) -> StoredObject | None: ...


def lease_position(sequence_number: str, sub_sequence_number: int | None) -> Position:
    """The position that a lease's checkpoint names; zero where the stream is entered at its start or at a time.

    Raises ChainError for LATEST: what comes before the first checkpoint would be lost at every restart.
    """
    if sequence_number in ENTRY_POINTS:
        return ZERO
    if sequence_number == "LATEST":
        raise ChainError("the lease starts at LATEST; set START_AT to a time, which survives a restart")
    return Position.of(sequence_number, sub_sequence_number)


def check_start(config: Start, chain: Found, lease: Position, wall: float) -> None:
    """Called after the walk to the chain's tail, never before: a lease is behind the tail whenever a worker ended
    between creating an object and its checkpoint. Raises ChainError with both positions and the way out."""
    if lease > chain.position:
        raise ChainError(
            f"the lease's checkpoint {lease} is past the end of the chain, {chain.position}: the records between them "
            "are not in this prefix. Is it the prefix this application wrote to? To go on at the lease's checkpoint, "
            "without those records: run_kcl.sh --start-chain-here"
        )
    root = chain.root
    if root is None:
        return
    if root.stream_arn != config.stream_arn:
        raise ChainError(
            f"its chain is of the stream {root.stream_arn}, this worker reads {config.stream_arn}; use another PREFIX"
        )
    if root.mode != config.start_mode:
        raise ChainError(
            f"the chain was started at {root.mode}, this worker at {config.start_mode}: records that arrived between "
            "the two would never be held, or be expected in vain. Set START_AT as it was, or use another PREFIX"
        )
    age = wall - root.written / 1000
    if chain.last is None and age > config.retention_seconds:
        raise ChainError(
            f"the chain's root is {age / 3600:.0f} h old and has no links, but the stream keeps records for "
            f"{config.retention_seconds / 3600:.0f} h: what arrived before may be lost. To accept that and go on: "
            "run_kcl.sh --start-chain-here"
        )
