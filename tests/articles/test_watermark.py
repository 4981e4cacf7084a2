"""A day is complete when every shard has turned its page, half an hour after its end."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from articles import watermark
from articles.chain import State
from articles.errors import ChainError, UserError
from articles.keys import Layout
from articles.position import ZERO
from articles.retry import RetryingStore
from articles.scan import Selection
from articles.watermark import Listed, Watermark
from tests.articles.builder import CREATED, STREAM, Chain, articles, name
from tests.fakes import FakeClock, MemoryStore


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def computed(memory: MemoryStore, now: str, listed: int | None = None, stream: str | None = None) -> Watermark:
    store = RetryingStore(memory, FakeClock())
    shards = [Listed(STREAM, CREATED, tuple(name(n).shard for n in range(listed)), moment(now))] if listed else []
    return watermark.compute(store, Layout("articles"), Selection(stream), shards, moment(now))


def shard(memory: MemoryStore, number: int, page: str, created: int = CREATED) -> Chain:
    """A chain whose open page is `page`."""
    chain = Chain(memory, shard=name(number, created=created), state=State(ZERO, "2025-06-10"))
    chain.root()
    chain.link(articles([1]))
    if page != "2025-06-10":
        chain.link(page=page)
    return chain


def held_by(found: Watermark) -> list[str]:
    return [one.shard.shard for one in found.held_by]


def test_the_slowest_shard_holds_the_day_back(memory: MemoryStore) -> None:
    shard(memory, 0, "2025-06-16")
    shard(memory, 1, "2025-06-14")
    shard(memory, 2, "END")
    found = computed(memory, "2025-06-16T12:00")
    assert found.complete == "2025-06-13"
    assert held_by(found) == [name(1).shard]


def test_a_day_needs_half_an_hour_after_its_end(memory: MemoryStore) -> None:
    shard(memory, 0, "2025-06-17")
    assert computed(memory, "2025-06-17T00:29").complete == "2025-06-15"
    assert held_by(computed(memory, "2025-06-17T00:29")) == []
    assert computed(memory, "2025-06-17T00:30").complete == "2025-06-16"


def test_the_shards_must_have_been_listed_so_late(memory: MemoryStore) -> None:
    """A shard that a split made in between is not in an older list."""
    shard(memory, 0, "2025-06-17")
    store, layout = RetryingStore(memory, FakeClock()), Layout("articles")
    listed = [Listed(STREAM, CREATED, (name(0).shard,), moment("2025-06-17T00:10"))]
    found = watermark.compute(store, layout, Selection(), listed, moment("2025-06-17T09:00"))
    assert found.complete == "2025-06-15"


def test_a_listed_shard_without_a_root_is_not_complete(memory: MemoryStore) -> None:
    shard(memory, 0, "2025-06-17")
    found = computed(memory, "2025-06-17T12:00", listed=2)
    assert found.complete is None
    assert held_by(found) == [name(1).shard]
    assert computed(memory, "2025-06-17T12:00", listed=1).complete == "2025-06-16"


def test_shards_that_have_all_ended_leave_it_to_the_clock(memory: MemoryStore) -> None:
    shard(memory, 0, "END")
    found = computed(memory, "2025-06-20T12:00", listed=1)
    assert found.complete == "2025-06-19"
    assert held_by(found) == []


def test_a_page_ahead_of_the_clock_completes_nothing_early(memory: MemoryStore) -> None:
    """A producer's record may be dated up to a day ahead."""
    shard(memory, 0, "2025-06-18")
    assert computed(memory, "2025-06-17T12:00").complete == "2025-06-16"


def test_a_stream_made_again_is_not_held_back_by_the_former(memory: MemoryStore) -> None:
    shard(memory, 0, "2025-06-01".replace("01", "11"), created=CREATED - 1000)
    shard(memory, 0, "2025-06-17")
    found = computed(memory, "2025-06-17T12:00", listed=1)
    assert found.complete == "2025-06-16"
    assert [one.page for one in found.former] == ["2025-06-11"]
    without = computed(memory, "2025-06-17T12:00")
    assert without.complete == "2025-06-10", "who was not asked cannot say which stream is the former"


def test_only_the_selected_stream_counts(memory: MemoryStore) -> None:
    shard(memory, 0, "2025-06-17")
    other = Chain(memory, shard=name(0, "Other"), state=State(ZERO, "2025-06-01"))
    other.root()
    assert computed(memory, "2025-06-17T12:00").complete == "2025-05-31"
    assert computed(memory, "2025-06-17T12:00", stream=STREAM).complete == "2025-06-16"


def test_nothing_stored_is_told_so(memory: MemoryStore) -> None:
    with pytest.raises(UserError, match="no chain has begun"):
        computed(memory, "2025-06-17T12:00")


def test_a_broken_root_is_told_so(memory: MemoryStore) -> None:
    memory.objects[Chain(memory).root()].body = b""
    with pytest.raises(ChainError, match="articles verify"):
        computed(memory, "2025-06-17T12:00")
