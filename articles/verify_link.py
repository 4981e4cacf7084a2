"""One link held against itself: header against object metadata, range, sizes, dead letters; with `deep` every record.

Whether it is the right link in its place, the walk says; here its own claims are checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from articles import schema
from articles.chain import Link, State, Summary
from articles.container import Header, framed_size
from articles.errors import ChainError
from articles.keys import Layout
from articles.position import Position
from articles.retry import RetryingStore
from articles.store import ObjectInfo
from articles.tail import read_object_header
from articles.verify_deep import Contents, check_ends, read_articles, read_dead_letters
from articles.verify_report import INFO, Finding, shard_text


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found out about one link. `contents` are its records, good and rejected, when they were read."""

    info: ObjectInfo
    link: Link | None
    findings: tuple[Finding, ...] = ()
    contents: Contents = field(default_factory=Contents)
    problem: str = ""

    @property
    def after(self) -> State | None:
        return self.link.after if self.link else None


class Examiner:
    """Called with a key, from many threads; None when there is no such object."""

    def __init__(self, store: RetryingStore, layout: Layout, *, deep: bool) -> None:
        self._store, self._layout, self._deep = store, layout, deep

    def __call__(self, key: str) -> Examined | None:
        info = self._store.head(key)
        if info is None:
            return None
        try:
            header = read_object_header(self._store, key, info.size)
            link = Link.from_metadata(key, header.metadata)
        except ChainError as error:
            return Examined(info, None, problem=str(error))
        problems = [*claims(self._layout, info, header, link), *_of_metadata(info, link)]
        problems += [*_of_schema(link), *_of_erasures(link)]
        contents = Contents()
        if self._deep:
            problems += read_articles(self._store.read(key) or b"", key, link, contents)
        problems += read_dead_letters(self._store, self._layout, key, link, contents, deep=self._deep)
        if self._deep and all(finding.severity == INFO for finding in problems):
            problems += check_ends(link, contents)
        shard, position = shard_text(link.shard), str(link.before.position)
        placed = (
            replace(finding, shard=shard, position=finding.position or position, key=finding.key or key)
            for finding in problems
        )
        return Examined(info, link, tuple(placed), contents)


def claims(layout: Layout, info: ObjectInfo, header: Header, link: Link) -> Sequence[Finding]:
    """What is wrong with what the header says of its place, its range and the file's size."""
    return [*_of_key(layout, info.key, link), *_of_range(link), *_of_size(info, header, link)]


def _of_key(layout: Layout, key: str, link: Link) -> Sequence[Finding]:
    if link.before.ended or layout.link_key(link.shard, link.before) != key:
        return [Finding("header", f"the header says that the link follows {link.before} of {link.shard}, its key not")]
    return []


def _of_metadata(info: ObjectInfo, link: Link) -> Sequence[Finding]:
    said = Summary.from_attributes(info.attributes)
    if said is None:
        return [Finding("metadata_lost", "the object metadata is gone, as in a copy; the header answers", INFO)]
    # As it stands there: also entries that nobody reads must be right.
    differing = ", ".join(
        f"{name} is {info.attributes.get(name)!r} instead of {value!r}"
        for name, value in link.summary.to_attributes().items()
        if info.attributes.get(name) != value
    )
    if not differing:
        return []
    return [Finding("metadata", f"the object metadata contradicts the header: {differing}")]


def _of_schema(link: Link) -> Sequence[Finding]:
    if link.schema <= schema.VERSION:
        return []
    said = f"schema version {link.schema}, newer than this software ({schema.VERSION}), which reads the fields it knows"
    return [Finding("schema_newer", said, INFO)]


def _of_erasures(link: Link) -> Sequence[Finding]:
    if not link.erasures:
        return []
    left = [erasure.before for erasure in link.erasures[1:]] + [link.totals]
    for erasure, after in zip(link.erasures, left, strict=True):
        gone = erasure.erased
        if min(gone.good, gone.rejected, gone.words) < 0 or erasure.before - gone != after:
            return [Finding("erasures", f"{erasure.before} without the erased {gone} are not {after}")]
    gone = link.original - link.totals
    said = f"{gone.good} records with {gone.words} words, and {gone.rejected} rejected ones, were erased on request"
    return [Finding("erased", said, INFO)]


def _of_range(link: Link) -> Sequence[Finding]:
    totals, original = link.totals, link.original
    problems = []
    if min(totals.good, totals.rejected, totals.words) < 0:
        problems.append("negative counts")
    if original.records == 0:
        moved = link.after.position != link.before.position and not link.jumps
        if link.first or link.last or moved:
            problems.append(f"no records, yet a range up to {link.after.position}")
    elif link.first is None or link.last is None:
        problems.append("records without a range")
    else:
        problems += _of_positions(link, link.first, link.last)
    if sum(count for count, _ in link.blocks) != totals.good:
        problems.append(f"the block index counts {sum(c for c, _ in link.blocks)} records, the header {totals.good}")
    arrivals = (link.first_arrival, link.last_arrival)
    if link.first_arrival is not None and link.last_arrival is not None and link.first_arrival > link.last_arrival:
        problems.append(f"arrivals from {arrivals[0]} to {arrivals[1]}")
    if link.schema < 1:
        problems.append(f"schema version {link.schema}: they count from 1")
    return [Finding("range", problem) for problem in problems]


def _of_positions(link: Link, first: Position, last: Position) -> Sequence[str]:
    problems = []
    if first <= link.before.position:
        problems.append(f"the first record, {first}, is not after {link.before.position}, where the link starts")
    if last != link.after.position:
        problems.append(f"the last record is {last}, the state after {link.after.position}")
    if first > last or (first == last) != (link.original.records == 1):
        problems.append(f"{link.original.records} records from {first} to {last}")
    return problems


def _of_size(info: ObjectInfo, header: Header, link: Link) -> Sequence[Finding]:
    if any(not 0 <= value < 1 << 62 for block in link.blocks for value in block):
        return [Finding("size", "the block index holds impossible numbers")]
    expected = header.size + sum(framed_size(count, size) for count, size in link.blocks)
    if expected == info.size:
        return []
    return [Finding("size", f"the file has {info.size} bytes, by its block index {expected}: it was cut or changed")]
