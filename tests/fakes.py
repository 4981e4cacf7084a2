"""Fakes of the ports: an object store in memory and a clock that tests turn. Both are fast: simulations run on them."""

from __future__ import annotations

import bisect
import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from articles.errors import ChainError, StoreError, StoreUnavailable
from articles.store import ObjectInfo

T = TypeVar("T")

BEFORE = "before"
AFTER = "after"


@dataclass(frozen=True, slots=True)
class Effect:
    """One call that took effect. `detail`: `created` or `exists`, `found` or `absent`; empty for listings."""

    operation: str
    key: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.operation} {self.key} {self.detail}".rstrip()


@dataclass(slots=True)
class Stored:
    body: bytes
    attributes: dict[str, str] = field(default_factory=dict)


Hook = Callable[[str, str, str], None]
"""Called with (`before` or `after`, operation, key); what it raises, the caller gets. Raised `before`, nothing
has happened; raised `after`, the effect stands and its answer is lost."""


@dataclass(slots=True)
class Failure:
    operation: str
    pattern: str
    when: str
    error: Callable[[], BaseException]
    left: int
    conflict: bool = False


class MemoryStore:
    """One dict of objects. `create` is atomic: of two creators of a key, one is told that it created it.

    `log` holds every effect in order; calls that a hook or a failure stopped beforehand are not in it.
    `objects` may be changed at will by tests that damage a bucket.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.log: list[Effect] = []
        self.hook: Hook | None = None
        self.list_lag: int = 0
        """How many of the newest keys listings do not show yet."""
        self._failures: list[Failure] = []

    # The port

    def create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        if self._before("create", key):
            return False
        if created := key not in self.objects:
            self.objects[key] = Stored(bytes(body), dict(attributes))
        self._after("create", key, "created" if created else "exists")
        return created

    def head(self, key: str) -> ObjectInfo | None:
        self._before("head", key)
        found = self.objects.get(key)
        self._after("head", key, "found" if found else "absent")
        return ObjectInfo(key, len(found.body), dict(found.attributes)) if found else None

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes | None:
        self._before("read", key)
        found = self.objects.get(key)
        self._after("read", key, "found" if found else "absent")
        if found is None:
            return None
        return found.body[start:] if length is None else found.body[start : start + length]

    def read_ranges(self, key: str, starts: Sequence[int], lengths: Sequence[int]) -> Sequence[bytes] | None:
        self._before("read_ranges", key)
        found = self.objects.get(key)
        self._after("read_ranges", key, "found" if found else "absent")
        ranges = zip(starts, lengths, strict=True)
        return [found.body[start : start + length] for start, length in ranges] if found else None

    def list(self, folder: str, after: str = "") -> Iterator[ObjectInfo]:
        self._before("list", folder)
        self._after("list", folder, "")
        prefix = folder.rstrip("/") + "/" if folder else ""
        keys = self._keys()
        for index in range(bisect.bisect_left(keys, max(prefix, after)), len(keys)):
            key = keys[index]
            if not key.startswith(prefix):
                return
            if key > after and (stored := self.objects.get(key)):
                yield ObjectInfo(key, len(stored.body))

    def folders(self, folder: str) -> Sequence[str]:
        self._before("folders", folder)
        self._after("folders", folder, "")
        prefix = folder.rstrip("/") + "/" if folder else ""
        below = (key[len(prefix) :] for key in self._keys() if key.startswith(prefix))
        return list(dict.fromkeys(name.split("/", 1)[0] for name in below if "/" in name))

    # For tests

    def fail(
        self,
        operation: str,
        pattern: str = "*",
        *,
        when: str = BEFORE,
        times: int = 1,
        error: Callable[[], BaseException] = lambda: StoreUnavailable("injected"),
    ) -> None:
        """Raise from the next `times` calls of an operation (`*`: any) on keys that match a shell pattern."""
        self._failures.append(Failure(operation, pattern, when, error, times))

    def conflict(self, pattern: str = "*", times: int = 1) -> None:
        """Answer the next `times` creates as S3 does while another request for the key is under way (409)."""
        self._failures.append(Failure("create", pattern, BEFORE, RuntimeError, times, conflict=True))

    def keys(self, folder: str = "") -> Sequence[str]:
        return [key for key in sorted(self.objects) if key.startswith(folder)]

    def effects(self, *operations: str) -> Sequence[str]:
        """The log as text, of all operations or only of those named."""
        return [str(effect) for effect in self.log if not operations or effect.operation in operations]

    def _keys(self) -> Sequence[str]:
        visible = list(self.objects)
        return sorted(visible[: len(visible) - self.list_lag] if self.list_lag else visible)

    def _before(self, operation: str, key: str) -> bool:
        if self.hook:
            self.hook(BEFORE, operation, key)
        return bool(self._failures) and self._fail(BEFORE, operation, key)

    def _after(self, operation: str, key: str, detail: str) -> None:
        self.log.append(Effect(operation, key, detail))
        if self.hook:
            self.hook(AFTER, operation, key)
        if self._failures:
            self._fail(AFTER, operation, key)

    def _fail(self, when: str, operation: str, key: str) -> bool:
        for failure in self._failures:
            if (
                failure.left > 0
                and failure.when == when
                and failure.operation in (operation, "*")
                and fnmatch.fnmatchcase(key, failure.pattern)
            ):
                failure.left -= 1
                if failure.conflict:
                    return True
                raise failure.error()
        return False


class AtOnce(Generic[T]):
    """In place of a thread: done as it begins. Only errors of the store and of the chain wait to be asked for; what
    kills a process does so at once."""

    def __init__(self, call: Callable[[], T]) -> None:
        self._error: Exception | None = None
        try:
            self._value = call()
        except (StoreError, ChainError) as error:
            self._error = error

    def done(self) -> bool:
        return True

    def result(self, seconds: float | None = None) -> T:
        if self._error is not None:
            raise self._error
        return self._value


class WhenAsked(Generic[T]):
    """In place of a thread that takes its time: begins when its result is asked for, or when `finish` is called."""

    begun: ClassVar[list[WhenAsked[Any]]] = []

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        self._done: AtOnce[T] | None = None
        self.begun.append(self)

    def finish(self) -> None:
        self._done = self._done or AtOnce(self._call)

    def done(self) -> bool:
        return self._done is not None

    def result(self, seconds: float | None = None) -> T:
        self.finish()
        assert self._done
        return self._done.result()


class FakeClock:
    """Stands still unless turned; `sleep` turns it and notes for how long."""

    def __init__(self, wall: float = 1_750_000_000.0) -> None:
        self._wall = wall
        self._monotonic = 1000.0
        self.slept: list[float] = []

    def wall(self) -> float:
        return self._wall

    def monotonic(self) -> float:
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.turn(seconds)

    def turn(self, seconds: float) -> None:
        self._wall += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock, as an operator or NTP would; the monotonic clock does not notice."""
        self._wall += seconds
