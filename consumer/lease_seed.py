"""Seeds the first leases as the daemon's own first shard sync would, so that it finds them at its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from articles import aws
from articles.aws import Lease, Shard
from consumer.settings import TRIM_HORIZON

SEEDED: Final = "seeded"


@dataclass(frozen=True, slots=True)
class Seeded:
    count: int
    said: str


def seed_leases(kinesis: Any, dynamodb: Any, stream: str, table: str, start_at: str) -> Seeded:
    """One lease for each shard that was open at the trim horizon. Children of those come by the daemon's own rule
    when their parents end. Raises UserError."""
    if start_at.strip().upper() != TRIM_HORIZON:
        return Seeded(0, f"not seeded: the daemon finds the shards of START_AT={start_at} itself")
    leases = aws.read_leases(dynamodb, table) or []
    if (reason := why_not(leases)) is not None:
        return Seeded(0, f"not touched: {reason}")
    shards = oldest(aws.list_shards(kinesis, stream, at_trim_horizon=True))
    count = sum(_put(dynamodb, table, shard) for shard in shards)
    return Seeded(count, f"{SEEDED}: {count} of {len(shards)} shards" if count else f"there: {len(leases)}")


def oldest(shards: Sequence[Shard]) -> list[Shard]:
    """Those without a parent among them. AWS lists no others at the trim horizon; emulators do."""
    ids = {shard.id for shard in shards}
    return [shard for shard in shards if not ids.intersection(shard.parents)]


def why_not(leases: Sequence[Lease]) -> str | None:
    """Why a lease table must be left alone. Once workers have run, leases of closed shards have been cleaned up, and
    seeding would bring them back: their records would be read again."""
    for lease in leases:
        if lease.owner is not None:
            return f"{lease.key} belongs to {lease.owner}"
        if lease.checkpoint != TRIM_HORIZON or lease.counter or lease.moves:
            return f"{lease.key} has been read before"
    return None


def lease_item(shard: Shard) -> dict[str, Any]:
    """A new lease as the daemon writes it."""
    item: dict[str, Any] = {
        "leaseKey": {"S": shard.id},
        "checkpoint": {"S": TRIM_HORIZON},
        "checkpointSubSequenceNumber": {"N": "0"},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "startingHashKey": {"S": shard.starting_hash},
        "endingHashKey": {"S": shard.ending_hash},
    }
    if shard.parents:
        # Without it a child may start before its parent has ended.
        item["parentShardId"] = {"SS": list(shard.parents)}
    return item


def _put(dynamodb: Any, table: str, shard: Shard) -> bool:
    with aws.translated("dynamodb", f"lease table {table}"):
        try:
            dynamodb.put_item(
                TableName=table, Item=lease_item(shard), ConditionExpression="attribute_not_exists(leaseKey)"
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
    return True
