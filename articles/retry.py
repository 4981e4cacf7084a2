"""The one retry policy in front of the object store.

The client's own retries are off: they would hide that an answer was lost, and turn our own object into "exists".
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from articles.clock import Clock, SystemClock
from articles.errors import StoreUnavailable
from articles.store import ObjectInfo, ObjectStore

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 10.0

_T = TypeVar("_T")


def _ignore(_what: str, _error: StoreUnavailable) -> None:
    """Retries are nobody's business by default."""


class RetryingStore:
    """Calls a store until it answers; after `deadline` seconds of failing calls the last StoreUnavailable is raised.

    `allow` sets one deadline for many calls instead: a callback of the daemon has a bound as a whole.
    """

    def __init__(
        self,
        store: ObjectStore,
        clock: Clock | None = None,
        deadline: float = 60.0,
        on_retry: Callable[[str, StoreUnavailable], None] = _ignore,
    ) -> None:
        self._deadline = deadline
        self._until: float | None = None
        self._store = store
        self._clock = clock or SystemClock()
        self._on_retry = on_retry

    def allow(self, seconds: float) -> None:
        """From now on failing calls are repeated only until this many seconds from now have passed."""
        self._until = self._clock.monotonic() + seconds

    def create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> ObjectInfo | None:
        """None when this call created the object; otherwise what is there, whoever wrote it: also this call itself,
        when the answer was lost.

        A HEAD goes before every body, so that none is sent in vain. "Exists" (412) and "being made" (409) look alike
        to the client, so a HEAD tells them apart too: an object is there, or the same bytes are sent again.
        """

        def attempt() -> ObjectInfo | None:
            there = self._store.head(key)
            if there is not None or self._store.create(key, body, attributes):
                return there
            there = self._store.head(key)
            if there is None:
                raise StoreUnavailable(f"{key}: the store says that it exists, yet it is absent (409)")
            return there

        return self._call(key, attempt)

    def head(self, key: str) -> ObjectInfo | None:
        return self._call(key, lambda: self._store.head(key))

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes | None:
        return self._call(key, lambda: self._store.read(key, start, length))

    def read_ranges(self, key: str, starts: Sequence[int], lengths: Sequence[int]) -> Sequence[bytes] | None:
        return self._call(key, lambda: self._store.read_ranges(key, starts, lengths))

    def folders(self, folder: str) -> Sequence[str]:
        return self._call(folder, lambda: self._store.folders(folder))

    def list(self, folder: str, after: str = "") -> Iterator[ObjectInfo]:
        """When the listing breaks off it goes on behind the last key seen."""
        last = after
        listing = self._store.list(folder, last)

        def step() -> ObjectInfo | None:
            nonlocal listing
            try:
                return next(listing, None)
            except StoreUnavailable:
                listing = self._store.list(folder, last)
                raise

        while (found := self._call(folder, step)) is not None:
            last = found.key
            yield found

    def _call(self, what: str, call: Callable[[], _T]) -> _T:
        until = self._until if self._until is not None else self._clock.monotonic() + self._deadline
        pause = FIRST_PAUSE
        while True:
            try:
                return call()
            except StoreUnavailable as error:
                left = until - self._clock.monotonic()
                if left <= 0:
                    raise
                self._on_retry(what, error)
                self._clock.sleep(min(left, random.uniform(pause / 2, pause)))
                pause = min(pause * 2, LONGEST_PAUSE)
