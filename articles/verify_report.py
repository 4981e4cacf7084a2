"""What `articles verify` says: findings, each with a code, a place and a severity, and what was counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from articles.chain import ShardName, Totals

ERROR: Final = "error"
"""Something is wrong: exit status 1."""
WARNING: Final = "warning"
"""Something may be missing, or somebody should look."""
INFO: Final = "info"

SHOWN: Final = 50
"""Findings of one code that are kept; more are only counted, so that a report of a lost bucket still fits."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`code` is stable, for scripts; `position` is `sequence number:sub-sequence number` where there is one."""

    code: str
    message: str
    severity: str = ERROR
    shard: str = ""
    position: str = ""
    key: str = ""

    def to_json(self) -> dict[str, str]:
        return {
            "severity": self.severity,
            "code": self.code,
            "shard": self.shard,
            "position": self.position,
            "key": self.key,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """`checked` names the invariants that were held against the bucket; `counts` holds every finding, by code, also
    those that `findings` leaves out; `leftovers` counts dead-letter files that no link names. `totals` are of what is
    left where something was `erased`."""

    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    errors: int
    checked: tuple[str, ...]
    shards: int
    objects: int
    totals: Totals
    leftovers: int
    erased: Totals

    @property
    def ok(self) -> bool:
        return self.errors == 0

    def to_json(self) -> dict[str, object]:
        return {
            "ok": self.ok,
            "checked": list(self.checked),
            "shards": self.shards,
            "objects": self.objects,
            "records": self.totals.good,
            "rejected": self.totals.rejected,
            "words": self.totals.words,
            "erased": self.erased.to_json(),
            "leftover_dead_letters": self.leftovers,
            "counts": dict(self.counts),
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(slots=True)
class Findings:
    """Collects, and keeps at most SHOWN of a code."""

    kept: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    errors: int = 0

    def add(self, *found: Finding) -> None:
        for finding in found:
            self.counts[finding.code] += 1
            self.errors += finding.severity == ERROR
            if self.counts[finding.code] <= SHOWN:
                self.kept.append(finding)


def shard_text(shard: ShardName) -> str:
    return f"{shard.stream}@{shard.created}/{shard.shard}"
