"""Records are copied as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles import schema
from articles.encode import encode_article
from articles.errors import ChainError
from articles.export import records as module
from articles.export.order import identity
from articles.export.records import records
from articles.training.blocks import Block

texts = st.text(st.characters(codec="utf-8"), max_size=200)
articles = st.fixed_dictionaries(
    {
        "article_id": texts,
        "title": st.none() | texts,
        "author": st.none() | texts,
        "publish_date": st.none() | texts,
        "content": texts,
        "word_count": st.integers(0, 2**31 - 1),
        "shard_id": texts,
        "sequence_number": texts,
        "sub_sequence_number": st.integers(0, 2**62),
        "arrival_timestamp": st.none() | st.integers(0, 2**50),
        "extra": st.none() | texts,
    }
)


@given(st.lists(articles, max_size=5), st.data())
def test_each_wanted_record_comes_out_byte_by_byte(made: list[dict[str, object]], data: st.DataObject) -> None:
    kept = data.draw(st.none() | st.lists(st.integers(0, max(0, len(made) - 1)), unique=True).map(sorted))
    encoded = [encode_article(article) for article in made]
    block = Block(b"".join(encoded), len(made), kept, schema.VERSION, None)
    wanted = [n for n in range(len(made)) if kept is None or n in kept]
    expected = [
        (
            encoded[n],
            identity(str(made[n]["article_id"])),
            made[n]["word_count"],
            made[n]["shard_id"],
            made[n]["sequence_number"],
            made[n]["sub_sequence_number"],
        )
        for n in wanted
    ]
    assert [tuple(record) for record in records(block)] == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BY_HAND", 0)  # as files of another version
        assert [tuple(record) for record in records(block)] == expected


@given(st.lists(articles, min_size=1, max_size=3), st.integers(1, 50))
def test_what_is_cut_short_or_too_long_is_damage(made: list[dict[str, object]], cut: int) -> None:
    data = b"".join(encode_article(article) for article in made)
    for wrong in (data[: -min(cut, len(data))], data + b"\0" * cut):
        with pytest.raises(ChainError, match="cannot be decoded"):
            [*records(Block(wrong, len(made), None, schema.VERSION, None))]
