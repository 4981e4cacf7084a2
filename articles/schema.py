"""The Avro schemas. Every later version must read all older files; old files are never rewritten."""

from __future__ import annotations

from typing import Any, Final

VERSION: Final = 1

_NULLABLE_STRING: Final = ["null", "string"]
_NULLABLE_TIME: Final = ["null", {"type": "long", "logicalType": "timestamp-millis"}]


def _nullable(name: str, kind: list[Any], doc: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "default": None, "doc": doc}


ARTICLE: Final[dict[str, Any]] = {
    "type": "record",
    "name": "Article",
    "namespace": "articles",
    "doc": "A news article as its producer sent it, its word count, and where in the stream it came from.",
    "fields": [
        {"name": "article_id", "type": "string"},
        _nullable("title", _NULLABLE_STRING, "As sent."),
        _nullable("author", _NULLABLE_STRING, "As sent."),
        _nullable("publish_date", _NULLABLE_STRING, "As sent; its format is the producer's."),
        {"name": "content", "type": "string"},
        {
            "name": "word_count",
            "type": "int",
            "doc": "Runs of characters between Unicode whitespace in content.",
        },
        {"name": "shard_id", "type": "string"},
        {"name": "sequence_number", "type": "string", "doc": "As delivered."},
        {
            "name": "sub_sequence_number",
            "type": "long",
            "doc": "Place inside a KPL-aggregated record, else 0.",
        },
        _nullable("arrival_timestamp", _NULLABLE_TIME, "When Kinesis took the record, approximately."),
        _nullable("extra", _NULLABLE_STRING, "A JSON object of the fields this schema does not know."),
    ],
}

FIELDS: Final = {1: 11}
"""How many of these fields each released version has: a later one only adds some at the end."""

DEAD_LETTER: Final[dict[str, Any]] = {
    "type": "record",
    "name": "DeadLetter",
    "namespace": "articles",
    "doc": "A record that is not a valid article: its bytes as delivered, and why it was set aside.",
    "fields": [
        {"name": "reason", "type": "string", "doc": "One of a small set of codes."},
        {"name": "detail", "type": "string"},
        {"name": "payload", "type": "bytes"},
        _nullable("partition_key", _NULLABLE_STRING, "As sent."),
        {"name": "shard_id", "type": "string"},
        {"name": "sequence_number", "type": "string"},
        {"name": "sub_sequence_number", "type": "long"},
        _nullable("arrival_timestamp", _NULLABLE_TIME, "When Kinesis took the record, approximately."),
    ],
}
