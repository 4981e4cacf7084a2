"""A side's process, from outside: its tasks, and the memory of it and all that it starts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from articles.errors import UserError
from benchmarks.process import proportional_bytes
from benchmarks.sides import HERE

SECONDS: Final = 180.0
"""After so long a task is ended: a benchmark must end."""
ENDING: Final = 10.0
SAMPLING: Final = 0.02
SETTLING: Final = 3.0
IDLE: Final = 0.1
"""A process that took at most one tick of CPU time in so many seconds has come to rest."""


@dataclass(slots=True)
class Running:
    """A context manager; at its end the processes and their caches are gone. `started` is when it was begun, on the
    clock of `time.perf_counter`."""

    name: str
    bucket: Path
    endpoint: str | None
    folder: Path
    python: str = sys.executable
    started: float = 0.0
    _asked: int = 0
    _popen: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Running:
        self.folder.mkdir(parents=True)
        command = [self.python, "-P", "-m", "benchmarks.training.side", self.name, str(self.bucket)]
        self.started = time.perf_counter()
        with self._log.open("w") as log:
            self._popen = subprocess.Popen(
                command + ([self.endpoint] if self.endpoint else []),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(self.folder),
                start_new_session=True,  # some leave helpers behind
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(ENDING)  # an orderly end: MosaicML's would else leave shared memory behind for ever
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self.folder / "log"

    def ask(self, task: str, **options: object) -> dict[str, Any]:
        """The answer, with `disk`: bytes that the task left in the cache folder, which then goes. Raises UserError."""
        assert self._popen.stdin  # noqa: S101 - asked for
        assert self._popen.stdout  # noqa: S101
        self._asked += 1
        cache = self.folder / f"cache-{self._asked}"
        cache.mkdir()
        watch = threading.Timer(SECONDS, self._popen.kill)
        watch.start()
        try:
            self._popen.stdin.write(json.dumps({"task": task, "cache": str(cache), **options}) + "\n")
            self._popen.stdin.flush()
            said = self._popen.stdout.readline()
        except BrokenPipeError:
            said = ""
        finally:
            watch.cancel()
        if not said:
            raise UserError(f"{self.name} failed at {task}; its log:\n{self._log.read_text(errors='replace')[-3000:]}")
        answer: dict[str, Any] = json.loads(said)
        answer["disk"] = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
        if task != "epoch":
            self._settle()
        shutil.rmtree(cache, ignore_errors=True)  # some threads still write
        return answer

    def _settle(self) -> None:
        """Wait until a reader that was left in the middle no longer reads ahead: it must not disturb the next side."""
        until = time.monotonic() + SETTLING
        before = -1
        while (now := _ticks(self._popen.pid)) > before + 1 and time.monotonic() < until:
            before = now
            time.sleep(IDLE)

    def peak(self, task: str, **options: object) -> tuple[int, int]:
        """The largest proportional memory of the process and what it started while it did a task, and what that left
        in the cache folder: bytes."""
        largest, over = 0, threading.Event()

        def watch() -> None:
            nonlocal largest
            while not over.wait(SAMPLING):
                largest = max(largest, _tree(self._popen.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            disk: int = self.ask(task, **options)["disk"]
        finally:
            over.set()
            watcher.join()
        return max(largest, _tree(self._popen.pid)), disk


def interpreter_bytes(python: str) -> int:
    """Proportional memory of a Python that does nothing."""
    with subprocess.Popen([python, "-P", "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as popen:
        assert popen.stdout  # noqa: S101
        popen.stdout.readline()
        size = proportional_bytes(popen.pid)
        popen.kill()
    return size


def _ticks(pid: int) -> int:
    """CPU time of all its threads, also of those that have ended."""
    return sum(map(int, _stat(pid)[11:13]))


def _stat(pid: int) -> list[str]:
    """Of /proc/PID/stat what follows the name: state, parent, group, session, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _tree(pid: int) -> int:
    """Of those of a session, as each side is one."""
    total = 0
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            with contextlib.suppress(OSError, UserError, IndexError):  # it may end meanwhile
                if _stat(int(place.name))[3] == str(pid):
                    total += proportional_bytes(int(place.name))
    return total


def _environment(folder: Path) -> dict[str, str]:
    """Offline, with credentials that the stub does not look at, and all that is written in `folder`."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(HERE.parent),
        "PYTHONUTF8": "1",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "HF_HUB_OFFLINE": "1",
        "NO_PROXY": "127.0.0.1",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
