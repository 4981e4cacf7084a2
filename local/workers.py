"""The demo's workers: real daemons, each with a worker id and a state directory of its own.

They are not started all at once. Workers that race for the very first leader lock (there is no lock item yet) can
lose two minutes: the loser's lock client sleeps, and leases that are given to it lie idle. So the first one starts
alone, and the others once its Java is up: they come to the lock a start of Java later, and still early enough for the
first sharing out of leases.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from articles.aws import read_leases
from articles.errors import UserError
from consumer.live import read_shards
from local.interrupts import Interrupts
from local.process import Process, start

PROJECT = Path(__file__).resolve().parent.parent
LAUNCHER = (sys.executable, "-P", "-m", "consumer.launcher", "--profile", "local")  # what run_kcl.sh runs
STOP_SECONDS = 30.0  # the daemon's own grace is 20 s
DAEMON_SPEAKS = b"MultiLangDaemonConfig"  # the logger of its first lines
JAVA_OPTIONS = "-Xmx256m -XX:TieredStopAtLevel=1"  # quick to start on few cores; a demo is over before C2 pays
STOPPED = (0, 143, -15)


class Workers:
    """A context manager: whoever still runs at its end is killed, with its children."""

    def __init__(
        self, count: int, application: str, dynamodb: Any, environment: Mapping[str, str], folder: Path
    ) -> None:
        self.ids = tuple(f"worker-{number}" for number in range(1, count + 1))
        self._application, self._dynamodb = application, dynamodb
        self._environment, self._folder = dict(environment), folder
        self._processes: list[Process] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()

    def start_due(self) -> None:
        """Start the first worker; once its Java is up, the others. Call again and again."""
        if not self._processes:
            self._start(self.ids[0])
        elif len(self._processes) < len(self.ids) and self._first_is_up():
            for worker in self.ids[1:]:
                self._start(worker)

    def check(self) -> None:
        """Raises UserError with the last words of a worker that has ended."""
        for process in self._processes:
            status = process.exit_status()
            if status is not None:
                raise UserError(f"{process.name} ended with status {status}; its last lines:\n{process.last_lines()}")

    def holders(self) -> dict[str, str]:
        """The shards that are read now, and by whom."""
        leases = read_leases(self._dynamodb, self._application) or ()
        return {lease.key: lease.owner for lease in leases if lease.owner}

    def all_read(self, holders: Mapping[str, str]) -> bool:
        """Whether every worker reads a shard that is its own by `holders`. A lease alone says less: it is given to a
        worker that is known but not up yet, and is lost again to another when that takes longer than the failover."""
        return all(
            any(holders.get(live.shard) == worker for live in read_shards(self._state(worker))) for worker in self.ids
        )

    def stop(self, interrupts: Interrupts, meanwhile: Callable[[], None]) -> list[str]:
        """SIGTERM to all, as an operator or an orchestrator does; what did not go well, in words."""
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while any(process.exit_status() is None for process in self._processes) and time.monotonic() < deadline:
            meanwhile()
            interrupts.sleep(0.1)
        return [said for process in self._processes if (said := _ending(process))]

    def last_lines(self) -> dict[str, str]:
        """The end of each worker's log."""
        return {process.name: process.last_lines() for process in self._processes}

    def log(self, worker: str) -> Path:
        return self._folder / f"{worker}.log"

    def _state(self, worker: str) -> Path:
        return self._folder / "state" / worker

    def _start(self, worker: str) -> None:
        state = self._state(worker)
        state.mkdir(parents=True)
        own = {"WORKER_ID": worker, "STATE_DIR": str(state), "TMPDIR": str(self._folder)}
        own["ARTICLES_JAVA_OPTS"] = f"{JAVA_OPTIONS} {self._environment.get('ARTICLES_JAVA_OPTS', '')}"
        path = os.pathsep.join(filter(None, (str(PROJECT), self._environment.get("PYTHONPATH"))))
        environment = self._environment | own | {"PYTHONPATH": path}
        self._processes.append(start(worker, LAUNCHER, environment, self.log(worker), cwd=self._folder))

    def _first_is_up(self) -> bool:
        return DAEMON_SPEAKS in self.log(self.ids[0]).read_bytes()


def _ending(process: Process) -> str:
    status = process.exit_status()
    if status is None:
        return f"{process.name} did not stop within {STOP_SECONDS:.0f} s of SIGTERM"
    return "" if status in STOPPED else f"{process.name} ended with status {status}"
