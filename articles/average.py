"""The average word count: Σ words / Σ good records over the chain's links, from their metadata alone.

Integers until the last step, so it is exact, and the same whoever computes it and whatever crashed meanwhile. Groups
add up to the whole. Rejected records have no words and do not count, but are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from articles.catalog.after import continued
from articles.catalog.manifest import Manifest
from articles.chain import ShardName
from articles.errors import ChainError, UserError
from articles.groups import Group, Groups, add
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import LinkObject, Selection, ignore, look, nothing
from articles.walk import OffLine, Walk, Why


@dataclass(frozen=True, slots=True)
class Average:
    """`strangers` are objects in the data folder that no chain leads to; they are not in the sums."""

    total: Group
    workers: Mapping[str, Group]
    shards: Mapping[ShardName, Group]
    dates: Mapping[str, Group]
    enrichments: Mapping[str, Group]
    strangers: tuple[str, ...] = ()

    @property
    def value(self) -> float | None:
        return self.total.value

    @property
    def fraction(self) -> Fraction | None:
        return self.total.fraction


def compute(
    store: RetryingStore,
    layout: Layout,
    selection: Selection | None = None,
    progress: Callable[[int], None] = ignore,
    base: Manifest | None = None,
) -> Average:
    """Walk every selected chain, from where the snapshot `base` ends. Raises UserError where there is none, ChainError
    where one is broken."""

    def examine(key: str) -> LinkObject | None:
        return look(store, key)

    selection = selection or Selection()
    base = None if selection.shard else base  # its groups are of whole streams
    walk = continued(base, store, layout, selection, examine, progress)
    check_roots(walk, layout, selection)
    ends = base.chains if base else {}
    shards = {shard: ends[shard].group if shard in ends else Group() for shard in walk.lines}
    found = Groups()
    if base:
        streams = {(shard.stream, shard.created) for shard in walk.lines} & base.streams.keys()
        found = sum((base.streams[name] for name in sorted(streams)), found)
    strangers: list[str] = []
    for step in walk:
        if isinstance(step, OffLine):
            strangers.append(_stranger(step))
            continue
        summary = step.answer.summary
        assert summary is not None  # noqa: S101 - a link without one is off the line
        add(shards, step.root.shard, found.take(summary, step.before.page))
    total = sum(shards.values(), Group())
    return Average(total, found.workers, shards, found.dates, found.enrichments, tuple(strangers))


def check_roots(walk: Walk[LinkObject], layout: Layout, selection: Selection) -> None:
    """Raises UserError where there is no chain, ChainError for a root that cannot be read."""
    for found in walk.roots:
        if found.shard and found.root is None:
            raise ChainError(f"{found.problem}; run `articles verify`")
    if not walk.lines:
        raise UserError(nothing(layout, selection))


def _stranger(step: OffLine) -> str:
    """Raises ChainError unless the chain is whole without that object."""
    if step.why in (Why.STRANGER, Why.FORK):
        return step.key
    what = {
        Why.BREAK: f"the chain ends at {step.state}, and {step.missing} is missing, yet {step.key} lies beyond",
        Why.ROOTLESS: f"{step.key} belongs to a shard without a root",
        Why.UNREADABLE: f"{step.key} cannot be read: {step.problem}",
    }[step.why]
    raise ChainError(f"{what}; an average over what is left would be wrong: run `articles verify`")
