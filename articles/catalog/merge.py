"""Many small builds leave many small segments, each of them two requests for every reader: they are written again as
one. The small ones stay, for the snapshots that name them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from articles.catalog.segment import CatalogLink, Segment, SegmentWriter, read_rows, read_segment
from articles.keys import Layout
from articles.retry import RetryingStore

SMALL_SEGMENTS: Final = 32


def merged(store: RetryingStore, layout: Layout, segments: Sequence[Segment], *, rows: bool) -> tuple[Segment, ...]:
    """Those segments, in the order of their first keys; when many are small, these as few full ones."""
    small = [one for one in segments if one.small]
    if len(small) > SMALL_SEGMENTS:
        writer = SegmentWriter(store, layout, rows)
        for segment in small:
            for link in _links(store, layout, segment, rows=rows):
                writer.add(link)
        writer.finish()
        segments = [*(one for one in segments if not one.small), *writer.segments]
    return tuple(sorted(segments, key=lambda one: (one.first, one.name)))


def _links(store: RetryingStore, layout: Layout, segment: Segment, *, rows: bool) -> Iterator[CatalogLink]:
    found = read_rows(store, layout, segment) if rows else iter(())
    for record in read_segment(store, layout, segment):
        row = next(found) if rows and record["good"] else None
        yield CatalogLink(record, row and {name: value for name, value in row.items() if name != "key"})
