"""Reading from the store where its client cannot: in a process that was forked from one that had used it.

PyTorch's loader workers are such processes by default on Linux. A process of its own then does the reading, and hands
over what it reads through a pipe.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from queue import SimpleQueue
from typing import IO, Any, Final

from articles import location
from articles.errors import StoreError, StoreRefused, StoreUnavailable
from articles.training.blocks import Source

THREADS: Final = 64
_PROGRAM: Final = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from articles.training.fetcher import serve
serve(sys.stdin.buffer, sys.stdout.buffer)
"""


def open_source(uri: str, region: str | None, endpoint_url: str | None, deadline: float) -> Source:
    """The store that a URI points into, in this process or, where it would hang, by another. Raises UserError."""
    used = sys.modules.get("articles.s3")
    if location.is_remote(uri) and used is not None and used.lost_in_a_fork():
        return Fetcher(uri, region, endpoint_url, deadline)
    return location.open_uri(uri, region, endpoint_url, deadline)[0]


class Fetcher:
    """Ends with the process that made it, when its pipe is closed."""

    def __init__(self, *where: Any) -> None:
        command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._process = process
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        self._requests = process.stdin
        self._lock = threading.Lock()
        self._numbers = count()
        self._waiting: dict[int, SimpleQueue[Any]] = {}
        self._send(where)
        # Not a method: a thread that knew this object would keep it, and the process, for ever.
        threading.Thread(target=_receive, args=(process.stdout, self._waiting), daemon=True).start()
        weakref.finalize(self, self._requests.close)

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes | None:
        number = next(self._numbers)
        answer: SimpleQueue[Any] = SimpleQueue()
        self._waiting[number] = answer
        try:
            self._send((number, key, start, length))
        except (OSError, ValueError) as error:
            raise StoreUnavailable(f"{key}: the process that reads for this one has ended: {error}") from error
        found = answer.get()
        if isinstance(found, Exception):
            raise found
        assert found is None or isinstance(found, bytes)  # noqa: S101
        return found

    def close(self) -> None:
        self._requests.close()
        self._process.wait()

    def _send(self, request: object) -> None:
        with self._lock:
            pickle.dump(request, self._requests)
            self._requests.flush()

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None


def _receive(answers: IO[bytes], waiting: dict[int, SimpleQueue[Any]]) -> None:
    with answers, contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            number, found = pickle.load(answers)  # noqa: S301 - our own process wrote it
            waiting.pop(number).put(found)
    ended = StoreUnavailable("the process that reads for this one has ended")
    for one in list(waiting.values()):
        one.put(ended)


def serve(requests: IO[bytes], answers: IO[bytes], open_uri: Callable[..., Any] = location.open_uri) -> None:
    """What the other process does, until its requests end."""
    lock = threading.Lock()

    def answer(number: int, key: str, start: int, length: int | None) -> None:
        found: bytes | Exception | None
        try:
            found = store.read(key, start, length)
        except StoreError as error:
            found = type(error)(str(error))
        except Exception as error:  # noqa: BLE001 - whoever waits for the answer would wait for ever
            found = StoreRefused(f"{key}: {error!r}")
        with lock, contextlib.suppress(OSError):
            pickle.dump((number, found), answers)
            answers.flush()

    store, _ = open_uri(*pickle.load(requests))  # noqa: S301 - the process that started this one wrote it
    with ThreadPoolExecutor(THREADS) as pool, contextlib.suppress(EOFError):
        while True:
            pool.submit(answer, *pickle.load(requests))  # noqa: S301
