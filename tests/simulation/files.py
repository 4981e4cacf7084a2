"""Container files, read by another hand than the one that wrote them, and quickly."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import fastavro

from articles import schema
from articles.container import decompress


def _plain(node: Any) -> Any:
    """A schema without logical types: timestamps stay epoch milliseconds."""
    if isinstance(node, dict):
        return {name: _plain(value) for name, value in node.items() if name != "logicalType"}
    return [_plain(item) for item in node] if isinstance(node, list) else node


_FIXED: Final = {"type": "fixed", "name": "Sync", "size": 16}
_HEADER: Final = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Header",
        "fields": [
            {"name": "magic", "type": {"type": "fixed", "name": "Magic", "size": 4}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
            {"name": "sync", "type": _FIXED},
        ],
    }
)
_BLOCK: Final = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Block",
        "fields": [
            {"name": "count", "type": "long"},
            {"name": "data", "type": "bytes"},
            {"name": "sync", "type": _FIXED},
        ],
    }
)
_ARTICLE: Final = fastavro.parse_schema(_plain(schema.ARTICLE))
_DEAD_LETTER: Final = fastavro.parse_schema(_plain(schema.DEAD_LETTER))
_read: Final = fastavro.schemaless_reader


@dataclass(frozen=True, slots=True)
class File:
    """`said` are the header's own entries, `blocks` (records, bytes) of each, `digest` what they hash to."""

    said: Mapping[str, str]
    records: list[dict[str, Any]]
    blocks: list[tuple[int, int]]
    digest: str


def articles(key: str, body: bytes) -> File:
    return _file(key, body, _ARTICLE)


def dead_letters(key: str, body: bytes) -> File:
    return _file(key, body, _DEAD_LETTER)


def _file(key: str, body: bytes, kind: Any) -> File:
    source = io.BytesIO(body)
    header: Any = _read(source, _HEADER, None)
    meta, sync = header["meta"], header["sync"]
    assert header["magic"] == b"Obj\x01"
    assert sync == hashlib.sha256(key.encode()).digest()[:16]
    codec = meta["avro.codec"].decode()
    said = {name[9:]: value.decode() for name, value in meta.items() if name.startswith("articles.")}
    records: list[Any] = []
    blocks: list[tuple[int, int]] = []
    digest = hashlib.sha256()
    while source.tell() < len(body):
        begin = source.tell()
        block: Any = _read(source, _BLOCK, None)
        assert block["sync"] == sync
        count, data = block["count"], block["data"]
        digest.update(body[begin : source.tell() - 16])
        blocks.append((count, len(data)))
        inner = io.BytesIO(zlib.decompress(data, -15) if codec == "deflate" else decompress(codec, data))
        records += [_read(inner, kind, None) for _ in range(count)]
        assert not inner.read(1)
    return File(said, records, blocks, digest.hexdigest())
