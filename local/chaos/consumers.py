"""Who is attacked: our consumer, or for comparison the straightforward one of the benchmarks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from articles.keys import Layout
from articles.retry import RetryingStore
from local.chains import Chains
from local.chaos.chain_watch import ChainWatch
from local.chaos.plain_watch import PlainWatch, tally
from local.chaos.supervisor import Worker, parent_of
from local.chaos.watch import Sources, Watch
from local.chaos.world import PREFIX
from local.demo_verify import verify
from local.interrupts import Interrupts

VERSIONS = (
    {"FILE_AGE": "3", "CODEC": "deflate", "FILE_SIZE": "256KiB"},
    {"FILE_AGE": "2", "CODEC": "zstandard", "FILE_SIZE": "64KiB", "FILE_RECORDS": "60"},
    {"FILE_AGE": "5", "CODEC": "null", "FILE_SIZE": "1MiB", "S3_DEADLINE": "20"},
    {"FILE_AGE": "2", "CODEC": "deflate", "FILE_RECORDS": "37"},
)
"""Workers differ, as versions do that hand shards back and forth."""


PLAIN = (sys.executable, "-P", "-m", "local.chaos.plain_worker")


class Consumer(Protocol):
    takes_bad_records: bool

    def worker(self, number: int, settings: Mapping[str, str]) -> Worker: ...

    def watch(self, sources: Sources, tell: Callable[[str], None]) -> Watch: ...

    def verify(self, ledger: Path) -> dict[str, Any]:
        """In the form of `articles verify --json`."""
        ...


class Articles:
    takes_bad_records = True

    def __init__(self, folder: Path, interrupts: Interrupts) -> None:
        self._folder, self._interrupts = folder, interrupts

    def worker(self, number: int, settings: Mapping[str, str]) -> Worker:
        return Worker(f"worker-{number}", {**settings, **version(number)}, self._folder)

    def watch(self, sources: Sources, tell: Callable[[str], None]) -> Watch:
        from articles.s3 import S3ObjectStore  # its client takes a while to import

        url, region = os.environ["AWS_ENDPOINT_URL_S3"], os.environ["AWS_REGION"]
        store = S3ObjectStore(sources.bucket, region=region, endpoint_url=url)
        return ChainWatch(sources, tell, Chains(RetryingStore(store, deadline=20.0), Layout(PREFIX), ()))

    def verify(self, ledger: Path) -> dict[str, Any]:
        return verify(os.environ, ledger, self._folder, self._interrupts)


class Plain:
    """One bad record can stop its shard for good: it cannot be encoded, and then neither can what comes after it. So
    there are none here, and only what faults do is counted."""

    takes_bad_records = False

    def __init__(self, folder: Path, interrupts: Interrupts) -> None:  # noqa: ARG002 - as Articles
        self._folder = folder
        self._watch: PlainWatch | None = None

    def worker(self, number: int, settings: Mapping[str, str]) -> Worker:
        age = version(number)["FILE_AGE"]
        return Worker(f"worker-{number}", {**settings, "FILE_AGE": age}, self._folder, PLAIN, self._children)

    def watch(self, sources: Sources, tell: Callable[[str], None]) -> Watch:
        self._watch = PlainWatch(sources, tell, f"{PREFIX}/data")
        return self._watch

    def verify(self, ledger: Path) -> dict[str, Any]:
        assert self._watch is not None  # noqa: S101 - a run ends with this
        return tally(ledger, self._watch.records, self._watch.stored()[1], self._watch.leases)

    def _children(self, worker: Worker) -> dict[str, int]:
        """They do not say which shard is theirs: any of the worker's shards for any of its children."""
        if worker.pid is None or self._watch is None:
            return {}
        pids = sorted(int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
        shards = [shard for shard in self._watch.shards if self._watch.owner(shard) == worker.id]
        return dict(zip(shards, (pid for pid in pids if parent_of(pid) == worker.pid), strict=False))


def version(number: int) -> Mapping[str, str]:
    return VERSIONS[(number - 1) % len(VERSIONS)]


CONSUMERS: Mapping[str, Callable[[Path, Interrupts], Consumer]] = {"articles": Articles, "plain": Plain}
