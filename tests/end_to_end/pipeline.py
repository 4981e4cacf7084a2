"""One pipeline of its own on a shared emulator: a stream, an application with its tables, a bucket, workers.

Stream and lease table belong together, so every test makes both anew; names are unique, and tests can run side by
side, in one process or in many.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pytest

from articles.aws import Lease, Shard, StreamIdentity, client, describe_stream, list_shards, read_leases
from consumer.provision import Clients, Plan, provision
from local.emulator import Emulator
from local.producer import Producer
from local.source import Outgoing, generated
from local.watcher import Watcher
from local.workers import JAVA_OPTIONS
from tests.end_to_end.stored import Ledger, Stored, read
from tests.end_to_end.worker import LAUNCHER, PROJECT, Worker

_T = TypeVar("_T")
_numbers = itertools.count(1)
PATIENCE = 90.0
"""Seconds that anything may take on a busy machine before a test gives up."""


class Pipeline:
    def __init__(self, emulator: Emulator, folder: Path, shards: int, settings: Mapping[str, str]) -> None:
        number = next(_numbers)
        self.stream = f"news-wire-{number}"
        self.application = f"reader-{number}"
        self.bucket = f"bucket-{number}"
        self.prefix = "news/articles"
        self.folder = folder
        self.ledger = folder / "ledger.jsonl"
        self.ledger.touch()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            **emulator.environment(),
            "STREAM_NAME": self.stream,
            "APPLICATION_NAME": self.application,
            "BUCKET": self.bucket,
            "PREFIX": self.prefix,
            "PYTHONPATH": str(PROJECT),
            "TMPDIR": str(folder),
            "ARTICLES_JAVA_OPTS": JAVA_OPTIONS,
            **settings,
        }
        urls = emulator.endpoint_urls
        self.kinesis, self.dynamodb, self.s3 = (
            client(service, region=emulator.region, endpoint_url=urls[service])
            for service in ("kinesis", "dynamodb", "s3")
        )
        self.region = emulator.region
        self.workers: list[Worker] = []
        self.watcher = Watcher(self.s3, self.dynamodb, self.bucket, self.prefix, self.application)
        self._articles = generated(number)
        self.provision(shards)

    # What an operator does

    def provision(self, shards: int | None = None) -> None:
        """The stream (with `shards`), bucket, tables and leases."""
        plan = Plan(self.stream, self.bucket, self.application, shards=shards)
        provision(plan, Clients(self.kinesis, self.dynamodb, self.s3, self.region))

    def delete_tables(self) -> None:
        for name in (self.application, f"{self.application}-CoordinatorState", f"{self.application}-WorkerMetricStats"):
            self.dynamodb.delete_table(TableName=name)
        self.wait_for("the tables to go", lambda: read_leases(self.dynamodb, self.application) is None)

    def delete_stream(self) -> None:
        self.kinesis.delete_stream(StreamName=self.stream)
        self.wait_for("the stream to go", lambda: self.stream not in self.kinesis.list_streams()["StreamNames"])

    def worker(self, worker_id: str = "worker-1", **settings: str) -> Worker:
        worker = Worker(worker_id, self.environment | settings, self.folder)
        self.workers.append(worker)
        return worker

    def start(self, *workers: Worker) -> None:
        """The first one leads before the others start: of workers that race for a lock nobody has held yet, the loser
        sleeps for two minutes."""
        for worker in workers:
            worker.start()
            self.wait_for("a leader", self._has_leader)

    def kill(self) -> None:
        """SIGKILL to all workers: what is stored must be right at any moment, and an end by SIGTERM takes 6 s."""
        for worker in self.workers:
            if worker.exit_status is None:
                worker.kill()

    def launch(self, worker_id: str = "worker-1", *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a launcher that is expected to refuse, or to leave after what `options` ask for."""
        environment = self.environment | {"WORKER_ID": worker_id, "STATE_DIR": str(self.folder / "refused")} | settings
        return subprocess.run([*LAUNCHER, *options], env=environment, capture_output=True, text=True, timeout=PATIENCE)

    def articles(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the console script."""
        command = [sys.executable, "-P", "-m", "articles", *arguments]
        return subprocess.run(
            command, env=self.environment | settings, capture_output=True, text=True, timeout=PATIENCE
        )

    # What a producer does

    def next_articles(self, count: int) -> list[Outgoing]:
        return list(islice(self._articles, count))

    def put(self, records: Iterable[Outgoing] | int) -> int:
        """Put records, or so many generated ones, and note them down; how many."""
        source = self.next_articles(records) if isinstance(records, int) else records
        with self.ledger.open("a") as ledger:
            return sum(Producer(self.kinesis, self.stream, ledger=ledger).put(source))

    def fill(self, count: int, *shards: str) -> None:
        """Put so many generated records into each of the shards."""
        for shard in shards:
            key = self.key_of(shard)
            self.put([replace(record, key=key) for record in self.next_articles(count)])

    @contextmanager
    def load(self, rate: float) -> Iterator[None]:
        """Put articles at a rate, in records a second, all the while."""
        stop = threading.Event()
        failed: list[Exception] = []

        def pause(seconds: float) -> None:
            stop.wait(seconds)

        def run() -> None:
            try:
                with self.ledger.open("a") as ledger:
                    producer = Producer(self.kinesis, self.stream, ledger=ledger, rate=rate, pause=pause)
                    for _ in producer.put(itertools.takewhile(lambda _: not stop.is_set(), self._articles)):
                        pass
            except Exception as error:  # noqa: BLE001 - handed to the test's thread
                failed.append(error)

        thread = threading.Thread(target=run, name="load", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(PATIENCE)
        if failed:
            raise failed[0]

    @property
    def put_so_far(self) -> int:
        return self.ledger.read_bytes().count(b"\n")

    # What can be seen

    def shards(self) -> dict[str, Shard]:
        return {shard.id: shard for shard in list_shards(self.kinesis, self.stream)}

    def leases(self) -> dict[str, Lease]:
        return {lease.key: lease for lease in read_leases(self.dynamodb, self.application) or ()}

    def identity(self) -> StreamIdentity:
        return describe_stream(self.kinesis, self.stream)

    def key_of(self, shard: str) -> str:
        """A partition key that hashes into the shard."""
        hashes = self.shards()[shard]
        for number in itertools.count():
            key = f"key-{number}"
            hashed = int.from_bytes(hashlib.md5(key.encode()).digest())
            if int(hashes.starting_hash) <= hashed <= int(hashes.ending_hash):
                return key
        raise AssertionError("unreachable")

    def stored(self) -> Stored:
        return read(self.s3, self.bucket, self.prefix)

    def wait_for(self, what: str, ready: Callable[[], _T | None], seconds: float = PATIENCE) -> _T:
        """Poll until `ready` answers something true; fail with the workers' last words when it takes too long, and at
        once when a worker ends that should not."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            for worker in self.workers:
                worker.check()
            if time.monotonic() > deadline:
                pytest.fail(f"waited {seconds:.0f} s for {what}\n{self.last_words()}")
            time.sleep(0.1)
        return found

    def wait_until_stored(self, count: int | None = None, seconds: float = PATIENCE) -> None:
        """Until the links hold `count` records, those that were rejected included: by default all that were put."""
        wanted = self.put_so_far if count is None else count
        self.wait_for(f"{wanted} records to be stored", lambda: self.watcher.look() >= wanted, seconds)

    def wait_until_checkpointed(self, *shards: str) -> None:
        """Until these leases are at the ends of their chains."""

        def done() -> bool:
            leases, seen = self.leases(), self.watcher.shards
            return all(
                shard in seen
                and (leases[shard].checkpoint, leases[shard].sub) == (str(seen[shard].end[0]), seen[shard].end[1])
                for shard in shards
            )

        self.wait_for(f"the checkpoints of {', '.join(shards)}", done)

    def wait_until_buffered(self, count: int) -> None:
        """Until the workers' children hold `count` records in memory."""
        self.wait_for(
            f"{count} records to be buffered", lambda: sum(worker.buffered for worker in self.workers) == count
        )

    def last_words(self) -> str:
        words = [f"{worker.id} ({worker.exit_status}):\n{worker.last_lines()}" for worker in self.workers]
        leases = [f"    {lease}" for lease in self.leases().values()]
        return "\n".join([*words, f"stored {self.watcher.look()} of {self.put_so_far}; leases:", *leases])

    def _has_leader(self) -> bool:
        found = self.dynamodb.get_item(
            TableName=f"{self.application}-CoordinatorState", Key={"key": {"S": "Leader"}}, ConsistentRead=True
        )
        return "Item" in found

    # What must be true at the end

    def check(self, expected: Collection[str] = ()) -> Stored:
        """Everything put is stored once, the average is exact, and `articles verify` says so too. No child may have
        left or been parked, where that was not `expected`."""
        self.watcher.look()
        self.watcher.check_order({shard.id: shard.parents for shard in self.shards().values()})
        assert not self.watcher.problems
        # A worker lives on for its grace after a child has left: that would not be noticed otherwise.
        words = {"leaving", "parked"} - set(expected)
        complaints = [worker.said(f'"event": "{word}"') for worker in self.workers for word in words]
        assert not any(complaints), complaints
        ledger, stored = Ledger.read(self.ledger), self.stored()
        assert stored.articles == Counter(list(ledger.articles)), self.last_words()
        assert stored.dead_letters == Counter(ledger.invalid), self.last_words()
        assert stored.words == ledger.words
        average = self.articles("average", "--json")
        assert average.returncode == 0, average.stderr
        said = json.loads(average.stdout)
        assert Fraction(said["words"], said["records"]) == Fraction(ledger.words, len(ledger.articles))
        verify = self.articles("verify", "--deep", "--ledger", str(self.ledger), "--leases", "--json")
        assert verify.returncode == 0, f"{verify.stdout}\n{verify.stderr}"
        return stored

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
