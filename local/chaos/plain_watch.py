"""What the plain consumer of the benchmarks has stored, while it runs and at the end.

It has no chain to follow: its files are whatever lies in the folder, and how far it is only its leases say. What counts
is what a reader of the folder sees.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from articles.avro import read_container
from articles.aws import Lease
from articles.verify_report import ERROR
from local.chaos.watch import Sources, Watch
from local.demo_view import Row

FILES_EVERY_SECONDS = 2.0
ENDED = "SHARD_END"
Where = tuple[str, int, int]


class PlainWatch(Watch):
    """`folder` is where its files go; `records` counts what they hold."""

    def __init__(self, sources: Sources, tell: Callable[[str], None], folder: str) -> None:
        super().__init__(sources, tell)
        self.records: Counter[Where] = Counter()
        self._folder = folder
        self._read: set[str] = set()

    def at(self, shard: str) -> str:
        lease = self.leases.get(shard)
        return f"{lease.checkpoint}:{lease.sub}" if lease else ""

    def ended(self, shard: str) -> bool:
        lease = self.leases.get(shard)
        return lease is not None and lease.checkpoint == ENDED

    def stored(self) -> tuple[int, int]:
        return len(self.records), len(self._read)

    def behind(self) -> int:
        return (
            sum(not reaches(self.leases.get(shard), last) for shard, last in self.sources.last().items())
            + self.unended()
        )

    def rows(self) -> tuple[Row, ...]:
        put = self.sources.put()
        return tuple(Row(one.id, self.owner(one.id), 0, 0, None, put.get(one.id, 0)) for one in self.open_shards())

    def look(self) -> None:
        before = self.leases
        self.look_at_stream()
        # A lease that is gone was cleaned up after its shard's end.
        gone = {key: replace(lease, checkpoint=ENDED) for key, lease in before.items() if key not in self.leases}
        self.leases = {**gone, **self.leases}
        if self.is_due("files", FILES_EVERY_SECONDS):
            for key, _ in self.keys(f"{self._folder}/"):
                if key not in self._read:
                    self._read.add(key)
                    self._take(key)

    def _take(self, key: str) -> None:
        body = self.sources.s3.get_object(Bucket=self.sources.bucket, Key=key)["Body"].read()
        for record in read_container(io.BytesIO(body)):
            sub = int(record["sub_sequence_number"])
            self.records[record["shard_id"], int(record["sequence_number"]), sub] += 1


def reaches(lease: Lease | None, sequence: int) -> bool:
    """Whether the checkpoint is not before it."""
    if lease is None or lease.checkpoint == ENDED:
        return lease is not None
    return lease.checkpoint.isdecimal() and int(lease.checkpoint) >= sequence


def tally(ledger: Path, found: Mapping[Where, int], files: int, leases: Mapping[str, Lease]) -> dict[str, Any]:
    """The same figures as `articles verify --json`, as far as they mean something here.

    Lost is what is in no file though the checkpoint is past it, and repeated every record that is there once more:
    what is merely not stored yet is `behind`.
    """
    with ledger.open(encoding="utf-8") as lines:
        put = {where(json.loads(line)) for line in lines}
    missing = put - found.keys()
    lost = [at for at in missing if reaches(leases.get(at[0]), at[1])]
    counts = {
        "lost": len(lost),
        "repeated": sum(found.values()) - len(found),
        "behind": len(missing) - len(lost),
        "unknown": len(found.keys() - put),
    }
    bad = [code for code in ("lost", "repeated") if counts[code]]
    return {
        "ok": not bad,
        "checked": ["1: every record put is stored exactly once"],
        "counts": {code: number for code, number in counts.items() if number},
        "findings": [finding(code, f"{counts[code]} records") for code in bad],
        "records": len(found),
        "rejected": 0,
        "objects": files,
        "shards": len({shard for shard, _, _ in put}),
    }


def where(entry: Mapping[str, Any]) -> Where:
    return entry["shard"], int(entry["sequence_number"]), int(entry["sub_sequence_number"])


def finding(code: str, message: str) -> dict[str, str]:
    return {"severity": ERROR, "code": code, "message": message, "shard": "", "position": ""}
