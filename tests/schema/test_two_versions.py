"""The version of `docs/schema.md`'s example and today's in one prefix: side by side, upgraded, and rolled back."""

from __future__ import annotations

import io
from itertools import islice
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.consumer.kit import LAYOUT, Bench
from tests.schema.sides import ALL, BOTH, WORDS, Side, check, copy, rows, sentences, versions


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
