"""Processes that work on an export. Each is started afresh: the object store's client does not survive a fork."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO, Any, Final, TypeVar

from articles import location
from articles.errors import StoreError, UserError
from articles.export.make import Job, Stores

DEADLINE: Final = 600.0
"""Seconds that a store which does not answer is asked again."""
_PROGRAM: Final = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from articles.export.pool import serve
serve(sys.stdin.buffer, sys.stdout.buffer)
"""
_END: Final = object()
_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_Where = tuple[str, str | None, str | None, float]


@dataclass(frozen=True, slots=True)
class Places:
    """How to open both, in any process; arguments of `location.open_uri`."""

    source: _Where
    to: _Where

    def open(self) -> Stores:
        return Stores(*location.open_uri(*self.source), *location.open_uri(*self.to))


_Function = Callable[[Job, Stores, int, _Task], _Result]


def run(
    function: _Function[_Task, _Result],
    tasks: Iterable[_Task],
    job: Job,
    stores: Stores,
    places: Places,
    processes: int,
) -> Iterator[_Result]:
    """The results, in any order. Processes take the tasks in turn; a single one is this one. Raises UserError and
    StoreError as the function does."""
    if processes == 1:
        for task in tasks:
            yield _call(function, job, stores, 0, task)
        return
    todo = iter(tasks)
    lock = threading.Lock()
    done: SimpleQueue[Any] = SimpleQueue()
    workers: list[subprocess.Popen[bytes]] = []

    def drive(number: int, worker: subprocess.Popen[bytes]) -> None:
        assert worker.stdin is not None  # noqa: S101 - both are pipes
        assert worker.stdout is not None  # noqa: S101
        try:
            pickle.dump((places, job, number), worker.stdin)
            while True:
                with lock:
                    task = next(todo, _END)
                if task is _END:
                    break
                pickle.dump((function, task), worker.stdin)
                worker.stdin.flush()
                done.put(pickle.load(worker.stdout))  # noqa: S301 - our own process wrote it
        except (EOFError, OSError, pickle.UnpicklingError):
            status = worker.wait()
            done.put(UserError(f"a process of the export ended ({status}); was it out of memory? What is done stays"))
        except BaseException as error:  # noqa: BLE001 - raised where the results are asked for
            done.put(error)
        done.put(_END)

    try:
        for number in range(processes):
            command = [sys.executable, "-P", "-c", _PROGRAM, json.dumps(sys.path)]
            worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            workers.append(worker)
            threading.Thread(target=drive, args=(number, worker), daemon=True).start()
        running = len(workers)
        while running:
            found = done.get()
            if found is _END:
                running -= 1
            elif isinstance(found, BaseException):
                raise found
            else:
                yield found
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe:
                    with suppress(OSError):
                        pipe.close()


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """What such a process does, until its requests end."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C goes to all of us, and this one holds nothing to tidy up
    places, job, number = pickle.load(requests)  # noqa: S301 - the process that started this one wrote it
    stores: Stores | None = None
    while True:
        try:
            function, task = pickle.load(requests)  # noqa: S301
        except EOFError:
            return
        answer: Any
        try:
            stores = stores or places.open()
            answer = _call(function, job, stores, number, task)
        except (UserError, StoreError) as error:
            answer = type(error)(str(error))
        try:
            pickle.dump(answer, answers)
            answers.flush()
        except BrokenPipeError:  # who asked has been killed
            os._exit(1)


def _call(function: _Function[_Task, _Result], job: Job, stores: Stores, writer: int, task: _Task) -> _Result:
    try:
        return function(job, stores, writer, task)
    except OSError as error:
        raise UserError(f"the scratch folder {job.scratch}: {error}; --scratch takes another one") from error
