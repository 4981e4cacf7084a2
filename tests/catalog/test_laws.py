"""Whatever the history of links, builds, crashes and rivals was: the same links give the same snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from articles import average
from articles.catalog import manifest, segment
from articles.retry import RetryingStore
from tests.catalog.views import LAYOUT, STEPS, Step, Story, built, small_segments, view, without_catalog
from tests.compressors import restless
from tests.fakes import AFTER, BEFORE, FakeClock, Hook, MemoryStore


class Crash(Exception):
    """The builder is killed."""


@pytest.fixture(autouse=True, scope="module")
def other_bytes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment, "compress", restless)
        yield


@given(STEPS)
@example([Step(0, ["one"]), Step(None), Step(0, ["a b"], turns=True), Step(None), Step(1, [None])])
@settings(max_examples=60, deadline=None)
def test_builds_add_up_to_one_build(steps: list[Step]) -> None:
    with small_segments():
        story = Story()
        story.play([*steps, Step(0, ["one"]), Step(None)])
        whole = without_catalog(story.memory)
        built(whole)
        assert view(story.memory) == view(whole)
        files = view(whole)["files"]
        assert [file.key for file in files] == sorted({file.key for file in files})
        assert not built(story.memory).new


@given(STEPS, STEPS)
@settings(max_examples=40, deadline=None)
def test_a_snapshot_stays_as_it_is(before: list[Step], after: list[Step]) -> None:
    with small_segments():
        story = Story()
        story.play([*before, Step(0, ["one"]), Step(None)])
        number = built(story.memory).manifest.number
        then = view(story.memory)
        story.play([*after, Step(None)])
        assert view(story.memory, number) == then


@given(STEPS, st.integers(0, 60), st.sampled_from([BEFORE, AFTER]))
@settings(max_examples=60, deadline=None)
def test_a_build_may_be_killed_at_any_point(steps: list[Step], calls: int, when: str) -> None:
    with small_segments():
        story = Story()
        story.play([*steps, Step(0, ["one"])])
        story.memory.hook = killing(calls, when)
        with suppress(Crash):
            built(story.memory)
        story.memory.hook = None
        whole = without_catalog(story.memory)
        built(whole)
        named = check_names(story.memory)
        built(story.memory)
        assert view(story.memory) == view(whole)
        assert check_names(story.memory) >= named


@given(STEPS, STEPS)
@settings(max_examples=40, deadline=None)
def test_an_average_goes_on_from_a_snapshot(before: list[Step], after: list[Step]) -> None:
    with small_segments():
        story = Story()
        story.play([*before, Step(0, ["one"]), Step(None)])
        story.play(after)
        store = RetryingStore(story.memory, FakeClock())
        base = manifest.newest(store, LAYOUT)
        assert base is not None
        assert average.compute(store, LAYOUT, base=base) == average.compute(store, LAYOUT)


@pytest.mark.parametrize("meanwhile", [False, True])
def test_of_two_builders_one_wins(meanwhile: bool) -> None:
    story = Story()
    story.play([Step(0, ["one", "a b"]), Step(1, ["one"])])
    rival: list[object] = []

    def hook(when: str, operation: str, key: str) -> None:
        if (when, operation, key) == (BEFORE, "create", LAYOUT.snapshot_key(1)) and not rival:
            rival.append(None)
            if meanwhile:
                story.link(0, ["one two three"])
            rival[0] = built(story.memory, clock=FakeClock(1_750_000_009.0)).manifest
            if meanwhile:
                story.link(1, ["a b"])

    story.memory.hook = hook
    mine = built(story.memory)
    assert rival[0] == manifest.load(RetryingStore(story.memory, FakeClock()), LAYOUT, 1)
    assert (mine.new, mine.manifest.number) == ((True, 2) if meanwhile else (False, 1))
    whole = without_catalog(story.memory)
    built(whole)
    assert view(story.memory) == view(whole)


def test_an_answer_that_was_lost_is_no_rival() -> None:
    story = Story()
    story.play([Step(0, ["one", "a b"])])
    story.memory.fail("create", "*.json", when=AFTER)
    made = built(story.memory)
    assert (made.new, made.manifest.number) == (True, 1)
    assert manifest.numbers(RetryingStore(story.memory, FakeClock()), LAYOUT) == [1]


def killing(calls: int, when: str) -> Hook:
    count = [calls]

    def hook(at: str, operation: str, key: str) -> None:
        count[0] -= at == when
        if count[0] < 0:
            raise Crash

    return hook


def check_names(memory: MemoryStore) -> set[str]:
    """Every object that a manifest names is there; returns them."""
    store = RetryingStore(memory, FakeClock())
    found = [manifest.load(store, LAYOUT, number) for number in manifest.numbers(store, LAYOUT)]
    names = {one.name for made in found for one in made.segments}
    named = {key for name in names for key in (LAYOUT.segment_key(name), LAYOUT.rows_key(name))}
    assert named <= memory.objects.keys()
    return named
