"""Sums over links, of all and by worker, page and enrichment. Integers: they add up exactly, in any order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeVar

from articles.chain import Summary, Totals

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

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Group:
        return cls(Totals(int(said["records"]), int(said["rejected"]), int(said["words"])), int(said["objects"]))


@dataclass(slots=True)
class Groups:
    """`enrichments` leaves out links without good records: nothing was enriched there."""

    workers: dict[str, Group] = field(default_factory=dict)
    dates: dict[str, Group] = field(default_factory=dict)
    enrichments: dict[str, Group] = field(default_factory=dict)

    def take(self, summary: Summary, page: str) -> Group:
        """Count one link; returns it as a group of its own."""
        one = Group(summary.totals, 1)
        add(self.workers, summary.worker, one)
        add(self.dates, page, one)
        if summary.totals.good:
            add(self.enrichments, summary.enrichment, one)
        return one

    def __add__(self, other: Groups) -> Groups:
        total = Groups(dict(self.workers), dict(self.dates), dict(self.enrichments))
        for mine, theirs in (
            (total.workers, other.workers),
            (total.dates, other.dates),
            (total.enrichments, other.enrichments),
        ):
            for name, group in theirs.items():
                add(mine, name, group)
        return total

    def to_json(self) -> dict[str, object]:
        kinds = {"workers": self.workers, "dates": self.dates, "enrichments": self.enrichments}
        return {kind: {name: group.to_json() for name, group in groups.items()} for kind, groups in kinds.items()}

    @classmethod
    def from_json(cls, said: Mapping[str, Mapping[str, Any]]) -> Groups:
        kinds = (said["workers"], said["dates"], said["enrichments"])
        return cls(*({name: Group.from_json(group) for name, group in kind.items()} for kind in kinds))


def add(groups: dict[_K, Group], name: _K, one: Group) -> None:
    groups[name] = groups.get(name, Group()) + one
