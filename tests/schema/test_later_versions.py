"""What today's readers make of files of a version that they do not know."""

from __future__ import annotations

from copy import deepcopy

import pytest

from articles import dead_letters, schema, verify
from articles.encode import encode_dead_letter
from articles.retry import RetryingStore
from tests.articles import builder
from tests.articles.bucket import DEEP, Bucket, errors
from tests.consumer.kit import LAYOUT, Bench
from tests.fakes import FakeClock, MemoryStore
from tests.schema.sides import BOTH, WORDS, Side


def test_dead_letters_of_a_later_version_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    later = deepcopy(schema.DEAD_LETTER)
    later["fields"].append({"name": "since", "type": ["null", "long"], "default": None})
    monkeypatch.setattr(schema, "DEAD_LETTER", later)
    monkeypatch.setattr(builder, "encode_dead_letter", lambda letter: encode_dead_letter(letter) + b"\x02\x0e")
    chain = builder.Chain(MemoryStore())
    chain.root()
    chain.link([builder.Article(1, None, payload=b"one"), builder.Article(2, None, payload=b"two")])
    store = RetryingStore(chain.store, FakeClock())
    (file,) = dead_letters.files(store, chain.layout, dead_letters.Wanted())
    assert [letter.payload for letter in file.letters()] == [b"one", b"two"]
    assert verify.verify(store, chain.layout, None, DEEP).ok


@pytest.mark.parametrize(
    "enrichment, found", [(WORDS, {"word_count"}), (BOTH, {"word_count"}), ("word-count-2", set()), ("other-1", set())]
)
def test_words_are_counted_again_where_the_version_says_how(enrichment: str, found: set[str]) -> None:
    bucket = Bucket()
    bucket.first.enrichment = enrichment
    bucket.first.link([builder.Article(16, "two words", word_count=7), builder.Article(17)])
    assert {code for code in errors(bucket.check(DEEP)) if code == "word_count"} == found


def test_a_later_versions_first_and_last_records_are_checked() -> None:
    bucket = Bucket()
    bucket.put(bucket.first, [builder.Article(16), builder.Article(17)], schema=2, first_arrival=5)
    report = bucket.check(DEEP)
    assert (errors(report), "schema_newer" in report.counts) == ({"ends"}, True)


def test_a_schema_that_today_cannot_resolve_is_told_and_left_out(mixed: Bench, old: Side) -> None:
    """What is not promised: a field that today needs is gone."""
    key = mixed.store.keys(LAYOUT.data)[4]
    body = mixed.store.objects[key].body
    mixed.store.objects[key].body = body.replace(b'"name": "word_count"', b'"name": "word_total"')
    assert set(old.verify(mixed).counts) >= {"undecodable"}
    (damaged,) = old.build(mixed).damaged
    assert "not one that this version can read" in damaged.problem


def test_a_header_that_was_damaged_since_costs_its_file_alone(mixed: Bench, old: Side) -> None:
    old.build(mixed)
    key = mixed.store.keys(LAYOUT.data)[4]
    store: MemoryStore = mixed.store
    store.objects[key].body = store.objects[key].body.replace(b'"name": "word_count"', b'"name"= "word_count"')
    dataset = old.dataset(mixed)
    dataset._tolerate = 1
    assert len(list(dataset)) == 17
    ((found, reason),) = dataset.set_aside
    assert (found, "holds no Avro schema" in reason) == (key, True)
