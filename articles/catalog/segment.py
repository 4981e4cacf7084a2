"""What a build found out about links, in files that never change: a segment, one Avro record a link, and its rows, one
a link with records. They are named by the bytes of both, so what a builder finds there is what it would write."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

from articles.container import BLOCK_BYTES, Block, assemble, compress, digest, encode_long, read_blocks, read_header
from articles.errors import ChainError
from articles.keys import Layout
from articles.retry import RetryingStore

LINKS: Final = 10_000
RECORDS: Final = 1 << 19
"""A segment is full with so many links, or with so many records (10 MB of rows)."""
_CODEC: Final = "deflate"

_DOCS: Final = {
    "key": "Below the prefix.",
    "size": "Bytes of the file.",
    "header": "Bytes before the first block.",
    "sync": "The file's sync marker.",
    "counts": "Records of each block, 4 bytes little endian each.",
    "sizes": "Compressed bytes of each block's data, likewise.",
    "crcs": "CRC-32 of each block's compressed data, likewise; empty where only headers were read.",
    "ids": "BLAKE2b-128 of each record's article_id in UTF-8, 16 bytes each, in the file's order.",
    "arrivals": "When Kinesis took each record, epoch milliseconds, 8 bytes little endian; 0 where that is not known.",
}


def _schema(name: str, doc: str, kinds: Mapping[str, str]) -> dict[str, Any]:
    fields = []
    for kind, names in kinds.items():
        for field_name in names.split():
            said = {"doc": _DOCS[field_name]} if field_name in _DOCS else {}
            fields.append({"name": field_name, "type": ["null", kind[:-1]] if kind[-1] == "?" else kind, **said})
    return {"type": "record", "name": name, "namespace": "articles", "doc": doc, "fields": fields}


LINK: Final = _schema(
    "CatalogLink",
    "A link of a shard's chain, as its header says; positions and arrivals as there.",
    {
        "string": "key codec page stream shard before after worker digest enrichment software",
        "string?": "first last",
        "long?": "first_arrival last_arrival",
        "long": "size header created good rejected words schema",
        "bytes": "sync counts sizes crcs",
    },
)
ROWS: Final = _schema(
    "CatalogRows",
    "The records of a link: which article, how many words (4 bytes little endian each), and when it came.",
    {"string": "key", "bytes": "ids words arrivals"},
)


@dataclass(frozen=True, slots=True)
class CatalogLink:
    """A link, as its record in a segment says, and the columns of its rows; None where only headers were read."""

    record: Mapping[str, Any]
    rows: Mapping[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """As a manifest names it. `links` counts all, also those without records; `digest` and `rows_digest` are of the
    blocks, `rows_digest` is empty where there are no rows; `first` and `last` are keys below the prefix."""

    name: str
    links: int
    records: int
    words: int
    bytes: int
    digest: str
    rows_digest: str
    first: str
    last: str

    @property
    def small(self) -> bool:
        return self.links < LINKS // 2 and self.records < RECORDS // 2


@dataclass(slots=True)
class SegmentWriter:
    """Takes links in any order; segments are stored as they fill, each in the order of keys."""

    store: RetryingStore
    layout: Layout
    rows: bool
    segments: list[Segment] = field(default_factory=list)
    _links: list[tuple[str, bytes, bytes]] = field(default_factory=list)
    _records: int = 0
    _words: int = 0
    _bytes: int = 0

    def add(self, link: CatalogLink) -> None:
        said = link.record
        rows = b""
        if link.rows is not None and said["good"]:
            rows = encode(ROWS, {"key": said["key"], **link.rows})
        self._links.append((said["key"], encode(LINK, said), rows))
        self._records += said["good"]
        self._words += said["words"]
        self._bytes += said["size"]
        if len(self._links) >= LINKS or self._records >= RECORDS:
            self.finish()

    def finish(self) -> None:
        """Store what is left."""
        if not self._links:
            return
        links = sorted(self._links)
        blocks = list(_blocks(record for _, record, _ in links))
        rows = list(_blocks(record for _, _, record in links if record))
        digests = digest(blocks), digest(rows) if self.rows else ""
        # Of both: a compressor need not make the same bytes of the same records, and a rival's may be another one.
        name = hashlib.sha256("".join(digests).encode()).hexdigest()[:32]
        for key, schema, held in (
            (self.layout.segment_key(name), LINK, blocks),
            (self.layout.rows_key(name), ROWS, rows),
        ):
            if schema is LINK or self.rows:
                self.store.create(key, assemble(key, schema, _CODEC, {}, held), {})
        sums = self._records, self._words, self._bytes
        self.segments.append(Segment(name, len(links), *sums, *digests, links[0][0], links[-1][0]))
        self._links, self._records, self._words, self._bytes = [], 0, 0, 0


def read_segment(
    store: RetryingStore, layout: Layout, segment: Segment, data: bytes | None = None
) -> Iterator[dict[str, Any]]:
    """The records of `LINK`, in the order of keys; `data` is the file where that has been read. Raises ChainError when
    the file is not the one that was written."""
    key = layout.segment_key(segment.name)
    return _records(_checked(key, data or store.read(key), segment.digest))


def read_rows(store: RetryingStore, layout: Layout, segment: Segment) -> Iterator[dict[str, Any]]:
    """The records of `ROWS`, in the order of keys; raises ChainError likewise."""
    key = layout.rows_key(segment.name)
    return _records(_checked(key, store.read(key), segment.rows_digest))


def numbers(data: bytes, kind: str = "I") -> array[int]:
    """Little endian, 4 bytes each, or 8 with the kind `q`."""
    found = array(kind, data)
    if sys.byteorder == "big":
        found.byteswap()
    return found


def encoded(values: Iterable[int], kind: str = "I") -> bytes:
    found = array(kind, values)
    if sys.byteorder == "big":
        found.byteswap()
    return found.tobytes()


def encode(schema: Mapping[str, Any], record: Mapping[str, Any]) -> bytes:
    """One record of a schema of strings, bytes, longs and nullable ones."""
    parts = []
    for column in schema["fields"]:
        kind, value = column["type"], record[column["name"]]
        if isinstance(kind, list):
            parts.append(b"\x00" if value is None else b"\x02")
            if value is None:
                continue
        if isinstance(value, int):
            parts.append(encode_long(value))
            continue
        data = value.encode() if isinstance(value, str) else value
        parts += [encode_long(len(data)), data]
    return b"".join(parts)


def _checked(key: str, data: bytes | None, expected: str) -> bytes:
    if data is None:
        raise ChainError(f"{key}, which a snapshot needs, is gone; nothing below catalog/ may be deleted by hand")
    try:
        found = digest(read_blocks(data, read_header(data)))
    except ChainError as error:
        raise ChainError(f"{key}: {error}") from error
    if found != expected:
        raise ChainError(f"{key} is not the file that its snapshot names: it was changed")
    return data


def _records(data: bytes) -> Iterator[dict[str, Any]]:
    from articles.avro import read_container  # manifests are read without it

    return read_container(BytesIO(data))


def _blocks(records: Iterable[bytes]) -> Iterator[Block]:
    held: list[bytes] = []
    size = 0
    for record in records:
        held.append(record)
        size += len(record)
        if size >= BLOCK_BYTES:
            yield _block(held)
            held, size = [], 0
    if held:
        yield _block(held)


def _block(records: Sequence[bytes]) -> Block:
    return Block(len(records), compress(_CODEC, b"".join(records)))
