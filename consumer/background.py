"""Work beside the callbacks of the daemon: a link is created while the next file fills."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from articles.errors import StoreUnavailable

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Work(Protocol[T_co]):
    """Something that was begun."""

    def done(self) -> bool: ...

    def result(self, seconds: float | None = None) -> T_co:
        """Waits for it, `seconds` at most; raises what the work raised, or StoreUnavailable when it is not done."""
        ...


class Background(Protocol):
    def __call__(self, call: Callable[[], T], /) -> Work[T]: ...


class InThread(Generic[T]):
    """Raises nothing by itself. Its thread ends with the process: a link that was not created is created by whoever
    reads its records again."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._thread = threading.Thread(target=self._run, name="background", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._value = self._call()
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            self._error: BaseException | None = error
        else:
            self._error = None

    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self, seconds: float | None = None) -> T:
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise StoreUnavailable("the store has not answered yet")
        if self._error is not None:
            raise self._error
        return self._value
