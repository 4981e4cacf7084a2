"""A snapshot as readers use it: its files, in the order of their keys, and their records' ids and words."""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from operator import attrgetter
from sys import intern
from typing import Any, Final

from articles.catalog import manifest
from articles.catalog.manifest import Manifest, Totals
from articles.catalog.segment import Segment, numbers, read_rows, read_segment
from articles.errors import UserError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import many

WORKERS: Final = 8
WINDOW: Final = 16
EARLY: Final = 4
"""Where there are no more segments they are read beside the manifest, not after it: one answer less to wait for."""
ROWS_WORKERS: Final = 2
ROWS_WINDOW: Final = 3
"""Of those, whole files wait in memory."""


@dataclass(frozen=True, slots=True)
class CatalogFile:
    """A file with records. `header` is how many bytes lie before the first block; `counts`, `sizes` (compressed data
    without framing) and `crcs` (of that data) hold a number for each block; `crcs` is empty where only headers were
    read. `words` is the sum. `schema` is the version of the schema."""

    key: str
    size: int
    header: int
    codec: str
    sync: bytes
    page: str
    counts: array[int]
    sizes: array[int]
    crcs: array[int]
    words: int
    schema: int


@dataclass(frozen=True, slots=True)
class Rows:
    """A file's records, in its order: `ids` holds BLAKE2b-128 of each article_id, 16 bytes each; `arrivals` are epoch
    milliseconds, 0 where that is not known."""

    key: str
    ids: bytes
    words: array[int]
    arrivals: array[int]


class Snapshot:
    """`read` holds segments that have been read already, by their key."""

    def __init__(
        self, store: RetryingStore, layout: Layout, found: Manifest, read: Mapping[str, bytes | None] | None = None
    ) -> None:
        self._store, self._layout = store, layout
        self._read = read or {}
        self.manifest = found

    @property
    def number(self) -> int:
        return self.manifest.number

    @property
    def totals(self) -> Totals:
        """Of all files that a reader gets, and of links without records."""
        return self.manifest.totals

    @property
    def watermark(self) -> str | None:
        """The last complete day, as far as the bucket knows; None before there is one."""
        return self.manifest.complete

    @property
    def damaged(self) -> list[tuple[str, str]]:
        """What is kept out of `files`: key and problem."""
        return [(self._layout.whole(one.key), one.problem) for one in self.manifest.damaged]

    def files(self) -> list[CatalogFile]:
        """All files with records that are not damaged, in the order of keys: the same links give the same order,
        whatever builds they came from."""

        def read(segment: Segment) -> list[CatalogFile]:
            data = self._read.get(self._layout.segment_key(segment.name))
            found = read_segment(self._store, self._layout, segment, data)
            return [_file(self._layout, record) for record in found if record["good"]]

        parts = list(many(read, self.manifest.segments, WORKERS, WINDOW))
        return sorted((file for part in parts for file in part), key=attrgetter("key"))

    def rows(self, keys: Collection[str]) -> Iterator[Rows]:
        """The rows of those files, in the order of keys, a few segments at a time. Raises UserError for a snapshot
        without."""
        if not self.manifest.rows:
            raise UserError(
                f"snapshot {self.number} was built from headers only, it does not know the files' records: run "
                "`articles catalog build` and take the snapshot that it makes"
            )
        wanted = {self._layout.inside(key) for key in keys}
        segments = sorted((one for one in self.manifest.segments if one.records), key=attrgetter("first"))
        opened = many(self._open_rows, segments, ROWS_WORKERS, ROWS_WINDOW)
        waiting: list[tuple[str, int, Any, Iterator[Any]]] = []
        for number, segment in enumerate(segments):
            # A segment is opened when the files before its first one are done.
            yield from self._take(waiting, wanted, segment.first)
            _push(waiting, number, next(opened))
        yield from self._take(waiting, wanted, None)

    def _take(
        self, waiting: list[tuple[str, int, Any, Iterator[Any]]], wanted: Collection[str], until: str | None
    ) -> Iterator[Rows]:
        while waiting and (until is None or waiting[0][0] < until):
            key, number, record, rest = heapq.heappop(waiting)
            _push(waiting, number, rest)
            if key in wanted:
                words, arrivals = numbers(record["words"]), numbers(record["arrivals"], "q")
                yield Rows(self._layout.whole(key), record["ids"], words, arrivals)

    def _open_rows(self, segment: Segment) -> Iterator[dict[str, Any]]:
        return read_rows(self._store, self._layout, segment)


def open_snapshot(store: RetryingStore, layout: Layout, number: int | None = None) -> Snapshot:
    """That snapshot, or the newest. Raises UserError when there is none."""
    keys: Sequence[str] = ()
    if number is None:
        number, keys = manifest.newest_and_segments(store, layout, EARLY)
        if number is None:
            raise UserError(f"there is no snapshot under {layout.prefix!r} yet: run `articles catalog build`")
    with ThreadPoolExecutor(1 + EARLY) as pool:
        early = {key: pool.submit(store.read, key) for key in keys}
        found = manifest.load(store, layout, number)
        return Snapshot(store, layout, found, {key: one.result() for key, one in early.items()})


def _push(waiting: list[tuple[str, int, Any, Iterator[Any]]], number: int, rest: Iterator[Any]) -> None:
    record = next(rest, None)
    if record is not None:
        heapq.heappush(waiting, (record["key"], number, record, rest))


def _file(layout: Layout, record: dict[str, Any]) -> CatalogFile:
    return CatalogFile(
        layout.whole(record["key"]),
        record["size"],
        record["header"],
        intern(record["codec"]),
        record["sync"],
        intern(record["page"]),
        numbers(record["counts"]),
        numbers(record["sizes"]),
        numbers(record["crcs"]),
        record["words"],
        record["schema"],
    )
