"""A process of ours: in a session of its own, its output in a file, ended with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TIED = Path(__file__).with_name("tied.py")


@dataclass(frozen=True, slots=True)
class Process:
    """`name` is what messages to the user call it."""

    name: str
    log: Path
    popen: subprocess.Popen[bytes]

    def exit_status(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self.popen.poll()

    def last_lines(self, count: int = 15) -> str:
        """The end of the log, indented, for an error message."""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 64 * 1024))
            lines = file.read().decode(errors="replace").splitlines()[-count:]
        return "\n".join(f"    {line}" for line in lines) or "    (it printed nothing)"

    def printed(self, text: str) -> bool:
        """Whether the log holds it by now."""
        return text.encode() in self.log.read_bytes()

    def terminate(self) -> None:
        """Ask only the process itself to end; what it started is its own business."""
        if self.exit_status() is None:
            self.popen.terminate()

    def wait(self, seconds: float) -> int | None:
        """The exit status, or None if it still runs after `seconds`."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End it and all of its group at once, also what is left of the group of one that ended by itself."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()


def start(
    name: str,
    command: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    *,
    cwd: Path | None = None,
    output: Path | None = None,
) -> Process:
    """Start `command`; it cannot outlive us (see `tied`). Call from the main thread.

    `log` gets its errors, and its output too unless `output` does.
    """
    with log.open("ab") as errors, (output or log).open("ab") as printed:
        popen = subprocess.Popen(
            [sys.executable, "-I", "-S", str(TIED), str(os.getpid()), *command],
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=errors,
            start_new_session=True,  # a terminal's Ctrl-C is ours alone: we decide in which order things end
        )
    return Process(name, log, popen)
