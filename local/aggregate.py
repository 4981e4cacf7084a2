"""A KPL aggregate: many user records in one Kinesis record, as the Kinesis Producer Library packs them.

The format is a magic number, an AggregatedRecord in protobuf, and the MD5 of that
(github.com/awslabs/amazon-kinesis-producer, aggregation-format.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

MAGIC = b"\xf3\x89\x9a\xc2"
PARTITION_KEYS, HASH_KEYS, RECORDS = 1, 2, 3  # the fields of AggregatedRecord
KEY_INDEX, HASH_INDEX, DATA = 1, 2, 3  # and those of a Record in it
HASH_KEYS_IN_ALL = 1 << 128


def aggregate(records: Sequence[tuple[str, bytes]], hash_key: str) -> bytes:
    """Of (partition key, data) pairs. Every one of them carries `hash_key`, the one that the whole is put with: the
    daemon silently drops an aggregate of which a record hashes outside its shard."""
    body = b"".join(_bytes(PARTITION_KEYS, key.encode()) for key, _ in records) + _bytes(HASH_KEYS, hash_key.encode())
    for index, (_, data) in enumerate(records):
        body += _bytes(RECORDS, _number(KEY_INDEX, index) + _number(HASH_INDEX, 0) + _bytes(DATA, data))
    return MAGIC + body + hashlib.md5(body, usedforsecurity=False).digest()


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])
