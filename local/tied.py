"""Run a command that the kernel ends when the process that started it goes, however it goes (Linux; elsewhere:
just run it).

Used as a program, `python tied.py PARENT COMMAND …`, rather than through `preexec_fn`, which is unsafe in a
process with threads. The setting survives `exec`, so it also holds for a shell script that execs Java. It
is tied to the *thread* that started the command: start commands from the main thread."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it went before we asked
            os._exit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(127)


if __name__ == "__main__":
    main()
