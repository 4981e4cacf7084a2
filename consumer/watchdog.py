"""Ends a daemon that one of its children has left: a process beside it, started by the launcher.

A daemon that notices a child's death exits, but waits out its whole grace (`shutdownGraceMillis`) for the dead child's
answer. Only its other children use that time, a second or two of it, to seal their files. So once they have left, at
the latest after `SEAL_SECONDS`, nothing is left to wait for, and SIGKILL is safe at any moment.

The daemon's log writes its shutdown's first line into a pipe that the launcher made (`properties/logback.xml`): it
says whether a child has gone, or the daemon was told to stop, which it does in its own time.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from consumer.logs import Log

SEAL_SECONDS: Final = 4.0
EVERY_SECONDS: Final = 0.1
CHILD_GONE: Final = "Encountered an error "
"""How `MultiLangShardRecordProcessor.stopProcessing` begins, before it exits."""
STOPPING: Final = "Process terminated"
"""The daemon's shutdown hook, whatever called it."""


def start(env: Mapping[str, str]) -> int:
    """Starts the process for this one, which is to become the daemon; a descriptor to write the log's lines to."""
    lines, written = os.pipe()
    command = [sys.executable, "-P", "-m", "consumer.watchdog"]
    subprocess.Popen(command, env=env, stdin=lines, stdout=subprocess.DEVNULL)
    os.close(lines)
    os.set_inheritable(written, True)
    return written


def child_has_gone(lines: Iterable[str]) -> bool:
    """Reads until the daemon's shutdown begins; whether that is for a child's sake."""
    for line in lines:
        if line.startswith((CHILD_GONE, STOPPING)):
            return line.startswith(CHILD_GONE)
    return False


def others(daemon: int) -> set[int]:
    """The children of the daemon that still run, without this process."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == daemon and state != "Z":
                found.add(int(stat.parent.name))
    return found - {os.getpid()}


def main() -> int:
    for asked in (signal.SIGTERM, signal.SIGINT):  # a signal to the whole process group is the daemon's to answer
        signal.signal(asked, signal.SIG_IGN)
    daemon = os.getppid()
    if not child_has_gone(sys.stdin):
        return 0
    began = time.monotonic()
    while (sealing := others(daemon)) and time.monotonic() - began < SEAL_SECONDS:
        time.sleep(EVERY_SECONDS)
    if os.getppid() == daemon:
        Log(worker=os.environ.get("WORKER_ID")).error(
            "daemon-ended",
            message="a child has left, and the daemon would wait out its grace for it; start the worker again",
            waited=round(time.monotonic() - began, 1),
            sealing=len(sealing),
        )
        os.kill(daemon, signal.SIGKILL)
    return 0


if __name__ == "__main__":
    sys.exit(main())
