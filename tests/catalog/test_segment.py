"""Segments and rows are plain Avro; what is scanned by hand is what the library decodes."""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from articles import avro, container, schema
from articles.catalog import segment
from articles.catalog.examine import Columns, scan
from articles.catalog.segment import LINK, ROWS, encode, encoded, numbers
from articles.encode import encode_article
from articles.errors import ChainError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
RECORD = st.fixed_dictionaries(
    {
        "article_id": TEXT,
        **{name: st.none() | TEXT for name in ("title", "author", "publish_date", "extra")},
        "content": TEXT,
        "word_count": st.integers(0, 2**31 - 1),
        "shard_id": TEXT,
        "sequence_number": TEXT,
        "sub_sequence_number": st.integers(0, 2**62),
        "arrival_timestamp": st.none() | st.integers(-(2**62), 2**62),
    }
)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "bytes": st.binary(max_size=64),
    "long": st.integers(-(2**63), 2**63 - 1),
}


def record_of(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {
            field["name"]: KINDS[field["type"]]
            if isinstance(field["type"], str)
            else st.none() | KINDS[field["type"][1]]
            for field in schema["fields"]
        }
    )


@pytest.mark.parametrize("schema", [LINK, ROWS])
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_any_avro_reader_reads_them(schema: dict[str, Any], data: st.DataObject) -> None:
    records = data.draw(st.lists(record_of(schema), max_size=4))
    blocks = list(segment._blocks(encode(schema, record) for record in records))
    file = container.assemble("k", schema, "deflate", {}, blocks)
    assert list(avro.read_container(BytesIO(file))) == records


@given(st.lists(RECORD, max_size=6))
@settings(max_examples=100, deadline=None)
def test_the_rows_of_a_block(records: list[dict[str, Any]]) -> None:
    rows = Columns()
    scan(b"".join(map(encode_article, records)), len(records), rows, schema.VERSION, b"")
    assert rows.words == [record["word_count"] for record in records]
    assert rows.arrivals == [record["arrival_timestamp"] or 0 for record in records]
    hashes = [hashlib.blake2b(record["article_id"].encode(), digest_size=16).digest() for record in records]
    assert bytes(rows.ids) == b"".join(hashes)


@given(st.lists(RECORD, min_size=1, max_size=3), st.data())
@settings(max_examples=60, deadline=None)
def test_a_block_with_other_records_is_refused(records: list[dict[str, Any]], data: st.DataObject) -> None:
    block = b"".join(map(encode_article, records))
    with pytest.raises(ChainError):
        scan(block, len(records) - 1, Columns(), schema.VERSION, b"")
    with pytest.raises(ChainError):
        scan(block, len(records) + 1, Columns(), schema.VERSION, b"")
    cut = data.draw(st.integers(0, len(block) - 1))
    with pytest.raises(ChainError):
        scan(block[:cut], len(records), Columns(), schema.VERSION, b"")


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_numbers_come_back(values: list[int]) -> None:
    assert list(numbers(encoded(values))) == values
    assert encoded(values) == b"".join(value.to_bytes(4, "little") for value in values)
