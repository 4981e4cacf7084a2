"""Our encoder of articles writes what fastavro's writes."""

from __future__ import annotations

import io
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles import schema
from articles.avro import decode_articles, encode_article
from articles.container import encode_long

TEXT = st.text()
NULLABLE_TEXT = st.none() | TEXT
LONG = st.integers(-(2**63), 2**63 - 1)
KINDS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "['null', 'string']": NULLABLE_TEXT,
    "int": st.integers(0, 2**31 - 1),
    "long": st.integers(0, 10**10),
    "['null', {'type': 'long', 'logicalType': 'timestamp-millis'}]": st.none() | st.integers(0, 253_402_300_799_999),
}
ARTICLES = st.fixed_dictionaries({field["name"]: KINDS[str(field["type"])] for field in schema.ARTICLE["fields"]})
PARSED = fastavro.parse_schema(schema.ARTICLE)


@given(ARTICLES)
def test_an_article_is_encoded_to_the_bytes_that_fastavro_writes(article: dict[str, Any]) -> None:
    target = io.BytesIO()
    fastavro.schemaless_writer(target, PARSED, article)
    assert encode_article(article) == target.getvalue()
    assert list(decode_articles(encode_article(article), 1)) == [article]


@given(LONG)
def test_a_long_is_encoded_to_the_bytes_that_fastavro_writes(value: int) -> None:
    target = io.BytesIO()
    fastavro.schemaless_writer(target, {"type": "long"}, value)
    assert encode_long(value) == target.getvalue()


def test_what_has_no_utf_8_is_refused() -> None:
    article = {field["name"]: None for field in schema.ARTICLE["fields"]}
    with pytest.raises(ValueError, match="surrogates"):
        encode_article(article | {"article_id": "\ud800"})
