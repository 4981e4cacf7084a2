"""Does the steps of a plan that are not done yet, one process at a time, and prints what the caller has to know."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from bootstrap.clone import PLANS, Clone
from bootstrap.errors import SetUpError
from bootstrap.progress import Progress

ROOT: Final = Path(__file__).resolve().parent.parent
NEEDS_PYTHON: Final = 75
"""Exit status: the virtual environment must be made (again), which its own Python cannot do."""


def main(arguments: list[str]) -> int:
    """0 when all is there, 1 with a message when it cannot be, 2 for wrong use, or NEEDS_PYTHON."""
    if len(arguments) != 1 or arguments[0] not in PLANS:
        print(f"usage: python3 -I bootstrap {'|'.join(PLANS)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, _leave)
    progress = Progress(sys.stderr)
    try:
        clone = Clone(ROOT, os.environ, progress)
        if not clone.has_venv():
            if clone.is_running():
                return NEEDS_PYTHON
            with _alone(progress):
                if not clone.has_venv():
                    step = clone.new_venv_step()
                    with progress.step(step.title):
                        clone.stamps.do(step)
        for name, value in _results(clone, arguments[0], progress).items():
            print(f"export {name}={_quoted(value)}")
    except SetUpError as error:
        progress.say(str(error))
        return 1
    except OSError as error:
        progress.say(f"{error.filename or 'the set-up'}: {error.strerror}. Put that right, then run this again.")
        return 1
    except KeyboardInterrupt:
        progress.say("interrupted; the next run goes on from here")
        return 130
    progress.close()
    return 0


def _results(clone: Clone, plan: str, progress: Progress) -> dict[str, str]:
    """The variables to export, after whatever was missing is done."""
    found: dict[str, str] = {}
    with contextlib.ExitStack() as lock:
        locked = False
        for step in clone.steps(plan):
            result = clone.stamps.result(step)
            if result is None and not locked:
                lock.enter_context(_alone(progress))
                locked = True
                result = clone.stamps.result(step)  # another process may have done it meanwhile
            if result is None:
                with progress.step(step.title):
                    result = clone.stamps.do(step)
            found[step.name] = result
    return {
        variable: os.environ.get(variable) or found[name]
        for variable, name in (("ARTICLES_JAVA", "java"), ("ARTICLES_NODE", "node"))
        if name in found
    }


@contextlib.contextmanager
def _alone(progress: Progress) -> Iterator[None]:
    with (ROOT / ".venv.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("waiting for another set-up of this clone to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _quoted(text: str) -> str:
    """For a shell to `eval`; `shlex` would take longer to import than all the rest."""
    return "'" + text.replace("'", "'\\''") + "'"


def _leave(number: int, _: object) -> NoReturn:
    """So that what we have started is ended too."""
    raise SystemExit(128 + number)
