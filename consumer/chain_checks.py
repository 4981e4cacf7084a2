"""Leases held against chains, before the daemon starts. No I/O.

A running child that must refuse parks its shard, and it shows only in its status and log; here the same rules stop a
worker before it starts, with all shards at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from articles.aws import Lease, Shard
from articles.chain import Root
from articles.errors import ChainError
from articles.position import ZERO, Position
from articles.tail import StoredObject, Tail
from consumer.admission import ENTRY_POINTS, check_start, lease_position

SHARD_END: Final = "SHARD_END"


@dataclass(frozen=True, slots=True)
class Expected:
    """What every lease and chain must agree with; `retention_seconds` is the stream's, `table` the leases'."""

    stream_arn: str
    created: int
    start_mode: str
    retention_seconds: float
    table: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A listed shard, its lease and its chain's tail, where there are any."""

    shard: Shard
    lease: Lease | None
    tail: Tail | None

    @property
    def root(self) -> Root | None:
        return self.tail.root if self.tail else None

    @property
    def position(self) -> Position:
        return self.tail.state.position if self.tail else ZERO

    @property
    def last(self) -> StoredObject | None:
        return self.tail.last if self.tail else None

    @property
    def ended(self) -> bool:
        return self.tail is not None and self.tail.state.ended

    @property
    def lease_position(self) -> Position:
        """The last position that the lease says is stored. Raises ChainError for LATEST."""
        if self.lease is None:
            return ZERO
        if self.lease.checkpoint == SHARD_END:
            return Position.of(self.shard.ending_sequence or self.shard.starting_sequence)
        return lease_position(self.lease.checkpoint, self.lease.sub)

    @property
    def ended_without_its_chain(self) -> bool:
        """The lease says that the shard was read to its end, but the chain does not: nobody will read it again."""
        return self.lease is not None and self.lease.checkpoint == SHARD_END and not self.ended


def problems(standings: Sequence[Standing], expected: Expected, wall: float) -> list[str]:
    """One line each; empty when a worker may start. `wall` is the time in epoch seconds."""
    if (sign := remade(standings, expected)) is not None:
        return [sign]
    found = []
    for standing in standings:
        try:
            _check(standing, expected, wall)
        except ChainError as error:
            found.append(f"{standing.shard.id}: {error}")
    return found


def remade(standings: Sequence[Standing], expected: Expected) -> str | None:
    """A stream that was deleted and made again under an old lease table is never read, without a word."""
    table = expected.table
    for standing in standings:
        if (sign := _sign_of_another_stream(standing)) is not None:
            return (
                f"the lease table {table} is of an earlier stream of this name (this one was made at "
                f"{expected.created}): {sign}. The daemon would read nothing. Give another APPLICATION_NAME, or delete "
                f"the old leases: aws dynamodb delete-table --table-name {table}, then articles provision"
            )
    return None


def _sign_of_another_stream(standing: Standing) -> str | None:
    lease, shard = standing.lease, standing.shard
    if lease is None or lease.checkpoint in ENTRY_POINTS:
        return None
    if lease.checkpoint == SHARD_END:
        is_open = shard.ending_sequence is None
        return f"its lease of {shard.id} is at SHARD_END, but that shard is open" if is_open else None
    if lease.checkpoint.isdecimal() and int(lease.checkpoint) < int(shard.starting_sequence):
        first = shard.starting_sequence
        return f"its checkpoint {lease.checkpoint} of {shard.id} lies before that shard's first possible number {first}"
    return None


def _check(standing: Standing, expected: Expected, wall: float) -> None:
    if standing.ended_without_its_chain:
        raise ChainError(
            f"its lease says SHARD_END, but its chain stands at {standing.position}: the records after that are not in "
            "this prefix. Is it the prefix this application wrote to? To go on without them: "
            "run_kcl.sh --start-chain-here"
        )
    if standing.ended:
        return  # nothing follows: its lease is at or before the end
    check_start(expected, standing, standing.lease_position, wall)
