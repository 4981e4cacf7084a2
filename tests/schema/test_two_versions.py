"""The version of `docs/schema.md`'s example and today's in one prefix: side by side, upgraded, and rolled back."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import islice
from typing import Any
from unittest import mock

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from articles import dead_letters, schema, verify
from articles.encode import encode_dead_letter
from articles.retry import RetryingStore
from tests.articles import builder
from tests.articles.bucket import DEEP, Bucket, errors
from tests.articles.test_encode import KINDS, records, written
from tests.consumer.kit import LAYOUT, Bench, Worker
from tests.fakes import FakeClock, MemoryStore
from tests.schema import rules
from tests.schema.worked_example import Version2, applied

ALL = [field["name"] for field in schema.ARTICLE["fields"]]
WORDS, BOTH = "word-count-1", "word-count-1+sentence-count-1"
SENTENCES = st.none() | st.integers(0, 2**31 - 1)


class Side:
    """What one version makes of a bucket."""

    def __init__(self, module: Callable[[str], Any]) -> None:
        self.module = module
        self.kit = module("tests.consumer.kit")
        self.schema = module("articles.schema")

    def worker(self, bench: Bench, start: str = "TRIM_HORIZON", sub: int = 0, **changed: Any) -> Worker:
        worker: Worker = self.kit.Worker(bench, **changed)
        worker.shard.start(start, sub)
        return worker

    def records(self, *numbers: int) -> list[Any]:
        return [self.kit.record(number, content(number)) for number in numbers]

    def store(self, bench: Bench) -> Any:
        return self.module("articles.retry").RetryingStore(bench.store, FakeClock())

    def verify(self, bench: Bench) -> Any:
        verify = self.module("articles.verify")
        return verify.verify(self.store(bench), self.kit.LAYOUT, None, verify.Checks(deep=True))

    def average(self, bench: Bench) -> Any:
        return self.module("articles.average").compute(self.store(bench), self.kit.LAYOUT)

    def build(self, bench: Bench) -> Any:
        selection = self.module("articles.scan").Selection()
        built = self.module("articles.catalog.build")
        return built.build(self.store(bench), self.kit.LAYOUT, selection, FakeClock()).manifest

    def dataset(self, bench: Bench, **said: Any) -> Any:
        opened = self.store(bench), self.kit.LAYOUT
        with mock.patch.object(self.module("articles.location"), "open_uri", return_value=opened):
            return self.module("articles").ArticleDataset("memory://p", tolerate=0, **said)


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    version = Version2(tmp_path_factory.mktemp("version-2"))
    yield Side(version.module)
    version.close()


@pytest.fixture(scope="module")
def old() -> Side:
    return Side(importlib.import_module)


def content(number: int) -> str:
    return "A sentence. And 第二句。 " * (number % 4) + "the rest"


def sentences(number: int) -> int:
    return 2 * (number % 4)


def copy(bench: Bench) -> Bench:
    made = Bench()
    made.store.objects = deepcopy(bench.store.objects)
    return made


def rows(bench: Bench) -> list[dict[str, Any]]:
    return [row for key in bench.store.keys(LAYOUT.data) for row in bench.rows(key)]


def versions(bench: Bench) -> list[tuple[int, str]]:
    links = [bench.link(key) for key in bench.store.keys(LAYOUT.data)]
    return [(link.schema, link.enrichment) for link in links]


def check(bench: Bench, count: int, old: Side, new: Side) -> None:
    """Every record is stored once, by whichever version, and both versions say so."""
    stored = rows(bench)
    assert [row["sequence_number"] for row in stored] == [str(number) for number in range(1, count + 1)]
    assert [row["content"] for row in stored] == [content(number) for number in range(1, count + 1)]
    assert all(row.get("sentence_count", sentences(n)) == sentences(n) for n, row in enumerate(stored, 1))
    assert old.verify(bench).ok
    assert new.verify(bench).ok
    assert old.average(bench).value == new.average(bench).value


@pytest.fixture
def mixed(old: Side, new: Side) -> Bench:
    """Version 2 took over from version 1, and was rolled back."""
    bench = Bench()
    first = old.worker(bench, file_records=3)
    first.process(*old.records(*range(1, 8)))
    first.shut_down()
    second = new.worker(bench, *lease(first), file_records=3)
    second.process(*new.records(*range(6, 16)))
    second.shut_down()
    third = old.worker(bench, *lease(second), file_records=3)
    third.process(*old.records(*range(14, 21)))
    third.shut_down()
    assert [first.parked, second.parked, third.parked] == [""] * 3
    return bench


def lease(worker: Worker) -> tuple[str, int]:
    sequence, _, sub = worker.lease.written[-1].partition(":")
    return sequence, int(sub)


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
    avro, decode, examine = (new.module(f"articles.{name}") for name in ("avro", "training.decode", "catalog.examine"))
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
        for fields in (decode.COLUMNS, [*ALL, "sentence_count"]):
            assert decode.decode(block, count, fields, version, said) == [
                {name: article[name] for name in fields} for article in expected
            ]
        by_hand, by_name = examine.Columns(), examine.Columns()
        examine.scan(block, count, by_hand, version)
        examine.scan_by_name(block, count, by_name, said)
        assert by_hand == by_name


def test_each_takes_over_from_the_other(mixed: Bench, old: Side, new: Side) -> None:
    assert versions(mixed) == [(1, WORDS)] * 3 + [(2, BOTH)] * 3 + [(1, WORDS)] * 2
    check(mixed, 20, old, new)
    assert ["sentence_count" in row for row in rows(mixed)] == [False] * 7 + [True] * 8 + [False] * 5


def test_verify_of_the_earlier_version_only_notes_the_later_one(mixed: Bench, old: Side, new: Side) -> None:
    assert dict(old.verify(mixed).counts) == {"schema_newer": 3}
    assert dict(new.verify(mixed).counts) == {}


def test_averages_have_a_group_for_each_enrichment(mixed: Bench, old: Side, new: Side) -> None:
    for side in (old, new):
        groups = side.average(mixed).enrichments
        assert {name: group.totals.good for name, group in groups.items()} == {WORDS: 12, BOTH: 8}


def test_snapshots_are_the_same_from_both(mixed: Bench, old: Side, new: Side) -> None:
    made = []
    for side in (old, new):
        bench = copy(mixed)
        manifest = side.build(bench)
        assert manifest.damaged == ()
        made.append({key: stored.body for key, stored in bench.store.objects.items() if "/catalog/" in key})
        snapshot = side.module("articles.catalog").open_snapshot(side.store(bench), side.kit.LAYOUT)
        assert [file.schema for file in snapshot.files()] == [1] * 3 + [2] * 3 + [1] * 2
    assert made[0] == made[1]


@pytest.mark.parametrize("fields", [ALL[:6], ALL, ["sequence_number"]])
@pytest.mark.parametrize("shuffle", [False, True])
def test_training_reads_the_same_from_both(
    mixed: Bench, old: Side, new: Side, fields: list[str], shuffle: bool
) -> None:
    old.build(mixed)
    sequences = [list(side.dataset(mixed, fields=fields, shuffle=shuffle)) for side in (old, new)]
    assert sequences[0] == sequences[1]
    assert len(sequences[0]) == 20
    if not shuffle and fields != ALL:  # whose times are milliseconds here
        assert sequences[0] == [{name: row[name] for name in fields} for row in rows(mixed)]


def test_training_in_version_2_has_its_field_where_it_was_written(mixed: Bench, old: Side, new: Side) -> None:
    old.build(mixed)
    dataset = new.dataset(mixed, fields=["sequence_number", "sentence_count"])
    expected = [None] * 7 + [sentences(number) for number in range(8, 16)] + [None] * 5
    assert [sample["sentence_count"] for sample in dataset] == expected
    assert [dataset[index]["sentence_count"] for index in range(20)] == expected


def test_a_state_goes_from_one_version_to_the_other(mixed: Bench, old: Side, new: Side) -> None:
    old.build(mixed)
    everything = list(old.dataset(mixed, fields=ALL, shuffle=True, seed=3))
    begun = new.dataset(mixed, fields=ALL, shuffle=True, seed=3)
    taken = list(islice(begun, 9))
    resumed = old.dataset(mixed, fields=ALL, shuffle=True, seed=3)
    resumed.load_state_dict(begun.state_dict())
    assert [*taken, *resumed] == everything


def test_a_reader_with_a_schema_of_its_own_reads_both(mixed: Bench, old: Side, new: Side) -> None:
    for side, names in ((old, ALL), (new, [*ALL, "sentence_count"])):
        found: list[Any] = []
        for key in mixed.store.keys(LAYOUT.data):
            found += fastavro.reader(io.BytesIO(mixed.store.objects[key].body), reader_schema=side.schema.ARTICLE)
        assert found == [{name: row.get(name) for name in names} for row in rows(mixed)]


@pytest.mark.parametrize("newer_adopts", [False, True])
def test_a_link_of_the_other_version_that_ends_inside_a_block_is_adopted(
    old: Side, new: Side, newer_adopts: bool
) -> None:
    mine, theirs = (new, old) if newer_adopts else (old, new)
    bench = Bench()
    adopter, other = mine.worker(bench, worker="w1"), theirs.worker(bench, worker="w2")
    other.process(*theirs.records(1, 2, 3))
    adopter.process(*mine.records(*range(1, 30)))
    other.shut_down()
    adopter.shut_down()
    assert [line["event"] for line in adopter.events if line["event"] in ("adopted", "stored")] == ["adopted", "stored"]
    assert [schema for schema, _ in versions(bench)] == ([1, 2] if newer_adopts else [2, 1])
    check(bench, 29, old, new)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    steps=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["deliver", "stop", "old", "new"]), st.integers(1, 5))),
    last=st.booleans(),
)
def test_any_order_of_workers_of_both_versions_stores_every_record_once(
    old: Side, new: Side, steps: list[tuple[int, str, int]], last: bool
) -> None:
    bench, count = Bench(), 20
    sides = {"old": old, "new": new}
    first = old.worker(bench)
    first.process(*old.records(1))  # makes the root, and dies
    slots: list[list[Any]] = [
        [side, side.worker(bench, worker=f"w{n}", file_records=4), 1] for n, side in enumerate((old, new, new))
    ]
    for slot, step, number in steps:
        side, worker, position = slots[slot]
        if step == "deliver":
            after = min(count + 1, position + number)
            worker.process(*side.records(*range(position, after)))
            slots[slot][2] = after
        elif step == "stop":
            worker.shut_down()
        else:
            side = sides[step]
            slots[slot] = [side, side.worker(bench, worker=f"w{slot}", file_records=4), 1]
        assert not worker.parked
    side = new if last else old
    finisher = side.worker(bench, worker="last")
    finisher.process(*side.records(*range(1, count + 1)))
    finisher.shut_down()
    check(bench, count, old, new)


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
