"""`--start-chain-here`: lets a shard's chain go on at its lease's checkpoint, where the lease is past the chain.

It gives up records: those between the chain's end and the lease's checkpoint will never be in this prefix. It is done
by an empty link that jumps, create-once like any other: whoever else writes to the chain adopts it, so there is still
one line. (A second root further on would be a second line: another application that did not see it would go on from
the first, and store what follows once more.) Nothing is deleted or changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from articles import __version__, schema, tail
from articles.chain import END, OPERATOR, Link, Root, ShardName, State, Totals
from articles.clock import utc_date
from articles.container import assemble, digest
from articles.errors import UserError
from articles.keys import Layout
from articles.position import Position
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
    """`before` and `now` are looked up LEASE_SECONDS apart. Raises UserError while a worker runs, and for what a jump
    cannot mend."""
    if (sign := remade(now, expected)) is not None:
        raise UserError(sign)
    _check_at_rest(before, now)
    done = 0
    for standing in now:
        to = restart_position(standing, expected, wall)
        if to is None:
            continue
        name = ShardName(_stream_name(expected.stream_arn), expected.created, standing.shard.id)
        state = _state(store, layout, name, standing, expected, wall)
        page = END if standing.ended_without_its_chain else max(state.page, utc_date(wall))
        key = jump(store, layout, name, state, State(to, page))
        say(f"{standing.shard.id}: made {key}; records after {state.position} up to {to} will never be in this prefix")
        done += 1
    if not done:
        say("nothing to do: no lease is past its chain")


def restart_position(standing: Standing, expected: Expected, wall: float) -> Position | None:
    """Where the shard's chain has to go on; None when nothing is wrong with it, or nothing that a jump can mend."""
    if standing.ended:
        return None
    lease = standing.lease_position
    if standing.ended_without_its_chain or lease > standing.position:
        return max(lease, standing.position)
    root = standing.root
    if root is None or standing.last is not None or wall - root.written / 1000 <= expected.retention_seconds:
        return None
    # A root without links that is older than the retention, with no lease to go by: just before the first position
    # that the shard can have. What lay behind it has expired.
    return max(Position.of(str(max(0, int(standing.shard.starting_sequence) - 1))), standing.position)


def jump(store: RetryingStore, layout: Layout, shard: ShardName, before: State, after: State) -> str:
    """Append an empty link that leads to `after`; returns its key. Raises UserError when another link stands there."""
    key = layout.link_key(shard, before)
    link = Link(
        shard=shard,
        before=before,
        after=after,
        first=None,
        last=None,
        first_arrival=None,
        last_arrival=None,
        totals=Totals(),
        worker=OPERATOR,
        digest=digest([]),
        dead_letter_key="",
        dead_letter_digest="",
        schema=schema.VERSION,
        enrichment="",
        software=__version__,
        blocks=(),
    )
    body = assemble(key, schema.ARTICLE, "deflate", link.to_metadata(), [])
    there = store.create(key, body, link.summary.to_attributes())
    if there is not None and tail.read_summary(store, there).summary != link.summary:
        raise UserError(f"another writer has just added {key}: stop all workers of this prefix, and look again")
    return key


def _state(
    store: RetryingStore, layout: Layout, name: ShardName, standing: Standing, expected: Expected, wall: float
) -> State:
    """Where the chain stands; one without a root gets it."""
    if standing.tail is not None:
        return standing.tail.state
    root = Root(
        shard=name,
        page=utc_date(wall),
        mode=expected.start_mode,
        stream_arn=expected.stream_arn,
        starting_sequence_number=standing.shard.starting_sequence,
        written=int(wall * 1000),
        software=__version__,
    )
    key = layout.root_key(name)
    if store.create(key, root.to_json(), {}) is not None:
        raise UserError(f"another writer has just made {key}: stop all workers of this prefix, and look again")
    return root.state


def _stream_name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _check_at_rest(before: Sequence[Standing], now: Sequence[Standing]) -> None:
    counters = {each.shard.id: each.lease.counter for each in before if each.lease}
    for each in now:
        if each.lease and each.lease.counter != counters.get(each.shard.id, each.lease.counter):
            raise UserError(f"{each.lease.owner or 'a worker'} is reading {each.shard.id}; stop all workers first")
