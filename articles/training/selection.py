"""Which records of a snapshot are wanted: by date, without older duplicates, by word count, by a share of all articles.
Pure.

What needs to know each record takes it from the snapshot's rows, not from the files: a digest of its `article_id`, and
its word count.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from articles.catalog import CatalogFile, Rows
from articles.chain import is_date
from articles.errors import UserError
from articles.export.order import bound, split_of
from articles.training.blocks import File

ID: Final = struct.Struct("16s")
AT_ONCE: Final = 250_000
"""Digests compared in one pass over the rows: some 60 MB."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Dates are pages, YYYY-MM-DD, and count with the range, as word counts do. `split` is a part [low, high) of
    [0, 1): an article's place in it follows from its id alone, so parts that do not overlap share no article, in any
    snapshot."""

    since: str | None = None
    until: str | None = None
    deduplicate: bool = False
    min_words: int | None = None
    max_words: int | None = None
    split: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        for day in (self.since, self.until):
            if day is not None and not is_date(day):
                raise UserError(f"{day!r} is no date: YYYY-MM-DD")
        if self.split is not None:
            low, high = self.split
            if not 0 <= low < high <= 1:
                raise UserError(f"split {self.split} is no part of [0, 1): give (low, high), such as (0.0, 0.98)")

    @property
    def needs_rows(self) -> bool:
        return self.deduplicate or self.split is not None or self.min_words is not None or self.max_words is not None

    def to_json(self) -> dict[str, Any]:
        return {
            "since": self.since,
            "until": self.until,
            "deduplicate": self.deduplicate,
            "min_words": self.min_words,
            "max_words": self.max_words,
            "split": list(self.split) if self.split else None,
        }


def choose(files: Iterable[CatalogFile], choice: Choice, rows: Callable[[Sequence[str]], Iterable[Rows]]) -> list[File]:
    """The files that hold wanted records. `rows` gives the rows of the files with these keys, in that order, as often
    as it is called."""
    low, high = choice.since or "", choice.until or "9"
    dated = [file for file in files if low <= file.page <= high]
    if not choice.needs_rows:
        return [File(file) for file in dated]
    keys = [file.key for file in dated]
    older: dict[int, list[int]] = {}
    if choice.deduplicate:
        total = sum(sum(file.counts) for file in dated)
        for number, record in _older(lambda: rows(keys), total):
            older.setdefault(number, []).append(record)
    chosen = []
    for number, (file, row) in enumerate(zip(dated, rows(keys), strict=True)):
        wanted = bytearray(b"\1") * len(row.words)
        for record in older.get(number, ()):
            wanted[record] = 0
        _mark(wanted, row, choice)
        if all(wanted):
            chosen.append(File(file))
        elif any(wanted):
            chosen.append(File(file, array("L", (record for record, is_one in enumerate(wanted) if is_one))))
    return chosen


def _mark(wanted: bytearray, row: Rows, choice: Choice) -> None:
    if choice.min_words is not None or choice.max_words is not None:
        fewest = choice.min_words or 0
        most = choice.max_words if choice.max_words is not None else 1 << 62
        for record, words in enumerate(row.words):
            if not fewest <= words <= most:
                wanted[record] = 0
    if choice.split:
        bounds = [*map(bound, choice.split)]
        for record, (digest,) in enumerate(ID.iter_unpack(row.ids)):
            if split_of(digest, bounds) != 1:
                wanted[record] = 0


def _older(rows: Callable[[], Iterable[Rows]], total: int) -> Iterator[tuple[int, int]]:
    """(file, record) of each record that a newer one with the same id supersedes: one that arrived later or, at the
    same time, lies further down the snapshot. Passes over the rows, each for a part of all digests."""
    passes = -(-total // AT_ONCE)
    for part in range(passes):
        low, high = bound(part / passes), bound((part + 1) / passes)
        newest: dict[bytes, tuple[int, int, int]] = {}
        for number, row in enumerate(rows()):
            for record, (digest,) in enumerate(ID.iter_unpack(row.ids)):
                if low <= digest < high:
                    this = row.arrivals[record], number, record
                    other = newest.setdefault(digest, this)
                    if other is not this:
                        newest[digest] = max(this, other)
                        yield min(this, other)[1:]
