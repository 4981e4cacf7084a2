"""The one retry policy: a lost answer is never taken for somebody else's object, and no failure lasts for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from articles.errors import StoreRefused, StoreUnavailable
from articles.retry import LONGEST_PAUSE, RetryingStore
from tests.fakes import AFTER, FakeClock, MemoryStore


def test_an_object_is_created_after_a_look() -> None:
    memory = MemoryStore()
    assert RetryingStore(memory, FakeClock()).create("k", b"body", {"a": "1"}) is None
    assert memory.effects() == ["head k absent", "create k created"]
    assert memory.objects["k"].body == b"body"


def test_no_body_is_sent_for_a_key_that_is_there() -> None:
    memory = MemoryStore()
    memory.create("k", b"first", {"a": "1"})
    there = RetryingStore(memory, FakeClock()).create("k", b"second", {})
    assert there is not None
    assert (there.key, there.size, there.attributes) == ("k", 5, {"a": "1"})
    assert memory.effects() == ["create k created", "head k found"]


def test_an_answer_that_was_lost_is_our_object() -> None:
    """A look before the second try finds it; it is handed back, and is ours to look at."""
    memory = MemoryStore()
    memory.fail("create", when=AFTER)
    there = RetryingStore(memory, FakeClock()).create("k", b"body", {"a": "1"})
    assert there is not None
    assert there.attributes == {"a": "1"}
    assert memory.effects() == ["head k absent", "create k created", "head k found"]


def test_a_conflict_sends_the_same_bytes_again() -> None:
    memory, clock = MemoryStore(), FakeClock()
    memory.conflict(times=2)
    assert RetryingStore(memory, clock).create("k", b"body", {}) is None
    assert memory.objects["k"].body == b"body"
    assert len(clock.slept) == 2


def test_conflicts_without_end_are_given_up() -> None:
    memory, clock = MemoryStore(), FakeClock()
    memory.conflict(times=10**6)
    start = clock.monotonic()
    with pytest.raises(StoreUnavailable, match="absent"):
        RetryingStore(memory, clock, deadline=60.0).create("k", b"body", {})
    assert memory.objects == {}
    assert 60.0 <= clock.monotonic() - start <= 60.0 + LONGEST_PAUSE


@pytest.mark.parametrize("operation", ["create", "head", "read", "read_ranges", "folders", "list"])
def test_every_call_is_tried_again(operation: str) -> None:
    memory, clock = MemoryStore(), FakeClock()
    memory.create("d/k", b"body", {})
    memory.fail(operation, times=3)
    told: list[str] = []
    store = RetryingStore(memory, clock, on_retry=lambda what, _error: told.append(what))
    calls: dict[str, Callable[[], object]] = {
        "create": lambda: store.create("d/new", b"", {}),
        "head": lambda: store.head("d/k"),
        "read": lambda: store.read("d/k"),
        "read_ranges": lambda: store.read_ranges("d/k", [0], [1]),
        "folders": lambda: store.folders(""),
        "list": lambda: list(store.list("d")),
    }
    calls[operation]()
    assert len(told) == len(clock.slept) == 3
    assert all(pause <= LONGEST_PAUSE for pause in clock.slept)


def test_the_deadline_ends_it() -> None:
    memory, clock = MemoryStore(), FakeClock()
    memory.fail("head", times=10**6)
    start = clock.monotonic()
    with pytest.raises(StoreUnavailable):
        RetryingStore(memory, clock, deadline=60).head("k")
    assert clock.monotonic() - start == pytest.approx(60)
    assert max(clock.slept) > LONGEST_PAUSE / 2 / 2, "pauses grow"


def test_the_deadline_is_not_the_wall_clocks() -> None:
    memory, clock = MemoryStore(), FakeClock()
    memory.hook = lambda *_: clock.jump(-10_000)
    memory.fail("head", times=10**6)
    with pytest.raises(StoreUnavailable):
        RetryingStore(memory, clock, deadline=5).head("k")


def test_a_deadline_of_zero_tries_once() -> None:
    memory, clock = MemoryStore(), FakeClock()
    memory.fail("head", times=2)
    with pytest.raises(StoreUnavailable):
        RetryingStore(memory, clock, deadline=0).head("k")
    assert clock.slept == []


def test_a_refusal_is_not_tried_again() -> None:
    memory, clock = MemoryStore(), FakeClock()
    memory.fail("create", error=lambda: StoreRefused("denied"))
    with pytest.raises(StoreRefused):
        RetryingStore(memory, clock).create("k", b"", {})
    assert clock.slept == []


def test_a_listing_that_breaks_off_goes_on_behind_the_last_key() -> None:
    memory = MemoryStore()
    for number in range(10):
        memory.create(f"d/{number}", b"", {})
    seen: list[str] = []
    for item in RetryingStore(memory, FakeClock()).list("d"):
        seen.append(item.key)
        if len(seen) in (3, 7):
            memory.fail("list")
    assert seen == [f"d/{number}" for number in range(10)]
