"""The average word count: Σ words / Σ good records over the chain's links, from their metadata alone.

Integers until the last step, so it is exact, and the same whoever computes it and whatever crashed meanwhile. Groups
add up to the whole. Rejected records have no words and do not count, but are told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

from articles.chain import ShardName, Totals
from articles.errors import ChainError, UserError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import LinkObject, Selection, ignore, look, nothing
from articles.walk import OffLine, Walk, Why

_K = TypeVar("_K")


@dataclass(frozen=True, slots=True)
class Group:
    """`objects` counts the links that the totals come from."""

    totals: Totals = field(default_factory=Totals)
    objects: int = 0

    def __add__(self, other: Group) -> Group:
        return Group(self.totals + other.totals, self.objects + other.objects)

    @property
    def fraction(self) -> Fraction | None:
        """None where there is no record to average over."""
        return Fraction(self.totals.words, self.totals.good) if self.totals.good else None

    @property
    def value(self) -> float | None:
        return None if self.fraction is None else float(self.fraction)

    def to_json(self) -> dict[str, object]:
        return {
            "words": self.totals.words,
            "records": self.totals.good,
            "rejected": self.totals.rejected,
            "value": self.value,
            "objects": self.objects,
        }


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
) -> Average:
    """Walk every selected chain. Raises UserError where there is none, ChainError where one is broken."""

    def examine(key: str) -> LinkObject | None:
        return look(store, key)

    selection = selection or Selection()
    walk = Walk(store, layout, selection, examine, progress)
    check_roots(walk, layout, selection)
    total = Group()
    workers: dict[str, Group] = {}
    shards: dict[ShardName, Group] = {shard: Group() for shard in walk.lines}
    dates: dict[str, Group] = {}
    enrichments: dict[str, Group] = {}
    strangers: list[str] = []
    for step in walk:
        if isinstance(step, OffLine):
            strangers.append(_stranger(step))
            continue
        summary = step.answer.summary
        assert summary is not None  # noqa: S101 - a link without one is off the line
        one = Group(summary.totals, 1)
        total += one
        _put(workers, summary.worker, one)
        _put(shards, step.root.shard, one)
        _put(dates, step.before.page, one)
        if summary.totals.good:
            _put(enrichments, summary.enrichment, one)
    return Average(total, workers, shards, dates, enrichments, tuple(strangers))


def check_roots(walk: Walk[LinkObject], layout: Layout, selection: Selection) -> None:
    """Raises UserError where there is no chain, ChainError for a root that cannot be read."""
    for found in walk.roots:
        if found.shard and found.root is None:
            raise ChainError(f"{found.problem}; run `articles verify`")
    if not walk.lines:
        raise UserError(nothing(layout, selection))


def _put(groups: dict[_K, Group], name: _K, one: Group) -> None:
    groups[name] = groups.get(name, Group()) + one


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
