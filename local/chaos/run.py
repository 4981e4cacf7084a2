"""A chaos run, phase by phase: set up, attack, calm down and drain, stop, verify."""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from articles.aws import describe_stream
from articles.errors import UserError
from consumer.provision import Clients, Plan, provision
from local.chaos.consumers import CONSUMERS
from local.chaos.decks import allowed
from local.chaos.feed import BAD_SHARE, ChaosFeed
from local.chaos.nemesis import Nemesis
from local.chaos.report import Result
from local.chaos.supervisor import REFUSED, Supervisor, Worker
from local.chaos.view import Teller
from local.chaos.watch import Sources, Watch
from local.chaos.world import APPLICATION, BUCKET, NAME, PREFIX, Wire, World
from local.emulator import Emulator
from local.fault_proxy import FaultProxy
from local.interrupts import Interrupts

TICK_SECONDS = 0.05
START_SECONDS = 90.0
DRAIN_SECONDS = 300.0  # a leader's lock may have to run out first: two minutes
STOP_SECONDS = 40.0
MEASURE_SECONDS = 60.0
EXPECTED = (
    *("left with 71", "left with 72", "left with 75"),
    *(f"{REFUSED}: bucket '{BUCKET}', ", f"{REFUSED}: s3 does not answer", f"{REFUSED}: dynamodb "),
)
"""S3 or the lease table was away, or leases were lost again and again: the nemesis' doing."""


@dataclass(frozen=True, slots=True)
class Options:
    """`only` are the kinds of acts allowed, all when it is empty; `rate` is in records a second."""

    seconds: float
    seed: int
    workers: int
    shards: int
    rate: float
    only: tuple[str, ...]
    consumer: str = "articles"


class Chaos:
    """What `run` started lives in `stack`."""

    def __init__(
        self, options: Options, folder: Path, teller: Teller, interrupts: Interrupts, stack: ExitStack
    ) -> None:
        self._options, self._folder, self._teller = options, folder, teller
        self._interrupts, self._stack = interrupts, stack
        self._ledger = folder / "ledger.jsonl"
        self._consumer = CONSUMERS[options.consumer](folder, interrupts)
        self._memory: dict[str, int] = {}
        self._measured = float("-inf")

    def run(self) -> Result:
        options, teller = self._options, self._teller
        teller.phase("starting the emulator and the workers")
        self._set_up()
        self._go_on(START_SECONDS, self._all_read, "every worker to hold a lease")
        teller.phase("attacking")
        began = time.monotonic()
        nemesis = Nemesis(allowed(options.only), options.seed, self.world, teller.history)
        try:
            while time.monotonic() - began < options.seconds:
                nemesis.tick(time.monotonic() - began)
                teller.under_way(nemesis.under_way())
                self._tick()
        finally:
            nemesis.end()
        teller.phase("draining: no faults and no load any more")
        drained = self._drain()
        teller.phase("stopping the workers")
        self._stop()
        teller.phase("verifying what is stored against what was put")
        found = self._consumer.verify(self._ledger)
        teller.phase("done")
        return self._result(nemesis.counts, found, drained)

    def _set_up(self) -> None:
        options = self._options
        self._emulator = self._stack.enter_context(Emulator(interrupts=self._interrupts))
        names = {"STREAM_NAME": NAME, "BUCKET": BUCKET, "PREFIX": PREFIX, "APPLICATION_NAME": APPLICATION}
        os.environ.update(self._emulator.environment() | names)  # this process goes past the proxies
        clients = Clients.open()
        provision(Plan(NAME, BUCKET, APPLICATION, shards=options.shards), clients)
        self._clients = clients
        urls = self._emulator.endpoint_urls
        s3, dynamodb = (
            Wire(self._stack.enter_context(FaultProxy(urls[service], options.seed))) for service in ("s3", "dynamodb")
        )
        self._settings = dict(os.environ) | {
            "AWS_ENDPOINT_URL_S3": s3.proxy.url,
            "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.proxy.url,
        }
        workers = [self._worker(number) for number in range(1, options.workers + 1)]
        self.supervisor = self._stack.enter_context(Supervisor(workers, self._teller.worker))
        for worker in workers:
            worker.wanted = True
        bad = BAD_SHARE if self._consumer.takes_bad_records else 0.0
        self._feed = ChaosFeed(clients.kinesis, NAME, options.seed, options.rate, self._ledger, bad)
        self._watch = self._stack.enter_context(self._watching())
        self.world = World(self.supervisor, s3, dynamodb, clients.kinesis, self._watch, self._join)
        self._stack.enter_context(self._feed)

    def _watching(self) -> Watch:
        clients = self._clients
        stream = describe_stream(clients.kinesis, NAME)
        sources = Sources(
            *(clients.kinesis, clients.dynamodb, clients.s3, stream, BUCKET, APPLICATION),
            lambda: dict(self._feed.progress.shards),
            lambda: dict(self._feed.last),
        )
        return self._consumer.watch(sources, self._teller.note)

    def _worker(self, number: int) -> Worker:
        return self._consumer.worker(number, self._settings)

    def _join(self) -> Worker:
        worker = self._worker(len(self.supervisor.workers) + 1)
        self.supervisor.workers[worker.id] = worker
        return worker

    def _all_read(self) -> bool:
        return {lease.owner for lease in self._watch.leases.values()} >= set(self.supervisor.workers)

    def _tick(self) -> None:
        self.supervisor.tick()
        for checked in (self._emulator, self._feed, self._watch):
            checked.check()
        self._measure()
        self._teller.show(self._watch, self._feed.progress)
        self._interrupts.sleep(TICK_SECONDS)

    def _go_on(self, seconds: float, ready: Any, what: str = "") -> float | None:
        """Until it is ready; after how many seconds, None when it took longer. Raises UserError when `what` is said."""
        began = time.monotonic()
        while not ready():
            if time.monotonic() - began > seconds:
                if what:
                    raise UserError(f"waited {seconds:.0f} s for {what}; the logs are in {self._folder}")
                return None
            self._tick()
        return time.monotonic() - began

    def _drain(self) -> float | None:
        for wire in (self.world.s3, self.world.dynamodb):
            wire.clear()
        for number, worker in enumerate(self.supervisor, 1):
            worker.resume()
            worker.wanted = number <= self._options.workers
        self._feed.stop()
        return self._go_on(DRAIN_SECONDS, lambda: self._watch.behind() == 0)

    def _stop(self) -> None:
        self.supervisor.end()
        self._go_on(STOP_SECONDS, lambda: all(worker.pid is None for worker in self.supervisor))
        self._watch.stop()
        self._watch.check()

    def _measure(self) -> None:
        """An hour's run must not grow: the emulator keeps every record, and we had better not."""
        if time.monotonic() < self._measured + MEASURE_SECONDS:
            return
        self._measured = time.monotonic()
        there = {process.name: process.popen.pid for process in self._emulator.processes} | {"this": os.getpid()}
        now = {name: memory_mb(pid) for name, pid in there.items()}
        self._memory = {name: max(size, self._memory.get(name, 0)) for name, size in now.items()}
        stored, files = self._watch.stored()
        figures = f"{self._feed.progress.records:,} put, {stored:,} stored in {files:,} files"
        self._teller.say(f"{figures}; memory: " + ", ".join(f"{name} {size} MB" for name, size in now.items()))

    def _result(self, done: Counter[str], found: dict[str, Any], drained: float | None) -> Result:
        events, complaints = Counter[str](), Counter[str]()
        for worker in self.supervisor:
            worker.log.read()
            events += worker.log.events
            complaints += worker.log.complaints
        struck = self.world.s3.proxy.counts + self.world.dynamodb.proxy.counts
        proofs = {
            "adoptions": events["adopted"],
            "answers_lost": struck["s3-answer-lost"] + struck["s3-stored-yet-500"],
            "zombies_put_late": self.world.proofs["zombies_put_late"],
            "shards_ended_in_adoption": events["adopted: shard end"],
        }
        complaints += Counter({f"{REFUSED}: {why}": number for why, number in self.supervisor.refusals.items()})
        bad = {said: number for said, number in complaints.items() if not said.startswith(EXPECTED)}
        self._teller.say(f"children that left or parked, workers that did not start: {dict(complaints)}")
        return Result(
            seed=self._options.seed,
            seconds=self._options.seconds,
            put=self._feed.progress.records,
            verify=found,
            problems=self._watch.problems,
            complaints=[f"{said} ({number} times)" for said, number in bad.items()],
            proofs=proofs,
            faults=done | struck,
            restarts=self.supervisor.restarts,
            drained_seconds=drained,
            longest_rest_seconds=self._watch.longest_rest,
            looks=self._watch.looks,
            reshards=done["split"] + done["merge"] + done["zombie-at-shard-end"],
            watched=self._watch.invariants,
            memory_mb=self._memory,
            notes=self._teller.notes,
        )


def memory_mb(pid: int) -> int:
    """Resident; 0 where it cannot be told."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20
