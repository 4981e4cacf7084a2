"""Generated articles are the same everywhere, look like articles, and hold what a consumer must bear."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from itertools import islice
from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.generator import LEAST_WORDS, MOST_WORDS, article, encode, generate
from local.vocabulary import Topic, vocabulary

FIELDS = {"article_id", "title", "author", "publish_date", "content"}
# Of the first 200 articles of seed 1. A change of the vocabulary changes it; a machine or a Python version must not.
FINGERPRINT = "fb633cb5e0af441f"


def many(count: int = 2000) -> list[dict[str, str | None]]:
    return list(islice(generate(7), count))


def test_the_same_bytes_on_every_machine() -> None:
    digest = hashlib.sha256(b"\n".join(encode(article(1, index)) for index in range(200)))
    assert digest.hexdigest()[:16] == FINGERPRINT


@given(st.integers(), st.integers(0, 10**9))
def test_an_article_depends_on_seed_and_index_alone(seed: int, index: int) -> None:
    made = article(seed, index)
    assert encode(made) == encode(article(seed, index))
    assert FIELDS - {"author"} <= made.keys() <= FIELDS
    assert made["article_id"]
    assert made["content"]
    assert json.loads(encode(made)) == made
    assert "{" not in made["content"] + (made["title"] or "")


def test_generate_counts_through_the_articles_of_a_seed() -> None:
    assert list(islice(generate(3), 5)) == [article(3, index) for index in range(5)]


def test_ids_are_unique_within_a_seed_and_across_seeds() -> None:
    ids = [article(seed, index)["article_id"] for seed in range(4) for index in range(300)]
    assert len(set(ids)) == len(ids)


def test_lengths_spread_as_those_of_articles_do() -> None:
    words = sorted(len((made["content"] or "").split()) for made in many())
    assert 380 < words[1000] < 480, "the median"
    assert words[200] < 260
    assert words[1800] > 700
    assert words[-1] < MOST_WORDS + 100
    # Scripts without spaces have fewer "words"; nothing else is shorter than the shortest article.
    assert sum(count < LEAST_WORDS - 20 for count in words) < 0.03 * len(words)
    sizes = [len(encode(made)) for made in many()]
    assert 2500 < sum(sizes) / len(sizes) < 3500


def test_some_articles_have_no_author_title_or_date() -> None:
    made = many()
    for name, most in (("author", 0.1), ("title", 0.02), ("publish_date", 0.03)):
        absent = sum(one.get(name) is None for one in made)
        assert 0 < absent < most * len(made), name
    assert any("author" not in one for one in made), "not null but missing"


@pytest.mark.parametrize("script", ["CYRILLIC", "GREEK", "CJK", "ARABIC", "DEVANAGARI", "HIRAGANA", "THAI"])
def test_other_scripts_occur(script: str) -> None:
    assert any(unicodedata.name(character, "").startswith(script) for character in set(_text()))


@pytest.mark.parametrize("character", ["“", "’", "—", "\N{NO-BREAK SPACE}", "é", "🎉", "−", "\n\n"])
def test_punctuation_beyond_ascii_occurs(character: str) -> None:
    assert character in _text()


def test_every_template_can_be_filled() -> None:
    known = {"place", "country", "person", "surname", "other", "org", "subject"}
    known |= {"count", "few", "percent", "money", "year", "weekday", "month"}
    words = vocabulary()
    templates = [*words.sentences, *words.quotes, *words.roles]
    for topic in words.topics:
        templates += [text for name in Topic.__slots__ if name != "name" for text in getattr(topic, name)]
    slots = {slot for text in templates for _, slot, _, _ in Formatter().parse(text) if slot}
    assert slots <= known


def _text() -> str:
    return "".join(f"{one.get('title')}{one['content']}" for one in many())
