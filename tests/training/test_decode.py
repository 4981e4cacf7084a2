"""The hand-written decoder gives what Avro readers give, and refuses what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles import avro, schema
from articles.encode import encode_article
from articles.errors import ChainError
from articles.training.decode import COLUMNS, decode

nullable = st.one_of(st.none(), st.text(max_size=80))
records = st.fixed_dictionaries(
    {
        "article_id": st.text(max_size=80),
        "title": nullable,
        "author": nullable,
        "publish_date": nullable,
        "content": st.one_of(st.text(max_size=80), st.text(min_size=60, max_size=90).map(lambda text: text * 100)),
        "word_count": st.integers(0, 2**31 - 1),
        "shard_id": st.one_of(st.just("shardId-000000000007"), st.text(max_size=90)),
        "sequence_number": st.one_of(st.just("4" * 56), st.text("0123456789", max_size=56)),
        "sub_sequence_number": st.integers(0, 2**62),
        "arrival_timestamp": st.one_of(st.none(), st.integers(-(2**62), 2**62)),
        "extra": nullable,
    }
)


def as_chosen(record: dict[str, Any], fields: Any) -> dict[str, Any]:
    return {name: record[name] for name in fields}


@given(st.lists(records, max_size=4), st.lists(st.sampled_from(COLUMNS), min_size=1, unique=True))
def test_decodes_what_avro_readers_decode(written: list[dict[str, Any]], fields: list[str]) -> None:
    block = b"".join(map(encode_article, written))
    assert decode(block, len(written)) == [
        as_chosen(record, COLUMNS) for record in avro.decode_articles(block, len(written))
    ]
    assert [list(record.items()) for record in decode(block, len(written), fields)] == [
        list(as_chosen(record, fields).items()) for record in written
    ]


@given(st.lists(records, min_size=1, max_size=3))
def test_every_field_of_the_schema_can_be_chosen(written: list[dict[str, Any]]) -> None:
    names = [field["name"] for field in schema.ARTICLE["fields"]]
    assert decode(b"".join(map(encode_article, written)), len(written), names) == written


@given(st.lists(records, min_size=1, max_size=2), st.data())
def test_a_block_that_is_cut_short_or_goes_on_is_refused(written: list[dict[str, Any]], data: st.DataObject) -> None:
    block = b"".join(map(encode_article, written))
    cut = data.draw(st.integers(0, len(block) - 1))
    fields = data.draw(st.sampled_from([COLUMNS, ("extra",)]))
    for damaged in (block[:cut], block + b"\x00"):
        with pytest.raises(ChainError, match=r"cannot be decoded|left over"):
            decode(damaged, len(written), fields)
