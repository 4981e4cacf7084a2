"""Whatever the history, a rewritten prefix holds all the rest, once, in order, and nothing of what is erased."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from articles import ArticleDataset, container, location
from articles import rewrite as module
from articles.catalog.build import build
from articles.chain import Link
from articles.container import read_blocks, read_header
from articles.errors import UserError
from articles.scan import Selection
from tests.compressors import restless, steady
from tests.erasure import kit
from tests.erasure.kit import ERASED, NEW, OLD, STEPS, THIRD, Step, Story, bury, check, rewritten
from tests.fakes import AFTER, BEFORE, FakeClock, Hook
from tests.training.kit import Bucket, ids


class Crash(Exception):
    """The command is killed."""


@pytest.fixture(autouse=True, scope="module")
def small_parts_of_other_bytes() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PART_LINKS", 2)
        patch.setattr(container, "compress", restless)
        yield


STEP = Step(0, [("id-0", True), ("id-1", True), ("id-0", False), ("id-2", False)])


@given(STEPS, ERASED)
@example([STEP, Step(0, [("id-0", True)], turns=True), Step(0, [("id-0", False)])], {"id-0"})
@settings(max_examples=60, deadline=None)
def test_everything_else_is_there(steps: list[Step], erased: set[str]) -> None:
    memory = Story().play(steps).memory
    bury(memory, erased)
    old = kit.below(memory, OLD)
    found = rewritten(memory)
    check(memory, erased)
    assert found.sums.before == kit.totals(memory, OLD)
    assert found.sums.left == kit.totals(memory, NEW) == found.sums.before - found.sums.erased
    assert kit.below(memory, OLD) == old
    new = kit.below(memory, NEW)
    assert rewritten(memory).files == 0
    assert kit.below(memory, NEW) == new


@given(STEPS, STEPS, ERASED, st.integers(0, 80), st.sampled_from([BEFORE, AFTER]))
@settings(max_examples=60, deadline=None)
def test_killed_at_any_point_and_while_links_come(
    steps: list[Step], more: list[Step], erased: set[str], calls: int, when: str
) -> None:
    story = Story().play(steps)
    bury(story.memory, erased)
    story.memory.hook = killing(calls, when)
    with suppress(Crash):
        rewritten(story.memory)
    story.memory.hook = None
    story.play(more)
    rewritten(story.memory)
    check(story.memory, erased)


@given(STEPS, STEPS, ERASED, st.integers(0, 80))
@example([STEP], [Step(1, [("id-0", True)])], {"id-0"}, 7)
@settings(max_examples=60, deadline=None)
def test_links_and_shards_that_come_while_it_runs(
    steps: list[Step], more: list[Step], erased: set[str], calls: int
) -> None:
    story = Story().play(steps)
    bury(story.memory, erased)
    story.memory.hook = at_call(calls, lambda: story.play(more))
    rewritten(story.memory)
    story.memory.hook = None
    rewritten(story.memory)
    check(story.memory, erased)


@given(STEPS, ERASED, st.integers(0, 80), st.sampled_from([BEFORE, AFTER]))
@settings(max_examples=40, deadline=None)
def test_a_killed_run_leaves_nothing_but_what_an_undisturbed_one_makes(
    steps: list[Step], erased: set[str], calls: int, when: str
) -> None:
    with mock.patch.object(container, "compress", steady):
        one, other = Story().play(steps).memory, Story().play(steps).memory
        for memory in (one, other):
            bury(memory, erased)
        one.hook = killing(calls, when)
        with suppress(Crash):
            rewritten(one)
        one.hook = None
        rewritten(one)
        rewritten(other)
    assert kit.below(one, NEW) == kit.below(other, NEW)


@given(STEPS, STEPS, ERASED, ERASED)
@settings(max_examples=40, deadline=None)
def test_a_second_erasure_adds_up(steps: list[Step], more: list[Step], first: set[str], second: set[str]) -> None:
    story = Story().play(steps)
    memory = story.memory
    bury(memory, first)
    rewritten(memory)
    original = kit.totals(memory, OLD)
    for chain in story.chains.values():
        chain.layout = NEW
    story.play([step for step in more if step.shard in story.chains])
    bury(memory, second, NEW)
    found = rewritten(memory, NEW, THIRD)
    check(memory, first | second, NEW, THIRD)  # also what came again
    for key in memory.keys(f"{OLD.data}/"):
        old, third = (link(memory.objects[at].body) for at in (key, THIRD.whole(OLD.inside(key))))
        assert third.original == old.totals
        left = old.totals
        for erasure in third.erasures:
            assert erasure.before == left
            left -= erasure.erased
        assert third.totals == left
    assert found.sums.left == kit.totals(memory, THIRD)
    assert original == kit.totals(memory, OLD)


@pytest.mark.parametrize("ended", [False, True])
def test_another_run_asks_for_nothing_again(ended: bool) -> None:
    story = Story().play([Step(0, [("id-0", True)], turns=ended and number > 1) for number in range(5)])
    memory = story.memory
    bury(memory, {"id-0"})
    memory.create(f"{OLD.replayed}/dt=2025-06-16/a-1.put", b"", {})
    rewritten(memory)
    assert len(memory.keys(NEW.rewritten_key(0)[:-15])) == 1 + 3
    memory.log.clear()
    rewritten(memory)
    assert memory.effects("create") == []
    assert [effect for effect in memory.effects("head") if "found" in effect] == []
    links = {key for layout in (OLD, NEW) for key in memory.keys(layout.data)}
    assert [effect for effect in memory.log if effect.key in links] == []


def test_what_holds_nothing_to_erase_keeps_its_blocks_and_the_rest_of_its_header() -> None:
    memory = Story().play([STEP, Step(0, [("id-3", True), ("id-4", True), ("id-5", False)])]).memory
    bury(memory, {"id-0"})
    rewritten(memory)
    changed, same = memory.keys(f"{OLD.data}/")
    old, new = (memory.objects[key].body for key in (same, NEW.whole(OLD.inside(same))))
    assert list(read_blocks(old, read_header(old))) == list(read_blocks(new, read_header(new)))
    assert replace(link(new), dead_letter_key=link(old).dead_letter_key) == link(old)
    assert read_header(old).sync != read_header(new).sync
    left = link(memory.objects[NEW.whole(OLD.inside(changed))].body)
    assert (left.totals.good, left.totals.rejected, left.original.records) == (1, 1, 4)
    before = link(memory.objects[changed].body)
    assert (left.first, left.last, left.before, left.after) == (before.first, before.last, before.before, before.after)
    assert [(one.digest, one.dead_letter_digest) for one in left.erasures] == [
        (before.digest, before.dead_letter_digest)
    ]


def link(body: bytes) -> Link:
    return Link.from_metadata("", read_header(body).metadata)


def at_call(number: int, act: Callable[[], object]) -> Hook:
    """Act once, in the middle of that call."""
    count = itertools.count()

    def hook(_at: str, _operation: str, _key: str) -> None:
        if next(count) == number:
            act()

    return hook


def killing(calls: int, when: str) -> Hook:
    count = [calls]

    def hook(at: str, _operation: str, _key: str) -> None:
        count[0] -= at == when
        if count[0] < 0:
            raise Crash

    return hook


def test_training_on_the_new_prefix_sees_what_it_saw_beside_the_tombstones() -> None:
    bucket = Bucket([[(9, 4), (8, 3)], [(5, 2)]])
    bury(bucket.memory, ["a-2-0", "a-9-0", *(f"a-{number}-0" for number in range(18, 23))])
    seen = ids(bucket.open())
    rewritten(bucket.memory)
    build(bucket.store, NEW, Selection(), FakeClock())
    with mock.patch.object(location, "open_uri", return_value=(bucket.store, NEW)):
        dataset = ArticleDataset("memory://new", tolerate=0)
    assert ids(dataset) == seen
    assert len(dataset) == len(seen) == 15
    with pytest.raises(UserError, match="another sequence"):
        dataset.load_state_dict(bucket.open().state_dict())
