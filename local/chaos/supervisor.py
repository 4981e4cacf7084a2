"""Runs workers as an orchestrator does: who ends and is wanted is started again at once, under the same id.

One thread, the main one (a process is tied to the thread that starts it, see `tied`): call `tick` again and again.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from consumer.live import read_shards
from local.chaos.worker_log import WorkerLog
from local.process import Process, start
from local.workers import JAVA_OPTIONS, LAUNCHER, PROJECT

SHORT_LIFE_SECONDS = 5.0  # who ends sooner is started again only after the pause
PAUSE_SECONDS = 1.0
REFUSED = "did not start"
WHY_CHARACTERS = 120
KILLED, TERMINATED = -signal.SIGKILL, 128 + signal.SIGTERM
Say = Callable[[str, str], None]
"""Takes a worker's id and what became of it."""


class Worker:
    """One id, many processes after one another. `wanted` is whether it is to run; `stopped` holds what SIGSTOP has
    frozen."""

    def __init__(
        self,
        worker_id: str,
        settings: Mapping[str, str],
        folder: Path,
        command: Sequence[str] = LAUNCHER,
        children: Callable[[Worker], dict[str, int]] | None = None,
    ) -> None:
        self.id = worker_id
        self._children = children or published_children
        self.wanted = False
        self.starts = 0
        self.state_dir = folder / "state" / worker_id
        self.state_dir.mkdir(parents=True)
        self.log = WorkerLog(folder / f"{worker_id}.log")
        path = os.pathsep.join(filter(None, (str(PROJECT), settings.get("PYTHONPATH"))))
        own = {"WORKER_ID": worker_id, "STATE_DIR": str(self.state_dir), "TMPDIR": str(folder), "PYTHONPATH": path}
        self._environment = {"ARTICLES_JAVA_OPTS": JAVA_OPTIONS, **settings, **own}
        self._folder, self._command = folder, tuple(command)
        self._process: Process | None = None
        self._groups: list[Process] = []
        self._stopped: set[int] = set()
        self._started = float("-inf")
        self._due = float("-inf")

    @property
    def pid(self) -> int | None:
        """The daemon's, while it runs."""
        return self._process.popen.pid if self._process else None

    @property
    def daemon(self) -> list[int]:
        """The same, to be signalled: nobody when it does not run."""
        return [] if self.pid is None else [self.pid]

    @property
    def is_stopped(self) -> bool:
        return bool(self._stopped)

    def children(self) -> dict[str, int]:
        """The child of each shard that the daemon reads now."""
        return self._children(self)

    def tick(self, now: float) -> str:
        """Start it when it is due; what became of it, when it has ended."""
        said = ""
        self.log.read()
        if self._process and (status := self._process.exit_status()) is not None:
            said = ending(status, self.log.last_words)
            lived = now - self._started
            self._due = now + (PAUSE_SECONDS if lived < SHORT_LIFE_SECONDS else 0.0)
            self._process = None
            self._stopped.clear()
        if self.wanted and self._process is None and now >= self._due:
            self._start(now)
        return said

    def send(self, number: signal.Signals, pids: Sequence[int]) -> None:
        """Those that have gone meanwhile are passed over."""
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
            if number == signal.SIGSTOP:
                self._stopped.add(pid)
            elif number == signal.SIGCONT:
                self._stopped.discard(pid)

    def send_group(self, number: signal.Signals) -> None:
        """The daemon and every child."""
        if self.pid is not None:
            os.killpg(self.pid, number)

    def resume(self) -> None:
        """Nothing stays frozen."""
        self.send(signal.SIGCONT, sorted(self._stopped))

    def kill(self) -> None:
        """All of it, orphans of earlier lives too."""
        for process in self._groups:
            process.kill()

    def _start(self, now: float) -> None:
        self.starts += 1
        self.log.last_words = ""
        self._process = start(self.id, self._command, self._environment, self.log.path, cwd=self._folder)
        self._groups = [process for process in self._groups if _has_members(process.popen.pid)] + [self._process]
        self._started = now


class Supervisor:
    """A context manager: whoever still runs at its end is killed, with its children and orphans.

    `restarts` counts the starts after the first of a worker that was to run on, by how it had ended; `refusals` how
    often the launcher refused, and why.
    """

    def __init__(self, workers: Sequence[Worker], say: Say) -> None:
        self.workers = {worker.id: worker for worker in workers}
        self.restarts: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self._say = say

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.kill()

    def __iter__(self) -> Iterator[Worker]:
        return iter(self.workers.values())

    def running(self) -> list[Worker]:
        return [worker for worker in self if worker.pid is not None and not worker.is_stopped]

    def tick(self) -> None:
        for worker in self:
            said = worker.tick(time.monotonic())
            if said:
                how, _, why = said.partition(": ")
                if worker.wanted:
                    self.restarts[how] += 1
                if how == REFUSED:
                    self.refusals[why[:WHY_CHARACTERS]] += 1
                self._say(worker.id, f"{said}; {'started again' if worker.wanted else 'not to run now'}")

    def end(self) -> None:
        """None is wanted any more: SIGTERM to all daemons."""
        for worker in self:
            worker.wanted = False
            worker.resume()
            worker.send(signal.SIGTERM, worker.daemon)


def ending(status: int, last_words: str) -> str:
    """How a process ended, in words; what comes before the colon is one of few."""
    match status:
        case -9:
            how = "killed"
        case 143 | -15:
            how = "terminated"
        case 1:
            how = "ended after its child"
        case 2:
            how = REFUSED
        case _:
            how = f"ended with status {status}"
    return f"{how}: {last_words}" if last_words else how


def published_children(worker: Worker) -> dict[str, int]:
    """As they say themselves."""
    if worker.pid is None:
        return {}
    return {live.shard: live.pid for live in read_shards(worker.state_dir) if parent_of(live.pid) == worker.pid}


def parent_of(pid: int) -> int | None:
    """None for a process that is no more."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[1])


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
