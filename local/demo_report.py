"""What came of a demo: the verdict, the numbers for --json, and the same for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from articles.average import Average
from articles.commands.table import count
from articles.groups import Group
from articles.tail import StoredObject
from articles.verify_report import ERROR
from local.producer import Progress

FILES_SHOWN = 12
FINDINGS_SHOWN = 5
SHARD_CHARACTERS = len("shardId-000000000000")


@dataclass(frozen=True, slots=True)
class Seconds:
    """`to_first_record` counts from the start of the workers."""

    set_up: float
    to_first_record: float
    total: float


@dataclass(frozen=True, slots=True)
class Result:
    """`put` is the producer's own account, `average` what the bucket says; `verify` is the JSON of `articles verify`,
    `problems` what else went wrong."""

    put: Progress
    average: Average
    files: Sequence[StoredObject]
    workers: Sequence[str]
    verify: Mapping[str, Any]
    problems: Sequence[str]
    seconds: Seconds
    endpoint_urls: Mapping[str, str]
    bucket: str
    prefix: str

    def worker(self, worker: str) -> Group:
        return self.average.workers.get(worker, Group())

    def to_json(self) -> dict[str, Any]:
        totals = self.average.total.totals
        return {
            "ok": not failure(self),
            "problems": failure(self),
            "records_put": self.put.records,
            "records_stored": totals.good,
            "records_rejected": totals.rejected,
            "objects": self.average.total.objects,
            "average_word_count": figures(self.average.total),
            "workers": {worker: figures(self.worker(worker)) for worker in self.workers},
            "verify": dict(self.verify),
            "seconds": {
                "set_up": round(self.seconds.set_up, 3),
                "to_first_record": round(self.seconds.to_first_record, 3),
                "total": round(self.seconds.total, 3),
            },
            "endpoint_urls": dict(self.endpoint_urls),
            "bucket": self.bucket,
            "prefix": self.prefix,
        }


def figures(group: Group) -> dict[str, Any]:
    return {"words": group.totals.words, "records": group.totals.good, "value": group.value}


def failure(result: Result) -> list[str]:
    """Every reason why the demo did not show what it should; empty is success."""
    put, totals = result.put, result.average.total.totals
    said = list(result.problems)
    valid = put.records - put.invalid
    if (totals.good, totals.rejected) != (valid, put.invalid):
        said.append(
            f"{valid} articles and {put.invalid} other records were put, "
            f"{totals.good} are stored and {totals.rejected} are dead letters"
        )
    oracle = Fraction(put.words, valid) if valid else None
    if result.average.fraction != oracle:
        said.append(f"the average is {result.average.fraction}, the producer's own is {oracle}")
    if not result.verify.get("ok"):
        found = [finding for finding in result.verify.get("findings", ()) if finding.get("severity") == ERROR]
        said += [f"verify: {finding['message']}" for finding in found[:FINDINGS_SHOWN]]
        said.append("`articles verify` found something wrong")
    said += [f"{worker} stored nothing" for worker in result.workers if not result.worker(worker).objects]
    return said


def print_report(result: Result, problems: Sequence[str]) -> None:
    """For people, on standard output."""
    print(f"\nFiles in s3://{result.bucket}/{result.prefix}/data/")
    for stored in result.files[:FILES_SHOWN]:
        page, _, name = stored.key.removeprefix(f"{result.prefix}/data/").partition("/")
        shard = name[name.index("shardId-") :][:SHARD_CHARACTERS]
        totals, worker = stored.summary.totals, stored.summary.worker
        print(f"  {page}  {shard}  {totals.good:>6} articles  {stored.size / 1024:>8.1f} KiB  {worker}")
    if len(result.files) > FILES_SHOWN:
        print(f"  … and {len(result.files) - FILES_SHOWN} more")
    print("\nAverage word count")
    for worker in result.workers:
        print_group(worker, result.worker(worker))
    print_group("all together", result.average.total)
    put, seconds = result.put, result.seconds
    print(f"\n{count(put.records, 'record')} put in all")
    if put.invalid:
        are = "is no valid article" if put.invalid == 1 else "are no valid articles"
        print(f"{put.invalid:,} of them {are}: kept as they came, among the dead letters")
    first = f"{seconds.to_first_record:.1f} s after the workers' start"
    print(f"first record stored {first}, done after {seconds.total:.1f} s")
    if not problems:
        print("verify: every record is stored exactly once, and the average is exact")
    for problem in problems:
        print(f"WRONG: {problem}")


def print_group(name: str, group: Group) -> None:
    value = "–" if group.value is None else f"{group.value:.3f}"
    words, records = count(group.totals.words, "word"), count(group.totals.good, "article")
    print(f"  {name:<14}{value:>10}  = {words} / {records}, in {count(group.objects, 'file')}")
