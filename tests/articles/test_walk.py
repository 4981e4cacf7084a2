"""Every chain is followed from its root, over one listing, also while writers run."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.chain import END, State
from articles.errors import StoreRefused
from articles.keys import Layout
from articles.position import ZERO, Position
from articles.retry import RetryingStore
from articles.scan import LinkObject, Selection, links, look, many
from articles.walk import OffLine, OnLine, Walk, Why
from tests.articles.builder import PAGE, Chain, articles, name
from tests.fakes import BEFORE, FakeClock, MemoryStore


def walked(
    store: RetryingStore, layout: Layout, selection: Selection | None = None
) -> tuple[list[str], list[tuple[Why, str]]]:
    """Keys on the line, and what is off it."""
    walk = Walk(store, layout, selection or Selection(), lambda key: look(store, key))
    steps: list[OnLine[LinkObject] | OffLine] = list(walk)
    on = [step.key for step in steps if isinstance(step, OnLine)]
    return on, [(step.why, step.key) for step in steps if isinstance(step, OffLine)]


@given(st.integers(0, 2**32))
def test_any_set_of_whole_chains_is_followed_to_the_end(seed: int) -> None:
    random_ = random.Random(seed)
    memory, expected = MemoryStore(), []
    for shard in range(random_.randint(1, 4)):
        chain = Chain(memory, shard=name(shard, random_.choice(["a", "a-b", "b"])))
        chain.root()
        number = 0
        for _ in range(random_.randint(0, 6)):
            taken = random_.randint(0, 3)
            day = int(chain.state.page[-2:]) + random_.choice([0, 0, 1])
            if not taken and str(day) == chain.state.page[-2:]:
                continue
            chain.link(articles(range(number + 1, number + 1 + taken)), page=f"2025-06-{day}")
            number += taken
        if random_.random() < 0.3:
            chain.end()
        expected += chain.keys
    on, off = walked(RetryingStore(memory, FakeClock()), Layout("articles"))
    assert (on, off) == (sorted(expected), [])


def test_each_kind_of_object_off_the_line_is_told_apart(
    store: RetryingStore, layout: Layout, memory: MemoryStore
) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link(articles([1, 5]))
    chain.link(articles([9]))
    fork = Chain(memory, state=State(Position.of("3"), PAGE))
    fork.link(articles([4]))
    gone = chain.link(articles([12]))
    beyond = [chain.link(articles([15])), chain.link(articles([16]))]
    del memory.objects[gone]
    rootless = Chain(memory, shard=name(7))
    rootless.link(articles([1]))
    stranger = f"articles/data/dt={PAGE}/part-0000.avro"
    memory.create(stranger, b"x", {})
    on, off = walked(store, layout)
    assert on == chain.keys[:2]
    assert sorted(off, key=lambda one: one[1]) == sorted(
        [
            (Why.FORK, fork.keys[0]),
            *((Why.BREAK, key) for key in beyond),
            (Why.ROOTLESS, rootless.keys[0]),
            (Why.STRANGER, stranger),
        ],
        key=lambda one: one[1],
    )


def test_what_cannot_be_read_breaks_the_chain_there(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    keys = [chain.link(articles([number])) for number in (1, 2, 3)]
    memory.objects[keys[1]].attributes.clear()
    memory.objects[keys[1]].body = b"nonsense"
    on, off = walked(store, layout)
    assert on == keys[:1]
    assert off == [(Why.UNREADABLE, keys[1]), (Why.BREAK, keys[2])]


def test_a_link_behind_the_end_is_a_fork(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link(articles([1]))
    chain.end()
    beyond = Chain(memory, state=State(Position.of("4"), PAGE))
    beyond.link(articles([5]))
    on, off = walked(store, layout)
    assert on == chain.keys
    assert off == [(Why.FORK, beyond.keys[0])]


def test_links_that_appear_behind_the_listing_are_no_break(
    store: RetryingStore, layout: Layout, memory: MemoryStore
) -> None:
    """A writer adds a link where the listing has passed, then one where it has not come yet."""
    busy, last = Chain(memory, shard=name(0)), Chain(memory, shard=name(1))
    for chain in (busy, last):
        chain.root()
        chain.link(articles([1]))
    added: list[str] = []

    def write(when: str, operation: str, key: str) -> None:
        if operation == "head" and when == BEFORE and key == last.keys[0] and not added:
            added.append(busy.link(articles([2])))
            added.append(busy.link(articles([3]), page="2025-06-17"))
            added.append(busy.link(articles([4])))

    memory.hook = write
    on, off = walked(store, layout)
    assert set(on) == {*busy.keys, *last.keys}
    assert off == []


def test_a_root_younger_than_the_listing_of_roots_is_found(
    store: RetryingStore, layout: Layout, memory: MemoryStore
) -> None:
    first, late = Chain(memory, shard=name(0)), Chain(memory, shard=name(1))
    first.root()
    first.link(articles([1]))
    walk = Walk(store, layout, Selection(), lambda key: look(store, key))
    late.root()
    late.link(articles([1]))
    steps = list(walk)
    assert [step.key for step in steps if isinstance(step, OnLine)] == [*first.keys, *late.keys]


def test_a_selection_leaves_the_others_out(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chains = [
        Chain(memory, shard=name(0)),
        Chain(memory, shard=name(0, "Other")),
        Chain(memory, shard=name(0, created=5)),
    ]
    for chain in chains:
        chain.root()
        chain.link(articles([1]))
    assert walked(store, layout, Selection(stream="Other")) == (chains[1].keys, [])
    assert walked(store, layout, Selection(stream="MyStream", created=5)) == (chains[2].keys, [])
    found = [link.info.key for _, link in links(store, layout, Selection(stream="MyStream"))]
    assert found == sorted([*chains[0].keys, *chains[2].keys])


def test_nothing_follows_a_chain_that_ended(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.end()
    walk = Walk(store, layout, Selection(), lambda key: look(store, key))
    list(walk)
    line = walk.lines[name(0)]
    assert line.state == State(ZERO, END)
    assert line.objects == 1


@given(st.lists(st.integers(), max_size=60), st.integers(1, 8), st.integers(1, 10))
def test_many_keeps_the_order(items: list[int], workers: int, window: int) -> None:
    assert list(many(lambda item: item * 2, items, workers, window)) == [item * 2 for item in items]


def test_many_does_not_run_ahead_without_bound() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = many(abs, endless(), 2, 5)
    assert [next(results) for _ in range(3)] == [1, 2, 3]
    assert taken <= 8


def test_an_error_in_many_comes_out(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link(articles([1]))
    memory.fail("head", error=lambda: StoreRefused("denied"))
    with pytest.raises(StoreRefused, match="denied"):
        walked(store, layout)
