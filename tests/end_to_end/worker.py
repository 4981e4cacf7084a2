"""A worker as an operator has it: the real launcher, which becomes the real daemon, and its children."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from consumer.live import Live, read_shards
from local.process import Process, start

PROJECT = Path(__file__).resolve().parents[2]
LAUNCHER = (sys.executable, "-P", "-m", "consumer.launcher", "--profile", "local")
GRACE_SECONDS = 30.0
"""The daemon's own grace is 20 s (`shutdownGraceMillis`); a busy machine gets a little more."""
TERMINATED = 143
KILLED = -9


class Worker:
    """Started, ended and started again under one id. `environment` holds all of its settings."""

    def __init__(self, worker_id: str, environment: Mapping[str, str], folder: Path, profile: str = "local") -> None:
        self.id = worker_id
        self._command = (*LAUNCHER[:-1], profile)
        self.log = folder / f"{worker_id}.log"
        self.state_dir = folder / "state" / worker_id
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._environment = dict(environment) | {"WORKER_ID": worker_id, "STATE_DIR": str(self.state_dir)}
        self._processes: list[Process] = []
        self._is_to_end = False

    def start(self, **settings: str) -> None:
        """`settings` replace earlier ones."""
        assert self.exit_status is not None or not self._processes, f"{self.id} runs already"
        self._is_to_end = False
        self._environment |= settings
        self._processes.append(start(self.id, self._command, self._environment, self.log, cwd=self._folder))

    @property
    def environment(self) -> Mapping[str, str]:
        return self._environment

    @property
    def pid(self) -> int:
        """The daemon's: the launcher becomes it."""
        return self._processes[-1].popen.pid

    @property
    def exit_status(self) -> int | None:
        return self._processes[-1].exit_status() if self._processes else None

    def live(self) -> dict[str, Live]:
        """What its children published last, by shard; only of children that are there."""
        there = children(self.pid)
        return {live.shard: live for live in read_shards(self.state_dir) if live.pid in there}

    @property
    def buffered(self) -> int:
        return sum(live.buffered for live in self.live().values())

    def terminate(self) -> None:
        """SIGTERM to the daemon alone, as `docker stop` sends it."""
        self._is_to_end = True
        os.kill(self.pid, signal.SIGTERM)

    def terminate_group(self) -> None:
        """SIGTERM to the daemon and to every child, as some supervisors do."""
        self._is_to_end = True
        os.killpg(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the daemon alone; its children are orphans then, as after a real crash."""
        self._is_to_end = True
        os.kill(self.pid, signal.SIGKILL)
        assert self.wait() == KILLED

    def kill_child(self, shard: str) -> None:
        self._is_to_end = True
        os.kill(self.live()[shard].pid, signal.SIGKILL)

    def wait(self, seconds: float = GRACE_SECONDS) -> int:
        """The exit status."""
        status = self._processes[-1].wait(seconds)
        assert status is not None, f"{self.id} still runs after {seconds:.0f} s\n{self.last_lines()}"
        return status

    def check(self) -> None:
        """It must not have ended by itself."""
        status = self.exit_status
        assert status is None or self._is_to_end, f"{self.id} ended with status {status}\n{self.last_lines()}"

    def last_lines(self, count: int = 40) -> str:
        return self._processes[-1].last_lines(count) if self._processes else "    (never started)"

    def said(self, text: str) -> list[str]:
        """The lines of its log, all runs, that hold `text`."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return [line for line in lines if text in line]

    def close(self) -> None:
        for process in self._processes:
            process.kill()


def children(parent: int) -> set[int]:
    """The processes that `parent` has started and that still run."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        state, ppid = fields[0], int(fields[1])
        if ppid == parent and state != "Z":
            found.add(int(folder.name))
    return found
