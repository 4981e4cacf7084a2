"""`map`, some calls ahead, in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue
from typing import Final, TypeVar

_A = TypeVar("_A")
_B = TypeVar("_B")
_END: Final = object()


def ahead(
    function: Callable[[_A], _B], items: Iterable[_A], threads: int, window: int, first: int | None = None
) -> Iterator[_B]:
    """The results in the order of the items, of which up to `window` are taken before their turn, `first` of them
    before the first result and two more with each one after it; an exception comes in its turn too.

    Threads take items in rotation, through queues of their own: an executor's futures take ten times as long, more than
    what it takes to inflate a block."""
    stopped = threading.Event()
    given: list[SimpleQueue[object]] = [SimpleQueue() for _ in range(threads)]
    done: list[SimpleQueue[tuple[_B | None, BaseException | None]]] = [SimpleQueue() for _ in range(threads)]

    def work(given: SimpleQueue[object], done: SimpleQueue[tuple[_B | None, BaseException | None]]) -> None:
        while (item := given.get()) is not _END and not stopped.is_set():
            try:
                done.put((function(item), None))  # type: ignore[arg-type]
            except BaseException as error:  # noqa: BLE001 - raised in its turn
                done.put((None, error))

    def result(number: int) -> _B:
        found, error = done[number % threads].get()
        if error is not None:
            raise error
        return found  # type: ignore[return-value]

    started = 0
    asked = came = 0
    try:
        for asked, item in enumerate(items, 1):
            if started < threads:
                threading.Thread(target=work, args=(given[started], done[started]), daemon=True).start()
                started += 1
            given[(asked - 1) % threads].put(item)
            if asked - came >= min(window, (first or window) + came):
                yield result(came)
                came += 1
        for number in range(came, asked):
            yield result(number)
    finally:
        stopped.set()
        for queue in given[:started]:
            queue.put(_END)
