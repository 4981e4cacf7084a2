"""Records and blocks in Avro: the only import of fastavro."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, Any, Final

import fastavro

from articles import schema
from articles.container import encode_long

Avro = dict[str, Any]
_NULL, _SOME = b"\x00", b"\x02"
"""Which branch of `["null", …]` follows."""
_DEAD_LETTER: Final = fastavro.parse_schema(schema.DEAD_LETTER)


def encode_article(record: Avro) -> bytes:
    """Each record by itself, so that one that cannot be encoded spoils no block; raises ValueError or TypeError.

    By hand, field by field, in half of fastavro's time and to the same bytes (`tests/articles/test_avro.py`).
    """
    arrival = record["arrival_timestamp"]
    return b"".join(
        (
            _text(record["article_id"]),
            _nullable_text(record["title"]),
            _nullable_text(record["author"]),
            _nullable_text(record["publish_date"]),
            _text(record["content"]),
            encode_long(record["word_count"]),
            _text(record["shard_id"]),
            _text(record["sequence_number"]),
            encode_long(record["sub_sequence_number"]),
            _NULL if arrival is None else _SOME + encode_long(arrival),
            _nullable_text(record["extra"]),
        )
    )


def encode_dead_letter(record: Avro) -> bytes:
    """As `encode_article`."""
    target = io.BytesIO()
    fastavro.schemaless_writer(target, _DEAD_LETTER, record)
    return target.getvalue()


def decode_articles(block: bytes, count: int) -> Iterator[Avro]:
    """The records of one uncompressed block written by this version; timestamps stay epoch milliseconds."""
    return _decode(_RAW_ARTICLE, block, count)


def decode_dead_letters(block: bytes, count: int) -> Iterator[Avro]:
    """As `decode_articles`, for what was rejected."""
    return _decode(_RAW_DEAD_LETTER, block, count)


def read_container(source: IO[bytes]) -> Iterator[Avro]:
    """The records of an object container file of any of our versions, as any Avro reader sees them."""
    for record in fastavro.reader(source):
        assert isinstance(record, dict)  # noqa: S101 - the top level of our schemas is a record
        yield record


def _text(value: str) -> bytes:
    data = value.encode()
    return encode_long(len(data)) + data


def _nullable_text(value: str | None) -> bytes:
    return _NULL if value is None else _SOME + _text(value)


def _decode(raw: Any, block: bytes, count: int) -> Iterator[Avro]:
    source = io.BytesIO(block)
    for _ in range(count):
        yield _plain(fastavro.schemaless_reader(source, raw, None))


def _plain(record: Any) -> Avro:
    assert isinstance(record, dict)  # noqa: S101
    return record


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _without_logical_types(value) for name, value in node.items() if name != "logicalType"}
    return [_without_logical_types(item) for item in node] if isinstance(node, list) else node


_RAW_ARTICLE: Final = fastavro.parse_schema(_without_logical_types(schema.ARTICLE))
_RAW_DEAD_LETTER: Final = fastavro.parse_schema(_without_logical_types(schema.DEAD_LETTER))
