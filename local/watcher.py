"""Watches the bucket and the lease table while the workers run: what must hold at every moment, not only at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from articles.aws import read_leases

EVERY_SECONDS = 0.25
Chain = tuple[int, int]


def keys(s3: Any, bucket: str, prefix: str) -> Iterator[Mapping[str, Any]]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Contents", ())


@dataclass(slots=True)
class Seen:
    """One shard's chain: its furthest position, and at which look its first link and its end were there."""

    end: Chain = (0, 0)
    first: int | None = None
    ended: int | None = None
    records: int = 0


@dataclass(slots=True)
class Watcher:
    """A thread between enter and exit. Each look asks three things:

    - a lease's checkpoint is never past the end of its shard's chain (the leases are read first, and a chain only
      grows, so a later look at the chain can only be kinder);
    - no object changes or goes;
    - a shard's first link comes after its parents' chains have ended (asked at the end, with the shards' parents).
    """

    s3: Any
    dynamodb: Any
    bucket: str
    prefix: str
    table: str
    problems: list[str] = field(default_factory=list)
    shards: dict[str, Seen] = field(default_factory=dict)
    looks: int = 0
    _tags: dict[str, str] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Watcher:
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join(30)
            self._thread = None

    def look(self) -> int:
        """Look once; how many records the links hold by now, those that were rejected included."""
        with self._lock:
            self.looks += 1
            leases = read_leases(self.dynamodb, self.table) or []
            self._look_at_objects()
            for lease in leases:
                seen = self.shards.get(lease.key, Seen())
                if lease.checkpoint == "SHARD_END":
                    if seen.ended is None:
                        self._say(f"lease {lease.key} is at SHARD_END, its chain at {seen.end}")
                elif lease.checkpoint.isdecimal() and (int(lease.checkpoint), lease.sub) > seen.end:
                    self._say(f"lease {lease.key} is at {lease.checkpoint}:{lease.sub}, its chain at {seen.end}")
            return sum(seen.records for seen in self.shards.values())

    def check_order(self, parents: dict[str, tuple[str, ...]]) -> None:
        """`parents` of each shard; adds to `problems`."""
        for shard, names in parents.items():
            first = self.shards.get(shard, Seen()).first
            for parent in names:
                ended = self.shards.get(parent, Seen()).ended
                if first is not None and (ended is None or ended > first):
                    self._say(f"{shard} had links before the chain of its parent {parent} ended")

    def _run(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - whoever asks for `problems` hears of it
                self._say(f"the watcher failed: {error!r}")
                return

    def _look_at_objects(self) -> None:
        tags = {item["Key"]: str(item["ETag"]) for item in keys(self.s3, self.bucket, f"{self.prefix}/")}
        for key, tag in self._tags.items():
            if tags.get(key) != tag:
                self._say(f"{key} has {'changed' if key in tags else 'gone'}")
        for key in tags.keys() - self._tags.keys():
            if key.startswith(f"{self.prefix}/data/"):
                self._add(key)
        self._tags = tags

    def _add(self, key: str) -> None:
        said = self.s3.head_object(Bucket=self.bucket, Key=key)["Metadata"]
        sequence, sub, page = said["after"].split(":")
        shard = "shardId-" + key.rpartition("shardId-")[2].split("-")[0]
        seen = self.shards.setdefault(shard, Seen())
        seen.end = max(seen.end, (int(sequence), int(sub)))
        seen.records += int(said["records"])
        seen.first = self.looks if seen.first is None else seen.first
        if page == "END":
            seen.ended = self.looks

    def _say(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)
