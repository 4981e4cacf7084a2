"""The stream's shards and the lease table, held against the ends of the chains.

The table must have been read before the chains: a chain only grows, so a checkpoint that was behind it then is now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from articles.chain import ShardName
from articles.errors import ChainError
from articles.position import Position
from articles.verify_report import WARNING, Finding, shard_text
from articles.walk import Line

if TYPE_CHECKING:  # boto3 takes half a second to import, and most checks do without
    from articles.aws import Lease, Shard, StreamIdentity


@dataclass(frozen=True, slots=True)
class Facts:
    """What AWS says. `leases` is None when there is no such table."""

    stream: StreamIdentity
    shards: Sequence[Shard]
    leases: Sequence[Lease] | None
    table: str

    def name(self, shard: str) -> ShardName:
        return ShardName(self.stream.name, self.stream.created, shard)


def check(facts: Facts, lines: Mapping[ShardName, Line]) -> Iterator[Finding]:
    ends = {shard.shard: line for shard, line in lines.items() if shard == facts.name(shard.shard)}
    if facts.leases is None:
        said = f"there is no lease table {facts.table}: is --application right? Nothing was checked against it"
        yield Finding("no_lease_table", said, WARNING)
    for lease in facts.leases or ():
        yield from _lease(facts, lease, ends.get(lease.key))
    for shard in facts.shards:
        yield from _shard(facts, shard, ends)


def _lease(facts: Facts, lease: Lease, line: Line | None) -> Iterator[Finding]:
    def found(code: str, message: str, position: str = "") -> Finding:
        return Finding(
            code, message, shard=f"{facts.stream.name}@{facts.stream.created}/{lease.key}", position=position
        )

    if lease.checkpoint == "SHARD_END":
        if line is None or not line.state.ended:
            at = f"stands at {line.state}" if line else "has no root"
            yield found("lease_past_chain", f"the lease is at SHARD_END, its chain {at}")
    elif lease.checkpoint.isdecimal():
        try:
            checkpoint = Position.of(lease.checkpoint, lease.sub)
        except ChainError as error:
            yield found("lease_unreadable", str(error))
            return
        if line is None:
            yield found("lease_past_chain", "the lease has a checkpoint, its chain no root", str(checkpoint))
        elif checkpoint > line.state.position:
            said = f"the lease's checkpoint is past the chain's end, {line.state.position}: records between are lost"
            yield found("lease_past_chain", said, str(checkpoint))


def _shard(facts: Facts, shard: Shard, ends: Mapping[str, Line]) -> Iterator[Finding]:
    name = shard_text(facts.name(shard.id))
    line = ends.get(shard.id)
    if line is None:
        yield Finding("shard_without_chain", "nothing of this shard was ever stored", WARNING, name)
        return
    root = line.root
    if root.stream_arn != facts.stream.arn:
        said = f"the root speaks of {root.stream_arn}, the stream is {facts.stream.arn}"
        yield Finding("other_stream", said, shard=name)
    if line.objects:
        for parent in shard.parents:
            end = ends.get(parent)
            if end is not None and not end.state.ended:
                said = f"records are stored, yet the chain of its parent {parent} stands at {end.state}, not at END"
                yield Finding("child_before_parent", said, shard=name)
