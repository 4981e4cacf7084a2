"""The average is exact, its groups add up to the whole, and a broken chain has none."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles import average
from articles.chain import Totals
from articles.errors import ChainError, UserError
from articles.groups import Group
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from tests.articles.builder import Article, Chain, articles, name
from tests.fakes import FakeClock, MemoryStore

totals = st.builds(Totals, *(st.integers(0, 10**18),) * 3)
groups = st.builds(Group, totals, st.integers(0, 10**6))


@given(st.lists(groups, max_size=6), st.randoms(use_true_random=False))
def test_the_average_does_not_depend_on_order_or_grouping(found: list[Group], random: object) -> None:
    shuffled = sorted(found, key=lambda _: random.random())  # type: ignore[attr-defined]
    half = len(found) // 2
    whole = sum(found, Group())
    assert whole == sum(shuffled, Group()) == sum(found[:half], Group()) + sum(found[half:], Group())
    if whole.totals.good:
        assert whole.fraction == Fraction(sum(one.totals.words for one in found), sum(one.totals.good for one in found))


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),  # shard
            st.sampled_from(["one", "two"]),  # worker
            st.lists(st.none() | st.integers(0, 30), min_size=1, max_size=5),  # words; None: rejected
        ),
        max_size=12,
    )
)
def test_groups_add_up_to_the_whole(steps: list[tuple[int, str, list[int | None]]]) -> None:
    memory, layout = MemoryStore(), Layout("articles")
    chains = [Chain(memory, shard=name(shard)) for shard in range(3)]
    for chain in chains:
        chain.root()
    number = 0
    for shard, worker, contents in steps:
        chain = chains[shard]
        chain.worker = worker
        records = []
        for count in contents:
            number += 1
            records.append(Article(number, None if count is None else "w " * count))
        chain.link(records, page=f"2025-06-{16 + number // 20}")
    found = average.compute(RetryingStore(memory, FakeClock()), layout)
    words = [count for _, _, contents in steps for count in contents if count is not None]
    rejected = sum(contents.count(None) for _, _, contents in steps)
    assert found.total == Group(Totals(len(words), rejected, sum(words)), len(steps))
    assert found.value == (sum(words) / len(words) if words else None)
    for parts in (found.workers, found.shards, found.dates):
        assert sum(parts.values(), Group()) == found.total


def test_only_metadata_is_read(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    root = chain.root()
    chain.link(articles([1, 2]))
    average.compute(store, layout)
    assert memory.effects("read") == [f"read {root} found"]


def test_lost_metadata_does_not_change_the_average(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link([Article(1, "a b"), Article(2, "a"), Article(3, None)])
    before = average.compute(store, layout)
    for key in chain.keys:
        memory.objects[key].attributes.clear()
    assert average.compute(store, layout) == before


def test_strangers_are_left_out_and_told(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link(articles([1, 2]))
    memory.create("articles/data/dt=2025-06-16/copy.avro", memory.objects[chain.keys[0]].body, {})
    found = average.compute(store, layout)
    assert found.total.totals == Totals(2, 0, 6)
    assert found.strangers == ("articles/data/dt=2025-06-16/copy.avro",)


def test_a_missing_link_has_no_average(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    keys = [chain.link(articles([number])) for number in (1, 2, 3)]
    del memory.objects[keys[1]]
    with pytest.raises(ChainError, match=r"is missing.*articles verify") as caught:
        average.compute(store, layout)
    assert keys[1] in str(caught.value)


def test_a_root_that_cannot_be_read_has_no_average(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    memory.objects[chain.root()].body = b"{"
    with pytest.raises(ChainError, match="articles verify"):
        average.compute(store, layout)


def test_an_empty_prefix_is_told_so(store: RetryingStore, layout: Layout) -> None:
    with pytest.raises(UserError, match="no chain has begun"):
        average.compute(store, layout)
    with pytest.raises(UserError, match="of stream 'x'"):
        average.compute(store, layout, Selection(stream="x"))


def test_a_chain_without_records_has_no_value(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link([Article(1, None)])
    found = average.compute(store, layout)
    assert found.value is None
    assert found.fraction is None
    assert found.total.totals.rejected == 1


def test_versions_of_the_enrichment_are_kept_apart(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link(articles([1]))
    chain.enrichment = "word-count-2"
    chain.link(articles([2], "a"))
    found = average.compute(store, layout)
    assert {version: group.value for version, group in found.enrichments.items()} == {
        "word-count-1": 3.0,
        "word-count-2": 1.0,
    }
    assert json.loads(json.dumps(found.total.to_json()))["value"] == 2.0
