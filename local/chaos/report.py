"""What came of a chaos run: the figures for --json, the same for people, and whether it has proven anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from articles.commands.table import count
from articles.verify_report import ERROR
from local.chaos.watch import Problem

INVARIANTS = {
    1: "every record put is stored exactly once, or is a dead letter",
    2: "every chain is one line",
    3: "positions increase inside every file",
    4: "no lease is past its chain, at any moment",
    5: "counts, words and digests hold when computed again",
    6: "the average is the producer's own, exactly",
    7: "no object changed or went",
    8: "a shard's first file comes after its parents' last",
    9: "everything is stored soon after the load stops",
}
CODES = {
    **dict.fromkeys(("lost", "repeated", "judged", "dead_letter", "dead_letter_missing", "dead_letter_count"), 1),
    **dict.fromkeys(("fork", "break", "stranger", "rootless", "header", "root_unreadable", "other_stream"), 2),
    **dict.fromkeys(("order", "range"), 3),
    **dict.fromkeys(("lease_past_chain", "lease_unreadable"), 4),
    "average": 6,
    "child_before_parent": 8,
}
"""Of the findings of `articles verify`; what is not here is 5."""
MUST_HAPPEN = {
    "adoptions": "no link was adopted",
    "answers_lost": "no answer got lost after a put",
    "zombies_put_late": "no zombie put late",
    "shards_ended_in_adoption": "no shard ended in adoption",
}
FINDINGS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Result:
    """`faults` counts what was done and what struck, by kind; `proofs` the counters of MUST_HAPPEN; `complaints` what
    no child and no shard may do whatever happens; `drained_seconds` is None when it took too long."""

    seed: int
    seconds: float
    put: int
    verify: Mapping[str, Any]
    problems: Sequence[Problem]
    complaints: Sequence[str]
    proofs: Mapping[str, int]
    faults: Mapping[str, int]
    restarts: Mapping[str, int]
    drained_seconds: float | None
    longest_rest_seconds: float
    looks: int
    reshards: int
    watched: Sequence[int]
    memory_mb: Mapping[str, int]
    notes: Sequence[str] = field(default=())

    @property
    def lost(self) -> int:
        return int(self.verify["counts"].get("lost", 0))

    @property
    def repeated(self) -> int:
        return int(self.verify["counts"].get("repeated", 0))

    @property
    def invariants(self) -> dict[int, bool]:
        """Of those that were asked at all: a plain consumer has no chains."""
        broken = {CODES.get(finding["code"], 5) for finding in self.errors} | {number for number, _ in self.problems}
        if self.drained_seconds is None:
            broken.add(9)
        asked = {int(name.partition(":")[0]) for name in self.verify["checked"]} | set(self.watched) | {9}
        return {number: number not in broken for number in INVARIANTS if number in asked}

    @property
    def errors(self) -> list[Mapping[str, Any]]:
        return [finding for finding in self.verify["findings"] if finding["severity"] == ERROR]

    @property
    def ok(self) -> bool:
        return bool(self.verify["ok"]) and all(self.invariants.values()) and not self.complaints

    @property
    def unproven(self) -> list[str]:
        """Nothing is expected of a consumer that cannot adopt."""
        return [said for name, said in MUST_HAPPEN.items() if self.watched and not self.proofs.get(name)]

    def to_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "complaints": list(self.complaints),
            "problems": [f"{number}: {said}" for number, said in self.problems],
            "findings": self.errors[:FINDINGS_SHOWN],
            "unproven": self.unproven,
            "notes": list(self.notes),
            "objects": self.verify["objects"],
            "shards": self.verify["shards"],
            "reshards": self.reshards,
            "unknown": self.verify["counts"].get("unknown", 0),
            "looks": self.looks,
            "longest_rest_seconds": round(self.longest_rest_seconds, 1),
            "memory_mb": dict(self.memory_mb),
            **{name: self.proofs.get(name, 0) for name in MUST_HAPPEN if name != "adoptions"},
            "records_put": self.put,
            "records_stored": self.verify["records"],
            "records_rejected": self.verify["rejected"],
            "lost": self.lost,
            "repeated": self.repeated,
            "adoptions": self.proofs.get("adoptions", 0),
            "restarts": sum(self.restarts.values()),
            "restarts_by_ending": dict(self.restarts),
            "faults": dict(sorted(self.faults.items())),
            "invariants": {str(number): ok for number, ok in self.invariants.items()},
            "drained_seconds": None if self.drained_seconds is None else round(self.drained_seconds, 1),
        }


def summary(result: Result) -> list[str]:
    """For people."""
    found, kinds = result.verify, sorted(result.faults.items())
    stored, files = count(found["records"], "record"), count(found["objects"], "file")
    restarts, rested = count(sum(result.restarts.values()), "restart"), f"{result.longest_rest_seconds:.0f} s"
    lines = [
        f"seed {result.seed}: {result.seconds:.0f} s of faults, {restarts}, {result.reshards} splits and merges",
        f"{result.put:,} put: {stored} in {files} of {found['shards']} shards, {found['rejected']:,} dead letters",
        f"{result.lost:,} lost, {result.repeated:,} stored twice",
        "faults: " + (", ".join(f"{kind} {number}" for kind, number in kinds) or "none"),
        ", ".join(f"{name.replace('_', ' ')} {result.proofs.get(name, 0)}" for name in MUST_HAPPEN),
        f"leases looked at {result.looks:,} times; a shard with records rested for {rested} at most",
        "drained " + ("too late" if result.drained_seconds is None else f"in {result.drained_seconds:.1f} s"),
        "",
    ]
    holds = result.invariants
    lines += [f"  {'holds ' if ok else 'BROKEN'}  {number}: {INVARIANTS[number]}" for number, ok in holds.items()]
    wrong = [said for _, said in result.problems] + list(result.complaints)
    wrong += [
        f"{finding['code']}: {finding['message']} {finding['shard']} {finding['position']}" for finding in result.errors
    ]
    lines += [f"WRONG: {said}" for said in wrong[:FINDINGS_SHOWN]]
    if len(wrong) > FINDINGS_SHOWN:
        lines.append(f"       … and {len(wrong) - FINDINGS_SHOWN} more")
    lines += [f"note: {said}" for said in result.notes[:FINDINGS_SHOWN]]
    if result.unproven:
        lines.append(f"This run has proven little: {'; '.join(result.unproven)}. Give it more time, or another seed.")
    lines.append("every record is stored exactly once" if result.ok else "NOT as promised")
    return lines
