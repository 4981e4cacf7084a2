"""A child on its pipes, with a benchmark in the daemon's place: what it costs in CPU, time and memory."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from articles.errors import UserError
from benchmarks.lines import initialize, line

SECONDS: Final = 300.0
"""After so long a child is ended: a benchmark must end."""
ANSWERS: Final = (b'{"action": "status"', b'{"action":"status"')


@dataclass(frozen=True, slots=True)
class Cost:
    """`start` and `work` are CPU seconds: up to the answer to `initialize`, and from then to the process's end. `wall`
    is seconds of the work alone, `peak` the largest resident memory in bytes."""

    start: float
    work: float
    wall: float
    peak: int


class Child:
    """A context manager; at its end the process is gone."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._command = command
        with log.open("wb") as errors:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=dict(env), cwd=log.parent
            )
        assert self._popen.stdin  # noqa: S101 - asked for a line above
        assert self._popen.stdout  # noqa: S101
        self._input, self._output = self._popen.stdin, self._popen.stdout
        self.pid = self._popen.pid
        self._watch = threading.Timer(SECONDS, self._popen.kill)
        self._watch.daemon = True
        self._watch.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        self._popen.kill()
        self._popen.wait()
        self._output.close()

    def send(self, message: bytes) -> None:
        self._input.write(message)
        self._input.flush()

    def call(self, message: bytes) -> None:
        """One call and its answer. Raises UserError, with the end of the log, when the child leaves instead."""
        try:
            self.send(message)
            self.await_status()
        except BrokenPipeError:
            self._died()

    def await_status(self) -> None:
        """Read up to the answer; every checkpoint that is asked for on the way is granted."""
        while said := self._output.readline():
            if said.startswith(ANSWERS):
                return
            if b'"checkpoint"' in said:
                self.send(line(**json.loads(said), error=None))
        self._died()

    def shut_down(self) -> None:
        """What is buffered is stored and checkpointed."""
        self.call(line(action="shutdownRequested"))

    def wait(self) -> float:
        """Close its input, wait for its end; all CPU seconds it took."""
        self._input.close()
        _, status, usage = os.wait4(self.pid, 0)
        self._popen.returncode = os.waitstatus_to_exitcode(status)
        if self._popen.returncode:
            self._died()
        return usage.ru_utime + usage.ru_stime

    def _died(self) -> None:
        end = self.log.read_text(errors="replace")[-2000:]
        raise UserError(f"the child {' '.join(self._command)} ended early ({self._popen.poll()}); its log:\n{end}")


def feed(command: Sequence[str], env: Mapping[str, str], calls: Iterable[bytes], log: Path, shard: int = 0) -> Cost:
    """Drive a child through `calls`, one after the other as the daemon does, up to its orderly end."""
    with Child(command, env, log) as child:
        child.call(initialize(shard))
        start = cpu_seconds(child.pid)
        began = time.perf_counter()
        for call in calls:
            child.call(call)
        child.shut_down()
        wall = time.perf_counter() - began
        peak = status_bytes(child.pid, "VmHWM")
        return Cost(start, child.wait() - start, wall, peak)


def can_measure() -> bool:
    """Whether this system tells what the benchmarks ask: Linux does."""
    return Path("/proc/self/schedstat").exists()


def cpu_seconds(pid: int) -> float:
    """Of all threads that live, to the nanosecond."""
    stats = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(stat.read_text().split()[0]) for stat in stats) / 1e9


def status_bytes(pid: int, name: str) -> int:
    """A line of /proc/PID/status: VmHWM, the peak (ru_maxrss holds the parent's where it was forked), or VmRSS."""
    return _kilobytes(Path(f"/proc/{pid}/status"), name)


def proportional_bytes(pid: int) -> int:
    """Memory with each shared page divided among those that share it."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def _kilobytes(file: Path, name: str) -> int:
    for found in file.read_text().splitlines():
        if found.startswith(f"{name}:"):
            return int(found.split()[1]) << 10
    raise UserError(f"{file} has no {name}")
