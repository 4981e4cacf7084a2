"""Benchmark `start`: how long a worker takes to its first records, and after it was killed.

A worker with production's properties is started on a stream that holds records; the clock runs until one of each shard
is stored, which is a put later than the first `processRecords`. First where everything was provisioned, and where the
daemon must make its tables itself; then, with new records, after SIGKILL, under the same worker id.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from articles import aws
from articles.errors import UserError
from benchmarks.bench import Goal, Result, median
from benchmarks.say import say
from consumer.provision import Clients, Plan, provision, tables_of
from local.emulator import KINESIS_PROGRAM, Emulator
from local.process import Process, start
from local.producer import Producer
from local.source import generated

COMMAND: Final = (sys.executable, "-P", "-m", "consumer.launcher")
SHARDS: Final = 2
ROUNDS: Final = 5
BUDGET: Final = 120.0
"""Seconds after which no further round begins."""
PATIENCE: Final = 120.0
PROVISIONED, BARE, RESTARTED = "provisioned", "not provisioned", "after SIGKILL, the same id"
WITHIN: Final = Goal(10.0, at_least=False, of="ours")


def run(folder: Path, quick: bool) -> list[Result]:
    if not KINESIS_PROGRAM.exists():
        say(f"  {KINESIS_PROGRAM} is missing, which `./run_kcl.sh demo` installs: left out")
        return []
    found: dict[str, list[float]] = defaultdict(list)
    began = time.monotonic()
    with Emulator() as emulator:
        os.environ.update(emulator.environment())
        clients = Clients.open(emulator.region)
        for number in range(1, 2 if quick else ROUNDS + 1):
            if number > 1 and time.monotonic() - began > BUDGET:
                break
            say(f"  round {number}")
            _round(folder, clients, f"start-{number}", found)
        say("  without tables")
        found[BARE].append(_bare(folder, clients, "start-bare"))
    first, bare, restarted = (median(found[name]) for name in (PROVISIONED, BARE, RESTARTED))
    return [
        Result(f"start: first records, {PROVISIONED}", "s", first, bare, BARE, WITHIN),
        Result(f"start: next records, {RESTARTED}", "s", restarted, first, "first start", WITHIN),
    ]


def _round(folder: Path, clients: Clients, name: str, found: dict[str, list[float]]) -> None:
    provision(Plan(name, name, name, shards=SHARDS), clients)
    worker = Worker(folder, clients, name)
    for start_of in (PROVISIONED, RESTARTED):
        found[start_of].append(worker.start_and_kill())
        say(f"    {start_of}: {found[start_of][-1]:.1f} s")


def _bare(folder: Path, clients: Clients, name: str) -> float:
    provision(Plan(name, name, name, shards=SHARDS), clients)
    for table, _ in tables_of(name):
        clients.dynamodb.delete_table(TableName=table)
    aws.wait_until("the tables' end", lambda: aws.read_leases(clients.dynamodb, name) is None)
    return Worker(folder, clients, name).start_and_kill()


class Worker:
    """One worker and its stream, bucket and application, which bear one name."""

    def __init__(self, folder: Path, clients: Clients, name: str) -> None:
        self._clients, self._name, self._folder = clients, name, folder
        self._log = folder / f"{name}.log"
        self._articles = generated(0)
        own = {"STREAM_NAME": name, "APPLICATION_NAME": name, "BUCKET": name, "WORKER_ID": "worker-1"}
        self._environment = {**os.environ, **own, "FILE_RECORDS": "1", "TMPDIR": str(folder)}

    def start_and_kill(self) -> float:
        """Seconds from the launcher's start until a record of each shard is stored. Raises UserError."""
        self._fill()
        said = len(_lines(self._log))
        began = time.time()
        worker = start("the worker", COMMAND, self._environment, self._log, cwd=self._folder)
        try:
            return self._wait(worker, said) - began
        finally:
            worker.kill()

    def _fill(self) -> None:
        """Records enough for every shard to get some."""
        records = itertools.islice(self._articles, 20 * SHARDS)
        keyed = (replace(record, key=f"key-{number}") for number, record in enumerate(records))
        deque(Producer(self._clients.kinesis, self._name).put(keyed), maxlen=0)

    def _wait(self, worker: Process, said: int) -> float:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and worker.exit_status() is None:
            if len(set(_stored(_lines(self._log)[said:]))) == SHARDS:
                return time.time()
            time.sleep(0.05)
        raise UserError(f"the worker stored nothing; its log ends:\n{worker.last_lines()}")


def _lines(log: Path) -> list[str]:
    return log.read_text("utf-8", errors="replace").splitlines() if log.exists() else []


def _stored(lines: list[str]) -> Iterator[Any]:
    """The shards that a line says to have stored something."""
    for line in lines:
        if '"event": "stored"' in line and line.endswith("}"):
            yield json.loads(line)["shard"]
