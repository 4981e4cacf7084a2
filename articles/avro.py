"""Blocks and files of Avro, read: the only import of fastavro."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any, Final

import fastavro

from articles import schema
from articles.errors import ChainError

Avro = dict[str, Any]


def decode_articles(block: bytes, count: int) -> Iterator[Avro]:
    """The records of one uncompressed block written by this version; timestamps stay epoch milliseconds. Raises
    ChainError for bytes behind them, and what fastavro raises for bytes that are none."""
    return _decode(_RAW_ARTICLE, block, count)


def decode_dead_letters(block: bytes, count: int) -> Iterator[Avro]:
    """As `decode_articles`, for what was rejected."""
    return _decode(_RAW_DEAD_LETTER, block, count)


def read_container(source: IO[bytes]) -> Iterator[Avro]:
    """The records of an object container file of any of our versions, as any Avro reader sees them."""
    for record in fastavro.reader(source):
        assert isinstance(record, dict)  # noqa: S101 - the top level of our schemas is a record
        yield record


def _decode(raw: Any, block: bytes, count: int) -> Iterator[Avro]:
    source = io.BytesIO(block)
    for _ in range(count):
        yield _plain(fastavro.schemaless_reader(source, raw, None))
    if left := len(block) - source.tell():
        raise ChainError(f"{left:,} bytes are left over behind {count} records")


def _plain(record: Any) -> Avro:
    assert isinstance(record, dict)  # noqa: S101
    return record


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _without_logical_types(value) for name, value in node.items() if name != "logicalType"}
    return [_without_logical_types(item) for item in node] if isinstance(node, list) else node


_RAW_ARTICLE: Final = fastavro.parse_schema(_without_logical_types(schema.ARTICLE))
_RAW_DEAD_LETTER: Final = fastavro.parse_schema(_without_logical_types(schema.DEAD_LETTER))
