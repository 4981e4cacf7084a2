"""The records of a block, each as its bytes and what decides where it goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from articles import avro, schema
from articles.container import decode_long
from articles.encode import encode_article
from articles.errors import ChainError
from articles.export.order import identity
from articles.training.blocks import Block

FIELDS: Final = tuple(field["name"] for field in schema.ARTICLE["fields"])
BY_HAND: Final = 1
"""The version of the schema whose records are copied as they are, without decoding them."""


class Record(NamedTuple):
    """`data` is Avro of today's schema; `identity` that of its article."""

    data: bytes
    identity: bytes
    words: int
    shard_id: str
    sequence_number: str
    sub_sequence_number: int


def records(block: Block) -> Iterator[Record]:
    """Those that are wanted. Raises ChainError for a block that does not hold what it should."""
    kept = None if block.kept is None else set(block.kept)
    try:
        found = _copied(block) if block.version == schema.VERSION == BY_HAND else _encoded(block)
        for number, record in enumerate(found):
            if kept is None or number in kept:
                yield record
    except (IndexError, UnicodeDecodeError, EOFError, ValueError) as error:
        raise ChainError(f"a block of {block.count} records cannot be decoded: {error!r}") from error


def _encoded(block: Block) -> Iterator[Record]:
    for record in avro.decode_articles(block.data, block.count, block.written):
        yield Record(
            encode_article(record),
            identity(record["article_id"]),
            record["word_count"],
            record["shard_id"],
            record["sequence_number"],
            record["sub_sequence_number"],
        )


def _copied(block: Block) -> Iterator[Record]:
    data, at = block.data, 0
    for _ in range(block.count):
        start = at
        size, at = decode_long(data, at)
        article_id = data[at : at + size].decode()
        at += size
        for _ in range(3):  # title, author, publish_date
            at += 1
            if data[at - 1]:
                size, at = decode_long(data, at)
                at += size
        size, at = decode_long(data, at)  # content
        words, at = decode_long(data, at + size)
        size, at = decode_long(data, at)
        shard_id = data[at : at + size].decode()
        size, at = decode_long(data, at + size)
        sequence_number = data[at : at + size].decode()
        sub_sequence_number, at = decode_long(data, at + size)
        at += 1
        if data[at - 1]:  # arrival_timestamp
            _, at = decode_long(data, at)
        at += 1
        if data[at - 1]:  # extra
            size, at = decode_long(data, at)
            at += size
        if at > len(data):
            raise ValueError("its last record is cut short")
        yield Record(data[start:at], identity(article_id), words, shard_id, sequence_number, sub_sequence_number)
    if at != len(data):
        raise ValueError(f"{len(data) - at:,} bytes are left over")
