"""The change that `docs/schema.md` shows fits the code, keeps the promises, and encodes and decodes rightly."""

from __future__ import annotations

import json
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.articles.test_encode import KINDS, records, written
from tests.schema import rules
from tests.schema.sides import ALL, Side
from tests.schema.worked_example import applied

SENTENCES = st.none() | st.integers(0, 2**31 - 1)


def test_a_change_that_no_longer_fits_the_code_is_refused() -> None:
    document = "```diff\n--- a.py\n-x = 1\n+x = 2\n@@\n y\n+z\n```\n"
    assert applied({"a.py": "x = 1\n\ny\n"}, document) == {"a.py": "x = 2\n\ny\nz\n"}
    for source in ("x = 3\ny\n", "x = 1\ny\ny\n"):
        with pytest.raises(ValueError, match=r"a\.py holds"):
            applied({"a.py": source}, document)


def test_the_example_changes_only_what_is_promised(old: Side, new: Side) -> None:
    assert (old.schema.VERSION + 1, old.schema.DEAD_LETTER) == (new.schema.VERSION, new.schema.DEAD_LETTER)
    assert rules.breaches(old.schema.ARTICLE, new.schema.ARTICLE) == []
    assert rules.breaches(new.schema.ARTICLE, old.schema.ARTICLE) == ["sentence_count is gone: removed or renamed"]


@given(data=st.data())
def test_version_2_decodes_both_versions_by_hand_as_by_name(new: Side, old: Side, data: st.DataObject) -> None:
    avro, examine = (new.module(f"articles.{name}") for name in ("avro", "catalog.examine"))
    with mock.patch.dict(KINDS, {"['null', 'int']": SENTENCES}):
        articles = data.draw(st.lists(records(new.schema.ARTICLE), max_size=3))
    encoded = [new.module("articles.encode").encode_article(article) for article in articles]
    assert encoded == [written(new.schema.ARTICLE, article) for article in articles]
    earlier = [{name: article[name] for name in ALL} for article in articles]
    for version, schemas, block, expected in (
        (2, new.schema.ARTICLE, b"".join(encoded), articles),
        (
            1,
            old.schema.ARTICLE,
            b"".join(written(old.schema.ARTICLE, article) for article in earlier),
            [article | {"sentence_count": None} for article in earlier],
        ),
    ):
        said, count = json.dumps(schemas).encode(), len(articles)
        assert list(avro.decode_articles(block, count, said)) == expected
        by_hand, by_name = examine.Columns(), examine.Columns()
        examine.scan(block, count, by_hand, version, b"")
        examine.scan_by_name(block, count, by_name, said)
        assert by_hand == by_name


def test_compiled_code_knows_both_versions(new: Side) -> None:
    opening = new.module("articles.training.opening")
    assert opening.TYPES == {1: "sSSSsnssnNS", 2: "sSSSsnssnNSN"}
