"""Find out about one link what the catalogue holds: from its header alone, or from the whole file, which is held
against the header's digest and counts then."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final

from articles.budget import Budget
from articles.catalog.segment import CatalogLink, encoded
from articles.chain import Link, State, Summary
from articles.container import Header, decode_long, decompress, digest, read_blocks, read_header
from articles.errors import ChainError
from articles.export.order import identity
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.store import ObjectInfo
from articles.tail import read_object_header
from articles.verify_link import claims

ID_BYTES: Final = 16
BY_HAND: Final = (1,)
"""Versions of the schema whose records `scan` knows itself."""
MEMORY: Final = 256 << 20
"""Bytes of files that are in memory at a time; a larger one is alone."""


@dataclass(frozen=True, slots=True)
class Examined:
    """`summary` is what counts, as for an average: the object metadata, or the header where a copy lost them. Without
    `entry` a reader cannot use the file, and `problem` says why."""

    info: ObjectInfo
    summary: Summary | None
    link: Link | None = None
    entry: CatalogLink | None = None
    problem: str = ""

    @property
    def after(self) -> State | None:
        return self.summary.after if self.summary else None


class Examiner:
    """Called with a key, from many threads; None when there is no such object."""

    def __init__(self, store: RetryingStore, layout: Layout, *, whole: bool) -> None:
        self._store, self._layout, self._whole = store, layout, whole
        self._memory = Budget(MEMORY)

    def __call__(self, key: str) -> Examined | None:
        info = self._store.head(key)
        if info is None:
            return None
        with self._memory.hold(info.size if self._whole else 0):
            return self._examine(info)

    def _examine(self, info: ObjectInfo) -> Examined:
        summary = Summary.from_attributes(info.attributes)
        link = None
        try:
            data = self._read(info.key) if self._whole else b""
            header = read_header(data) if data else read_object_header(self._store, info.key, info.size)
            link = Link.from_metadata(info.key, header.metadata)
            summary = summary or link.summary
            wrong = [finding.message for finding in claims(self._layout, info, header, link)]
            if wrong:
                raise ChainError("; ".join(wrong))
            return Examined(info, summary, link, self._entry(info, header, link, data))
        except (ChainError, OverflowError) as error:
            return Examined(info, summary, link, problem=str(error))

    def _read(self, key: str) -> bytes:
        data = self._store.read(key)
        if data is None:
            raise ChainError("it was there and is gone; links are never deleted")
        return data

    def _entry(self, info: ObjectInfo, header: Header, link: Link, data: bytes) -> CatalogLink:
        if not self._whole:
            return CatalogLink(self._record(info, header, link, ()))
        blocks = list(read_blocks(data, header))
        if digest(blocks) != link.digest:
            raise ChainError("its blocks are not those whose digest its header holds: they were changed")
        rows = Columns()
        for block in blocks:
            plain = decompress(header.codec, block.data)
            scan(plain, block.count, rows, link.schema, header.metadata.get("avro.schema", b""))
        if (len(rows.words), sum(rows.words)) != (link.totals.good, link.totals.words):
            said = f"{link.totals.good} with {link.totals.words}"
            raise ChainError(f"it holds {len(rows.words)} records with {sum(rows.words)} words, its header says {said}")
        crcs = [zlib.crc32(block.data) for block in blocks]
        return CatalogLink(self._record(info, header, link, crcs), rows.encoded())

    def _record(self, info: ObjectInfo, header: Header, link: Link, crcs: Sequence[int]) -> dict[str, Any]:
        parsed = self._layout.parse_link(info.key)
        return {
            "key": self._layout.inside(info.key),
            "codec": header.codec,
            "page": parsed.page if parsed else "",
            "stream": link.shard.stream,
            "shard": link.shard.shard,
            "before": str(link.before),
            "after": str(link.after),
            "worker": link.worker,
            "digest": link.digest,
            "enrichment": link.enrichment,
            "software": link.software,
            "first": None if link.first is None else str(link.first),
            "last": None if link.last is None else str(link.last),
            "first_arrival": link.first_arrival,
            "last_arrival": link.last_arrival,
            "size": info.size,
            "header": header.size,
            "created": link.shard.created,
            "good": link.totals.good,
            "rejected": link.totals.rejected,
            "words": link.totals.words,
            "schema": link.schema,
            "sync": header.sync,
            "counts": encoded(count for count, _ in link.blocks),
            "sizes": encoded(size for _, size in link.blocks),
            "crcs": encoded(crcs),
        }


@dataclass(slots=True)
class Columns:
    """Of the rows, while they are read."""

    ids: bytearray = field(default_factory=bytearray)
    words: list[int] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)

    def encoded(self) -> dict[str, bytes]:
        return {"ids": bytes(self.ids), "words": encoded(self.words), "arrivals": encoded(self.arrivals, "q")}


def scan(data: bytes, count: int, rows: Columns, version: int, written: bytes) -> None:
    """Append what the rows hold of each record of an uncompressed block, by its schema's version, and the schema in the
    file's header. Raises ChainError when they are not `count` records."""
    if version in BY_HAND:
        scan_by_hand(data, count, rows)
    else:
        scan_by_name(data, count, rows, written)


def scan_by_hand(data: bytes, count: int, rows: Columns) -> None:
    """As `scan`: decoding the texts between takes many times as long."""
    at = 0
    try:
        for _ in range(count):
            size, at = decode_long(data, at)
            rows.ids += blake2b(data[at : at + size], digest_size=ID_BYTES).digest()
            at += size
            for _ in range(3):  # title, author, publish_date
                at += 1
                if data[at - 1]:
                    size, at = decode_long(data, at)
                    at += size
            size, at = decode_long(data, at)  # content
            number, at = decode_long(data, at + size)
            rows.words.append(number)
            for _ in range(2):  # shard_id, sequence_number
                size, at = decode_long(data, at)
                at += size
            _, at = decode_long(data, at)
            at += 1
            arrival = 0
            if data[at - 1]:  # arrival_timestamp
                arrival, at = decode_long(data, at)
            rows.arrivals.append(arrival)
            at += 1
            if data[at - 1]:  # extra
                size, at = decode_long(data, at)
                at += size
    except IndexError as error:
        raise ChainError(f"a block ends inside one of its {count} records") from error
    if at != len(data):
        raise ChainError(f"a block of {count} records has {len(data)} bytes, they take {at}")


def scan_by_name(data: bytes, count: int, rows: Columns, written: bytes) -> None:
    """As `scan`, for any version, by Avro's rules."""
    from articles.avro import decode_articles  # rarely needed, and slow to load

    try:
        for record in decode_articles(data, count, written):
            rows.ids += identity(record["article_id"])
            rows.words.append(record["word_count"])
            rows.arrivals.append(record["arrival_timestamp"] or 0)
    except (IndexError, EOFError, ValueError) as error:
        raise ChainError(f"a block of {count} records cannot be decoded: {error!r}") from error
