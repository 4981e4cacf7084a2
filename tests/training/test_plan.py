"""The order of an epoch, from the counts of its groups alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.training.plan import LANES, SHORTEST_LANE, Share, Window, epoch, interleaved

counts = st.lists(st.integers(1, 9), min_size=1, max_size=60)
keys = st.one_of(st.none(), st.text(max_size=5))


def sequence(windows: Sequence[Window], counts: Sequence[int]) -> list[tuple[int, int]]:
    """(group, number in the group), in the order in which they come."""
    found = []
    for window in windows:
        owners = [(group, n) for group in window.groups for n in range(counts[group])]
        found += [owners[place] for place in window.order]
    return found


@given(counts, st.integers(1, 70), keys)
def test_each_sample_comes_once(counts: list[int], per_window: int, key: str | None) -> None:
    windows = list(epoch(counts, per_window, key))
    found = sequence(windows, counts)
    assert sorted(found) == [(group, n) for group, size in enumerate(counts) for n in range(size)]
    assert all(len(window.groups) <= per_window for window in windows)
    if key is None:
        assert found == sorted(found)


@given(counts, st.integers(1, 70), keys, st.data())
def test_a_start_further_on_gives_the_same_windows(
    counts: list[int], per_window: int, key: str | None, data: st.DataObject
) -> None:
    whole = list(epoch(counts, per_window, key))
    start = data.draw(st.integers(0, sum(counts)))
    late = list(epoch(counts, per_window, key, start))
    assert late == [window for window in whole if window.start + len(window.order) > start]


@given(st.integers(0, 3000))
def test_lanes_are_runs_that_take_turns(samples: int) -> None:
    order = interleaved(samples, Random(1))
    assert sorted(order) == list(range(samples))
    if samples >= LANES * SHORTEST_LANE:
        for lane in range(LANES):
            run = sorted(order[lane::LANES])
            assert run == list(range(run[0], run[0] + len(run)))


@given(counts, st.integers(1, 70), keys, st.integers(1, 9), st.integers(1, 4), st.integers(1, 5), st.data())
def test_shares_divide_what_is_left_exactly(
    counts: list[int], per_window: int, key: str | None, world: int, workers: int, batch: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, sum(counts)))
    windows = list(epoch(counts, per_window, key, first))
    for rank in range(world):
        mine: dict[int, int] = {}
        for worker in range(workers):
            for window in windows:
                share = Share(rank, world, worker, workers, batch)
                numbers, places = share.places(first, window.start, len(window.order))
                assert all(number // batch % workers == worker for number in numbers)
                mine |= dict(zip(numbers, (window.start + place for place in places), strict=True))
        assert mine == dict(enumerate(range(first + rank, sum(counts), world)))


@pytest.mark.parametrize("world", [2, 4, 8, 16, 48])
def test_ranks_fetch_little_more_than_their_lanes(world: int) -> None:
    counts = [20] * 4000
    fetched = 0
    for rank in range(world):
        for window in epoch(counts, 480, "0/0"):
            owners = [index for index, group in enumerate(window.groups) for _ in range(counts[group])]
            _, places = Share(rank, world).places(0, window.start, len(window.order))
            fetched += len({owners[window.order[place]] for place in places})
    assert fetched / len(counts) < 1.15


def test_a_shuffle_comes_from_everywhere_at_once() -> None:
    """The floor that the benchmarks hold peers to: of each hundredth of the output, at least 95 of 99 percentiles of
    the source, and distances of neighbours and from the source's order within 2 % of what chance gives."""
    counts = [20] * 2500
    total = sum(counts)
    found = [group * 20 + n for group, n in sequence(list(epoch(counts, 480, "7/1")), counts)]
    hundredth = total // 100
    percentiles = [
        len({place * 100 // total for place in found[at : at + hundredth]}) for at in range(0, total, hundredth)
    ]
    assert min(percentiles) >= 94
    assert sum(percentiles) / len(percentiles) > 98
    assert 3 * sum(abs(a - b) for a, b in pairwise(found)) / total**2 == pytest.approx(1, abs=0.02)
    assert 3 * sum(abs(place - at) for at, place in enumerate(found)) / total**2 == pytest.approx(1, abs=0.02)


def test_epochs_and_seeds_differ() -> None:
    counts = [5] * 40
    orders = {str(sequence(list(epoch(counts, 9, key)), counts)) for key in ("0/0", "0/1", "1/0", "1/1")}
    assert len(orders) == 4


def test_the_order_is_the_same_in_every_version() -> None:
    """A state that was saved is of no use where the order is another one."""
    found = sequence(list(epoch([3, 1, 4, 1, 5, 9, 2, 6], 3, "42/7")), [3, 1, 4, 1, 5, 9, 2, 6])
    assert found[:8] == [(2, 1), (6, 1), (2, 2), (0, 1), (2, 0), (0, 2), (6, 0), (2, 3)]
