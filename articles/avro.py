"""Blocks and files of Avro, read: the only import of fastavro."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import IO, Any, Final

import fastavro
from fastavro.read import SchemaResolutionError
from fastavro.schema import SchemaParseException

from articles import schema
from articles.errors import ChainError

Avro = dict[str, Any]


def decode_articles(block: bytes, count: int, written: bytes | None = None) -> Iterator[Avro]:
    """The records of one uncompressed block, with the fields of today's schema; timestamps stay epoch milliseconds.

    `written` is the schema in the file's header, None where that is today's: fields that it lacks have their defaults,
    fields that today's lacks are passed over. Raises ChainError for a schema that does not fit today's and for bytes
    behind the records, and what fastavro raises for bytes that are none."""
    return _decode(_RAW_ARTICLE, block, count, written)


def decode_dead_letters(block: bytes, count: int, written: bytes | None = None) -> Iterator[Avro]:
    """As `decode_articles`, for what was rejected."""
    return _decode(_RAW_DEAD_LETTER, block, count, written)


def pieces(block: bytes, count: int, written: bytes) -> Iterator[tuple[Avro, bytes]]:
    """Each record of one uncompressed block with the fields of the schema in the file's header, whichever that is, and
    the bytes that it takes there. Raises ChainError for bytes behind them, and what fastavro raises for bytes that are
    none."""
    writer, source = _parsed(written), io.BytesIO(block)
    for _ in range(count):
        start = source.tell()
        record = _plain(fastavro.schemaless_reader(source, writer, None))
        yield record, block[start : source.tell()]
    _check_end(source, block, count)


def read_container(source: IO[bytes]) -> Iterator[Avro]:
    """The records of an object container file of any of our versions, as any Avro reader sees them."""
    for record in fastavro.reader(source):
        assert isinstance(record, dict)  # noqa: S101 - the top level of our schemas is a record
        yield record


def _decode(today: Any, block: bytes, count: int, written: bytes | None) -> Iterator[Avro]:
    writer = today if written is None else _parsed(written)
    reader = None if writer == today else today
    source = io.BytesIO(block)
    for _ in range(count):
        try:
            yield _plain(fastavro.schemaless_reader(source, writer, reader))
        except SchemaResolutionError as error:
            raise ChainError(f"the file's schema is not one that this version can read: {error}") from error
    _check_end(source, block, count)


def _check_end(source: IO[bytes], block: bytes, count: int) -> None:
    if left := len(block) - source.tell():
        raise ChainError(f"{left:,} bytes are left over behind {count} records")


def _plain(record: Any) -> Avro:
    assert isinstance(record, dict)  # noqa: S101
    return record


@lru_cache(8)
def _parsed(written: bytes) -> Any:
    try:
        return fastavro.parse_schema(_without_logical_types(json.loads(written)))
    except (ValueError, SchemaParseException) as error:
        raise ChainError(f"the file's header holds no Avro schema: {error!r}") from error


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _without_logical_types(value) for name, value in node.items() if name != "logicalType"}
    return [_without_logical_types(item) for item in node] if isinstance(node, list) else node


_RAW_ARTICLE: Final = fastavro.parse_schema(_without_logical_types(schema.ARTICLE))
_RAW_DEAD_LETTER: Final = fastavro.parse_schema(_without_logical_types(schema.DEAD_LETTER))
