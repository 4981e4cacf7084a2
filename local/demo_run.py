"""The demo's run, phase by phase. It waits in one loop, which looks at everything that can go wrong meanwhile."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from articles import average
from articles.aws import describe_stream, list_shards
from articles.chain import ShardName
from articles.errors import UserError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from consumer.provision import Clients, Plan, provision
from local.chains import Chains
from local.demo_report import Result, Seconds
from local.demo_save import save
from local.demo_verify import verify
from local.demo_view import Row, Snapshot, View
from local.emulator import Emulator
from local.feed import SHARING_SECONDS, Feed
from local.interrupts import Interrupts
from local.source import from_file, generated
from local.workers import Workers

STREAM, BUCKET, PREFIX, APPLICATION = "MyStream", "my-bucket", "articles", "articles"
FILE_AGE_SECONDS = 2
POLL_SECONDS = 0.2
STALL_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Options:
    """`records` is None for all of `input`; `save` is the folder that gets a copy of the bucket."""

    records: int | None
    shards: int
    workers: int
    input: str | None
    seed: int
    keep: bool
    json: bool
    save: Path | None


class Demo:
    """`run` leaves emulator and workers to `stack`, so that what it started lives until the caller is done."""

    def __init__(self, options: Options, folder: Path, view: View, interrupts: Interrupts, stack: ExitStack) -> None:
        self.folder = folder
        self.environment: dict[str, str] = {}
        self._options, self._view, self._interrupts, self._stack = options, view, interrupts, stack
        self._started = time.monotonic()
        self._ledger = folder / "ledger.jsonl"
        self._phase = ""
        self._feed: Feed | None = None
        self._chains: Chains | None = None
        self._first_record: float | None = None

    def run(self) -> Result:
        options = self._options
        self._enter("starting the emulator")
        self._emulator = self._stack.enter_context(Emulator(interrupts=self._interrupts))
        self._set_environment()
        self._enter("making the stream, the bucket and the tables")
        clients = Clients.open()
        provision(Plan(STREAM, BUCKET, APPLICATION, shards=options.shards), clients)
        self._interrupts.check()
        self._chains = self._open_chains(clients.kinesis)
        settings = os.environ | {"FILE_AGE": str(FILE_AGE_SECONDS)}
        self._workers = self._stack.enter_context(
            Workers(options.workers, APPLICATION, clients.dynamodb, settings, self.folder)
        )
        source = from_file(options.input) if options.input else generated(options.seed)
        total = None if options.input else options.records  # an input may end before
        feed = Feed(clients.kinesis, STREAM, islice(source, options.records), options.shards, self._ledger, total)
        set_up = self._elapsed()
        with feed:
            self._feed = feed
            self._enter("starting the workers; putting articles")
            self._store_everything(feed, self._chains)
        problems = []
        if not options.keep:
            self._enter("stopping the workers")
            problems = self._workers.stop(self._interrupts, lambda: self._show({}))
            self._chains.advance()
        self._enter("verifying what is stored against what was put")
        findings = verify(os.environ, self._ledger, self.folder, self._interrupts)
        if options.save:
            self._enter(f"copying the bucket to {options.save}")
            save(self._chains.store, self._chains.layout, options.save)
        self._enter("done")
        first = self._first_record or self._elapsed()
        return Result(
            feed.progress,
            average.compute(self._chains.store, self._chains.layout, Selection(stream=STREAM)),
            self._chains.files,
            self._workers.ids,
            findings,
            problems,
            Seconds(set_up, first - set_up, self._elapsed()),
            self._emulator.endpoint_urls,
            BUCKET,
            PREFIX,
        )

    def keep_running(self) -> None:
        """Until Ctrl-C, or until something ends that should not."""
        while True:
            self._interrupts.sleep(0.5)
            self._emulator.check()
            self._workers.check()

    def _store_everything(self, feed: Feed, chains: Chains) -> None:
        started = moved = time.monotonic()
        seen = (0, 0)
        holders: dict[str, str] = {}
        waiting_for_workers = True
        while not (feed.finished and chains.total.totals.records >= feed.progress.records):
            self._workers.start_due()
            for checked in (self._workers, self._emulator, feed):
                checked.check()
            chains.advance()
            holders = self._workers.holders()
            if waiting_for_workers and (
                self._workers.all_read(holders) or time.monotonic() - started > SHARING_SECONDS
            ):
                waiting_for_workers = False
                feed.open_gate()
            if self._first_record is None and chains.total.totals.records:
                self._first_record = self._elapsed()
            if waiting_for_workers:
                self._phase = "starting the workers; putting articles"
            elif not feed.finished:
                self._phase = "putting articles while the workers read"
            else:
                self._phase = "waiting until everything is stored"
            self._show(holders)
            now = (feed.progress.records, chains.total.totals.records)
            if now != seen:
                seen, moved = now, time.monotonic()
            elif time.monotonic() - moved > STALL_SECONDS:
                raise UserError(self._stalled(feed, chains))
            self._interrupts.sleep(POLL_SECONDS)

    def _stalled(self, feed: Feed, chains: Chains) -> str:
        put, stored = feed.progress.records, chains.total.totals.records
        logs = "\n".join(
            f"the last lines of {worker}:\n{lines}" for worker, lines in self._workers.last_lines().items()
        )
        return f"nothing was stored for {STALL_SECONDS:.0f} s: {put} records put, {stored} stored\n{logs}"

    def _set_environment(self) -> None:
        """This process is one more client of the emulator: the S3 client reads its credentials here, too."""
        self.environment = self._emulator.environment() | {
            "STREAM_NAME": STREAM,
            "BUCKET": BUCKET,
            "PREFIX": PREFIX,
            "APPLICATION_NAME": APPLICATION,
        }
        os.environ.update(self.environment)

    def _open_chains(self, kinesis: Any) -> Chains:
        from articles.s3 import S3ObjectStore  # its client takes a while to import: the emulator starts meanwhile

        created = describe_stream(kinesis, STREAM).created
        shards = [ShardName(STREAM, created, shard.id) for shard in list_shards(kinesis, STREAM)]
        urls, region = self._emulator.endpoint_urls, self._emulator.region
        store = S3ObjectStore(BUCKET, region=region, endpoint_url=urls["s3"])
        return Chains(RetryingStore(store, deadline=20.0), Layout(PREFIX), shards)

    def _enter(self, phase: str) -> None:
        self._interrupts.check()
        self._phase = phase
        self._show({}, now=True)

    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    def _show(self, holders: dict[str, str], *, now: bool = False) -> None:
        if self._feed is None or self._chains is None:
            self._view.show(Snapshot(self._phase, self._elapsed()), now=now)
            return
        put, total = self._feed.progress, self._chains.total
        shards = tuple(
            Row(
                name.shard,
                holders.get(name.shard, chain.worker),
                chain.group.totals.records,
                chain.group.objects,
                chain.group.value,
                put.shards[name.shard],
            )
            for name, chain in self._chains.shards.items()
        )
        reading = list(holders.values())
        workers = []
        for worker in self._workers.ids:
            group = self._chains.worker(worker)
            count = reading.count(worker)
            note = f"reads {count} shard{'s' * (count != 1)}" if holders else ""
            workers.append(Row(worker, note, group.totals.records, group.objects, group.value))
        self._view.show(
            Snapshot(
                self._phase,
                self._elapsed(),
                put.records,
                self._feed.total,
                total.totals.records,
                total.totals.rejected,
                total.objects,
                shards,
                tuple(workers),
            ),
            now=now,
        )
