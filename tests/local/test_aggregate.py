"""Aggregates are what Amazon's own library unpacks."""

from __future__ import annotations

import hashlib

from aws_kinesis_agg.aggregator import messages_pb2
from hypothesis import given
from hypothesis import strategies as st

from local.aggregate import MAGIC, aggregate

Packed = list[tuple[str, bytes]]


@given(st.lists(st.tuples(st.text(min_size=1, max_size=40), st.binary(max_size=400)), min_size=1, max_size=30))
def test_it_is_unpacked_to_what_was_packed(records: Packed) -> None:
    data = aggregate(records, "12345")
    magic, body, digest = data[:4], data[4:-16], data[-16:]
    assert magic == MAGIC
    assert digest == hashlib.md5(body).digest()
    found = messages_pb2.AggregatedRecord()
    found.ParseFromString(body)
    keys, hash_keys = found.partition_key_table, found.explicit_hash_key_table
    assert [(keys[one.partition_key_index], one.data) for one in found.records] == records
    assert {hash_keys[one.explicit_hash_key_index] for one in found.records} == {"12345"}
