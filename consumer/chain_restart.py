"""`--start-chain-here`: lets a shard's chain go on at its lease's checkpoint, where the lease is past the chain.

It gives up records: those between the chain's end and the lease's checkpoint will never be in this prefix. Nothing is
deleted or changed; a root at a higher position is added, and the highest root counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final

from articles import __version__
from articles.chain import END, Root, ShardName
from articles.errors import UserError
from articles.keys import Layout
from articles.position import ZERO, Position
from articles.retry import RetryingStore
from consumer.chain_checks import Expected, Standing, remade

LEASE_SECONDS: Final = 5.0
"""A running worker renews a lease about every third of failoverTimeMillis: within this time."""


def restart(
    store: RetryingStore,
    layout: Layout,
    before: Sequence[Standing],
    now: Sequence[Standing],
    expected: Expected,
    wall: float,
    say: Callable[[str], None],
) -> None:
    """`before` and `now` are looked up LEASE_SECONDS apart. Raises UserError while a worker runs, and for what a new
    root cannot mend."""
    if (sign := remade(now, expected)) is not None:
        raise UserError(sign)
    _check_at_rest(before, now)
    done = 0
    for standing in now:
        start = restart_position(standing, expected, wall)
        if start is None:
            continue
        root = new_root(standing, start, expected, wall)
        key = layout.root_key(root.shard, root.start)
        store.create(key, root.to_json(), {})
        what = f"after {standing.position}" if standing.position > ZERO else "from the shard's start"
        say(f"{standing.shard.id}: made {key}; records {what} up to {start} will never be in this prefix")
        done += 1
    if not done:
        say("nothing to do: no lease is past its chain")


def restart_position(standing: Standing, expected: Expected, wall: float) -> Position | None:
    """Where the shard's chain has to go on; None when nothing is wrong with it, or nothing that a root can mend."""
    if standing.ended:
        return None
    lease = standing.lease_position
    if standing.ended_without_its_chain or lease > standing.position:
        return max(lease, standing.position)
    root = standing.root
    if root is None or standing.last is not None or wall - root.written / 1000 <= expected.retention_seconds:
        return None
    # A root without links that is older than the retention, with no lease to go by: the next position that the shard
    # can have. What lies before it has expired.
    first = Position.of(str(int(standing.shard.starting_sequence) - 1))
    return first if first > root.start else Position.of(root.start.sequence, root.start.sub + 1)


def new_root(standing: Standing, start: Position, expected: Expected, wall: float) -> Root:
    """`page` never goes back behind the chain's; a shard that is read to its end gets a chain that is at its end."""
    today = datetime.fromtimestamp(wall, UTC).date().isoformat()
    page = max(today, standing.tail.state.page) if standing.tail else today
    return Root(
        shard=ShardName(_stream_name(expected.stream_arn), expected.created, standing.shard.id),
        start=start,
        page=END if standing.ended_without_its_chain else page,
        mode="POSITION",
        stream_arn=expected.stream_arn,
        starting_sequence_number=standing.shard.starting_sequence,
        written=int(wall * 1000),
        software=__version__,
    )


def _stream_name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _check_at_rest(before: Sequence[Standing], now: Sequence[Standing]) -> None:
    counters = {each.shard.id: each.lease.counter for each in before if each.lease}
    for each in now:
        if each.lease and each.lease.counter != counters.get(each.shard.id, each.lease.counter):
            raise UserError(f"{each.lease.owner or 'a worker'} is reading {each.shard.id}; stop all workers first")
