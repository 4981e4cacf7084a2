"""Held against what was put: nothing lost, nothing repeated, the same average."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles import tail
from articles.chain import State, Totals
from articles.errors import UserError
from articles.keys import Layout
from articles.position import Position
from articles.retry import RetryingStore
from articles.verify import Checks, verify
from articles.verify_ledger import Ledger
from articles.verify_report import Report
from tests.articles.builder import Article, Chain, name
from tests.fakes import FakeClock, MemoryStore

SHARD = name(0).shard
RECORDS = [Article(1), Article(2, None), Article(4, "a b"), Article(4, "c", sub=1), Article(9, "d e f g")]


def ledger_of(records: Iterable[Article]) -> Ledger:
    ledger = Ledger()
    for record in records:
        ledger.add(SHARD, record.position, record.words)
    return ledger


def held(memory: MemoryStore, ledger: Ledger) -> Report:
    return verify(RetryingStore(memory, FakeClock()), Layout("articles"), None, Checks(ledger=ledger))


@pytest.fixture
def stored(memory: MemoryStore) -> MemoryStore:
    chain = Chain(memory)
    chain.root()
    chain.link(RECORDS[:3])
    chain.link(RECORDS[3:])
    return memory


def test_what_was_put_is_stored_once(stored: MemoryStore) -> None:
    report = held(stored, ledger_of(RECORDS))
    assert report.findings == ()
    assert any(name.startswith("1:") for name in report.checked)


@pytest.mark.parametrize("lost", [Article(3), Article(10), Article(4, sub=2), Article(11, None)])
def test_what_is_not_stored_is_lost(stored: MemoryStore, lost: Article) -> None:
    report = held(stored, ledger_of([*RECORDS, lost]))
    (finding,) = [finding for finding in report.findings if finding.code == "lost"]
    assert Position.parse(finding.position) == lost.position
    assert finding.shard == SHARD
    assert ("average" in report.counts) == (lost.words is not None)


def test_a_deleted_last_link_is_seen(stored: MemoryStore) -> None:
    del stored.objects[stored.keys("articles/data")[-1]]
    report = held(stored, ledger_of(RECORDS))
    assert report.counts == {"lost": 2, "average": 1}


def test_deleted_dead_letters_are_lost(stored: MemoryStore) -> None:
    del stored.objects[stored.keys("articles/dead-letter")[0]]
    assert held(stored, ledger_of(RECORDS)).counts == {"dead_letter_missing": 1, "lost": 1}


def test_what_is_stored_twice_is_named(stored: MemoryStore) -> None:
    """As no worker can write it: a link that holds once more what the one before it held."""
    found = tail.find(RetryingStore(stored), Layout("articles"), name(0))
    assert found is not None
    again = Chain(stored, shard=name(0), state=found.state)
    again.link(RECORDS[2:], after=State(Position.of("1000"), found.state.page))
    report = held(stored, ledger_of(RECORDS))
    assert report.counts["repeated"] == 3
    assert {"repeated", "average", "range"} <= set(report.counts)


def test_what_the_ledger_does_not_know_is_told_and_not_an_error(stored: MemoryStore) -> None:
    report = held(stored, ledger_of(RECORDS[:-2]))
    assert report.ok
    assert report.counts == {"unknown": 2}


def test_a_record_judged_otherwise_is_an_error(stored: MemoryStore) -> None:
    changed = [Article(1, None), Article(2, "a"), *RECORDS[2:]]
    report = held(stored, ledger_of(changed))
    assert report.counts["judged"] == 2
    assert not report.ok


def test_other_words_are_an_error(stored: MemoryStore) -> None:
    changed = [Article(1, word_count=4), *RECORDS[1:]]
    assert held(stored, ledger_of(changed)).counts == {"words": 1, "average": 1}


def test_headers_that_lie_give_another_average(memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link(RECORDS, totals=Totals(4, 1, 11))
    assert held(memory, ledger_of(RECORDS)).counts == {"totals": 1, "average": 1}


@given(st.lists(st.tuples(st.integers(1, 3), st.none() | st.integers(0, 9)), min_size=1, max_size=20), st.data())
def test_any_cut_of_the_same_records_holds(steps: list[tuple[int, int | None]], data: st.DataObject) -> None:
    memory, records, number = MemoryStore(), [], 0
    for step, words in steps:
        number += step
        records.append(Article(number, None if words is None else "w " * words))
    chain = Chain(memory)
    chain.root()
    start = 0
    while start < len(records):
        end = data.draw(st.integers(start + 1, len(records)))
        chain.link(records[start:end])
        start = end
    assert held(memory, ledger_of(records)).findings == ()


def entry(**changed: object) -> str:
    said: dict[str, object] = {"shard": SHARD, "sequence_number": "007", "sub_sequence_number": 0, "words": 3}
    return json.dumps(said | {"article_id": "x"} | changed)


def test_a_ledger_is_read_from_a_file(tmp_path: Path, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link([Article(7), Article(8, None)])
    path = tmp_path / "ledger.jsonl"
    path.write_text(f"{entry()}\n\n{entry(sequence_number='8', words=None)}\n")
    assert held(memory, Ledger.load(path)).findings == ()


@pytest.mark.parametrize(
    "line",
    ["x", "{}", "[]", "7", entry(sequence_number="x"), entry(sequence_number=7), entry(words=-1), entry(words="3")],
)
def test_a_line_that_is_no_entry_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(f"{entry()}\n{line}\n")
    with pytest.raises(UserError, match="line 2"):
        Ledger.load(path)


def test_a_record_twice_in_the_ledger_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(f"{entry()}\n{entry(sequence_number='7')}\n")
    with pytest.raises(UserError, match="twice"):
        Ledger.load(path)


def test_a_ledger_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        Ledger.load(tmp_path / "none")
