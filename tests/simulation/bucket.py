"""The object store: one dict. Everything that is written is shown to the checks, also what replaces something."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Final

from articles.store import ObjectInfo

CREATED: Final = {"p/cha": "create root", "p/dat": "create link", "p/dea": "create dead letter"}
STEPS: Final = [
    f"{when} {what}"
    for when, what in product(
        ("before", "after"), (*CREATED.values(), "head", "read", "list", "folders", "checkpoint", "shard end")
    )
]
"""Every step of I/O at which a worker may be struck."""

Put = tuple[str, bytes, Mapping[str, str]]
"""A request that creates: key, body, attributes."""

Step = Callable[[str, Put | None], bool]
Written = Callable[[str, bytes, Mapping[str, str], bool], None]
"""Called with key, body, attributes, and whether it replaced an object."""


class Bucket:
    """The port `ObjectStore`. `step` is called before and after each call with its name, and with what a create sends;
    what it raises, the caller gets: before, nothing has happened, after, the effect stands and its answer is lost. When
    it returns True before a create, the answer is "exists" although nothing does, as S3's 409 looks."""

    def __init__(self, step: Step, written: Written) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.hidden = 0
        """How many of the newest keys listings do not show yet."""
        self._step = step
        self._written = written

    def write(self, key: str, body: bytes, attributes: Mapping[str, str]) -> None:
        replaced = key in self.objects
        self.objects[key] = (bytes(body), dict(attributes))
        self._written(key, body, attributes, replaced)

    def create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        what = CREATED[key[:5]]
        if self._step(f"before {what}", (key, body, attributes)):
            return False
        created = self.land((key, body, attributes))
        self._step(f"after {what}", None)
        return created

    def land(self, put: Put) -> bool:
        """What S3 does when the request has reached it: now, or when its sender has long gone."""
        created = put[0] not in self.objects
        if created:
            self.write(*put)
        return created

    def head(self, key: str) -> ObjectInfo | None:
        self._step("before head", None)
        found = self.objects.get(key)
        self._step("after head", None)
        return ObjectInfo(key, len(found[0]), found[1]) if found else None

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes | None:
        self._step("before read", None)
        found = self.objects.get(key)
        self._step("after read", None)
        return found[0][start : None if length is None else start + length] if found else None

    def read_ranges(self, key: str, starts: Sequence[int], lengths: Sequence[int]) -> Sequence[bytes] | None:
        found = self.read(key)
        return [found[start : start + length] for start, length in zip(starts, lengths, strict=True)] if found else None

    def list(self, folder: str, after: str = "") -> Iterator[ObjectInfo]:
        self._step("before list", None)
        keys = self._keys(f"{folder}/")
        self._step("after list", None)
        for key in keys[bisect_left(keys, after) :]:
            if key > after:
                yield ObjectInfo(key, len(self.objects[key][0]))

    def folders(self, folder: str) -> Sequence[str]:
        self._step("before folders", None)
        start = len(folder) + 1
        names = {key[start:].split("/", 1)[0] for key in self._keys(f"{folder}/")}
        self._step("after folders", None)
        return sorted(names)

    def _keys(self, prefix: str) -> Sequence[str]:
        keys = list(self.objects)
        return sorted(key for key in keys[: len(keys) - self.hidden] if key.startswith(prefix))
