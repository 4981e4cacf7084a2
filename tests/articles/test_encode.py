"""What is encoded by hand is what fastavro writes."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles import schema
from articles.avro import decode_articles, decode_dead_letters
from articles.container import encode_long
from articles.encode import encode_article, encode_dead_letter

TEXT = st.text()
NULLABLE_TEXT = st.none() | TEXT
LONG = st.integers(-(2**63), 2**63 - 1)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "['null', 'string']": NULLABLE_TEXT,
    "bytes": st.binary(),
    "int": st.integers(0, 2**31 - 1),
    "long": st.integers(0, 10**10),
    "['null', {'type': 'long', 'logicalType': 'timestamp-millis'}]": st.none()
    | st.integers(0, 253_402_300_799_999)
    | st.integers(0, 1 << 15),
}


def records(of: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({field["name"]: KINDS[str(field["type"])] for field in of["fields"]})


def written(of: dict[str, Any], record: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    fastavro.schemaless_writer(target, fastavro.parse_schema(of), record)
    return target.getvalue()


@given(records(schema.ARTICLE))
def test_an_article_is_encoded_to_the_bytes_that_fastavro_writes(article: dict[str, Any]) -> None:
    assert encode_article(article) == written(schema.ARTICLE, article)
    assert list(decode_articles(encode_article(article), 1)) == [article]


@given(records(schema.DEAD_LETTER))
def test_a_dead_letter_is_encoded_to_the_bytes_that_fastavro_writes(letter: dict[str, Any]) -> None:
    assert encode_dead_letter(letter) == written(schema.DEAD_LETTER, letter)
    assert list(decode_dead_letters(encode_dead_letter(letter), 1)) == [letter]


@given(LONG)
def test_a_long_is_encoded_to_the_bytes_that_fastavro_writes(value: int) -> None:
    target = io.BytesIO()
    fastavro.schemaless_writer(target, {"type": "long"}, value)
    assert encode_long(value) == target.getvalue()


@pytest.mark.parametrize("name", ["article_id", "title", "content", "sequence_number", "extra"])
@given(article=records(schema.ARTICLE))
def test_what_has_no_utf_8_is_refused(name: str, article: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        encode_article(article | {name: "\ud800"})
