"""Records to Avro, by hand, field by field in the order of the schema: in half of the time of fastavro,
to the same bytes, and without what loading it costs each child. `tests/articles/test_encode.py` holds the two
against each other.

Each record is encoded by itself, so that one that cannot be encoded spoils no block. Raises ValueError for text that
has no UTF-8.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from articles.container import encode_long

_count = lru_cache(1 << 13)(encode_long)
"""For sizes and counts, most of which come again: half of the time of encoding a record went into them."""

_NULL, _SOME = b"\x00", b"\x02"
"""Which branch of `["null", …]` follows."""


def encode_article(record: dict[str, Any]) -> bytes:
    return b"".join(
        (
            _text(record["article_id"]),
            _nullable_text(record["title"]),
            _nullable_text(record["author"]),
            _nullable_text(record["publish_date"]),
            _text(record["content"]),
            _count(record["word_count"]),
            _text(record["shard_id"]),
            _text(record["sequence_number"]),
            _count(record["sub_sequence_number"]),
            _nullable_long(record["arrival_timestamp"]),
            _nullable_text(record["extra"]),
        )
    )


def encode_dead_letter(record: dict[str, Any]) -> bytes:
    return b"".join(
        (
            _text(record["reason"]),
            _text(record["detail"]),
            _bytes(record["payload"]),
            _nullable_text(record["partition_key"]),
            _text(record["shard_id"]),
            _text(record["sequence_number"]),
            _count(record["sub_sequence_number"]),
            _nullable_long(record["arrival_timestamp"]),
        )
    )


def _bytes(data: bytes) -> bytes:
    return _count(len(data)) + data


def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _nullable_text(value: str | None) -> bytes:
    return _NULL if value is None else _SOME + _text(value)


def _nullable_long(value: int | None) -> bytes:
    return _NULL if value is None else _SOME + encode_long(value)
