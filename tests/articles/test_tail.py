"""The end of a chain is found from the newest page, and walked to by HEAD."""

from __future__ import annotations

import dataclasses

import pytest

from articles import container, schema, tail
from articles.chain import END, State
from articles.errors import ChainError
from articles.keys import Layout
from articles.position import ZERO, Position
from articles.retry import RetryingStore
from tests.articles.builder import PAGE, Article, Chain, articles, name
from tests.fakes import MemoryStore


def test_without_a_root_there_is_no_chain(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    assert tail.find(store, layout, name(0)) is None
    assert memory.effects() == [f"read {layout.root_key(name(0))} absent"], "nothing else is searched"


def test_a_root_without_links_is_the_tail(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    Chain(memory).root()
    found = tail.find(store, layout, name(0))
    assert found is not None
    assert found.state == State(ZERO, PAGE)
    assert found.last is None


def test_the_last_link_is_found(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    for number in range(1, 8):
        chain.link(articles([number]), page="2025-06-18" if number == 4 else None)
    found = tail.find(store, layout, name(0))
    assert found is not None
    assert found.state == chain.state == State(Position.of("7"), "2025-06-18")
    assert found.last is not None
    assert found.last.key == chain.keys[-1]
    assert found.last.summary.totals.words == 3


def test_a_page_turned_last_leaves_no_link_on_it(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link(articles([1]))
    chain.link(page="2025-06-20")
    other = Chain(memory, shard=name(1), state=State(ZERO, "2025-06-21"))
    other.root()
    other.link(articles([1]))
    found = tail.find(store, layout, name(0))
    assert found is not None
    assert found.state == State(Position.of("1"), "2025-06-20")


def test_a_stale_listing_is_made_good_by_walking(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    for number in range(1, 6):
        chain.link(articles([number]))
    memory.list_lag = 3
    found = tail.find(store, layout, name(0))
    assert found is not None
    assert found.state == chain.state


def test_nothing_is_looked_for_behind_the_end(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.end()
    found = tail.find(store, layout, name(0))
    assert found is not None
    assert found.state == State(ZERO, END)


def test_other_shards_and_strangers_are_passed_over(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory, shard=name(1))
    chain.root()
    chain.link(articles([5]))
    for other in (name(0), name(2), name(1, "MyStream2"), name(1, created=17), name(11)):
        neighbour = Chain(memory, shard=other)
        neighbour.root()
        neighbour.link(articles(range(100, 110)))
    memory.create(f"articles/data/dt={PAGE}/{name(1)}-zzz.avro", b"", {})
    memory.create("articles/data/dt=9999-99-99/_SUCCESS", b"", {})
    memory.create("articles/data/zzz/x", b"", {})
    found = tail.find(store, layout, name(1))
    assert found is not None
    assert found.state == chain.state


def test_pages_before_the_root_are_not_listed(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    Chain(memory).root()
    for day in range(1, 10):
        memory.create(f"articles/data/dt=2025-01-0{day}/x", b"", {})
    tail.find(store, layout, name(0))
    assert not [effect for effect in memory.effects("list") if "2025-01" in effect]


def test_lost_metadata_is_read_from_the_header(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    key = chain.link([Article(1), Article(2, None)])
    memory.objects[key].attributes.clear()
    found = tail.find(store, layout, name(0))
    assert found is not None
    assert found.state == chain.state
    assert found.last is not None
    assert found.last.summary.totals.records == 2


@pytest.mark.parametrize("body", [b"", b"Obj", b"Obj\x01", b"something else", b"Obj\x01\x00" + b"s" * 16])
def test_an_object_that_is_no_link_is_named(
    body: bytes, store: RetryingStore, layout: Layout, memory: MemoryStore
) -> None:
    chain = Chain(memory)
    chain.root()
    key = layout.link_key(name(0), chain.state)
    memory.create(key, body, {})
    with pytest.raises(ChainError, match=key):
        tail.find(store, layout, name(0))


def test_a_link_that_leads_back_is_named(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link(articles([5]))
    made = chain.seal(articles([6]), after=State(Position.of("3"), PAGE))
    memory.create(made.key, made.body, made.link.summary.to_attributes())
    root = tail.read_root(store, layout, name(0))
    assert root is not None
    known = tail.Tail(root, chain.state, None)
    with pytest.raises(ChainError, match="not forward"):
        tail.follow(store, layout, known)


def test_a_long_header_is_read_in_more_than_one_go(store: RetryingStore, layout: Layout, memory: MemoryStore) -> None:
    chain = Chain(memory)
    made = chain.seal(articles([1]))
    link = dataclasses.replace(made.link, blocks=((1, 1),) * 40_000)
    body = container.assemble(made.key, schema.ARTICLE, "deflate", link.to_metadata(), [])
    memory.create(made.key, body, {})
    assert tail.read_link(store, made.key, len(body)) == link
    assert len(memory.effects("read")) == 2
