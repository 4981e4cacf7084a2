"""What is read is put as it is; what the producer expects of it agrees with what the consumer makes of it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from articles.errors import UserError
from consumer.decode import Rejected, decode
from local.source import RECORD_BYTES, from_file, generated, outgoing, parse

texts = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
names = st.sampled_from(["article_id", "content", "title", "author", "publish_date", "section"])
articles = st.fixed_dictionaries(
    {"article_id": texts | values, "content": texts | values}, optional={"title": texts | values, "tags": values}
)


@given(
    st.binary(max_size=60) | (articles | st.dictionaries(names, values) | values).map(lambda v: json.dumps(v).encode())
)
@example(b'{"article_id":"a","content":"b","content":"b"}')
@example(b'{"article_id":"a","content":"\\ud800"}')
@example(b'{"article_id":"a","content":"b","x":1e999}')
@example(b'{"article_id":"a","content":"b","x":NaN}')
@example(b'{"article_id":"a","content":""}')
@example(b'\xef\xbb\xbf{"article_id":"a","content":"b"}')
@example(b'{"article_id":"a","content":"b","title":0}')
@example(b'{"article_id":"a","content":" \\u00a0\\u2028"}')
def test_producer_and_consumer_agree_on_what_is_an_article_and_on_its_words(data: bytes) -> None:
    made = decode(data)
    expected = outgoing(1, data)
    if isinstance(made, Rejected):
        assert expected.words is None, made
    else:
        assert expected.words == len(made.content.decode().split())
        assert expected.article_id == made.article_id


def test_generated_articles_are_valid_and_keyed_by_their_id() -> None:
    for record, _ in zip(generated(5), range(100), strict=False):
        assert record.key == record.article_id
        assert record.words


def test_lines_are_taken_as_they_are_and_blank_ones_left_out(tmp_path: Path) -> None:
    file = tmp_path / "in.jsonl"
    file.write_bytes(b'{"article_id":"a","content":"b c"}\r\n\n  \nnot json\n{"x":1}')
    records = list(from_file(str(file)))
    assert [(record.line, record.data) for record in records] == [
        (1, b'{"article_id":"a","content":"b c"}'),
        (4, b"not json"),
        (5, b'{"x":1}'),
    ]
    assert [record.words for record in records] == [2, None, None]


def test_gzip_is_recognised_by_its_content(tmp_path: Path) -> None:
    file = tmp_path / "no-suffix"
    file.write_bytes(gzip.compress(b'{"article_id":"a","content":"b"}\n') + gzip.compress(b"second member\n"))
    assert [record.data for record in from_file(str(file))] == [b'{"article_id":"a","content":"b"}', b"second member"]


def test_a_gzip_file_cut_short_is_told(tmp_path: Path) -> None:
    file = tmp_path / "cut.gz"
    file.write_bytes(gzip.compress(b"x\n" * 100_000)[:-20])
    with pytest.raises(UserError, match=r"cannot read .*cut\.gz"):
        list(from_file(str(file)))


def test_a_line_over_the_limit_is_named_after_those_before_it(tmp_path: Path) -> None:
    file = tmp_path / "long.jsonl"
    file.write_bytes(b"first\n" + b"x" * RECORD_BYTES + b"\n")
    source = from_file(str(file))
    assert next(source).data == b"first"
    with pytest.raises(UserError, match=r"line 2 of .*long\.jsonl"):
        next(source)


def test_the_largest_record_passes(tmp_path: Path) -> None:
    file = tmp_path / "large.jsonl"
    empty = json.dumps({"article_id": "a", "content": ""}).encode()
    content = "x" * (RECORD_BYTES - len(empty) - 1)
    file.write_text(json.dumps({"article_id": "a", "content": content}) + "\n")
    (record,) = from_file(str(file))
    assert record.size == RECORD_BYTES


def test_an_absent_file_is_told() -> None:
    with pytest.raises(UserError, match=r"cannot read nowhere\.jsonl: No such file"):
        list(from_file("nowhere.jsonl"))


def test_a_partition_key_never_exceeds_what_kinesis_takes() -> None:
    record = outgoing(1, json.dumps({"article_id": "i" * 300, "content": "c"}).encode())
    assert len(record.key) <= 256
    assert record.article_id == "i" * 300


def test_deep_nesting_is_no_article() -> None:
    assert parse(b"[" * 100_000) is None
