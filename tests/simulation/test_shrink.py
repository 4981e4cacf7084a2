"""A failing schedule is made small, and what is left still fails by the same invariant, again and again."""

from __future__ import annotations

import pytest

from tests.simulation.defects import Defect, adoption_that_forgets_to_drop, an_adopted_object_counted_twice
from tests.simulation.schedule import ACTS, Schedule, shrink


def first_failing(schedules: int = 200) -> Schedule:
    for seed in range(schedules):
        if Schedule(seed).failure():
            return Schedule(seed)
    pytest.fail("the defect was not caught")


@pytest.mark.parametrize("defect", [adoption_that_forgets_to_drop, an_adopted_object_counted_twice])
def test_a_failing_schedule_shrinks_to_the_acts_that_matter(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    defect(monkeypatch)
    whole = first_failing()
    small = shrink(whole)
    assert len(small.acts) <= ACTS // 3
    whole_failure, failure = whole.failure(), small.failure()
    assert failure
    assert whole_failure
    assert failure.invariant == whole_failure.invariant
    for number in small.acts:  # none of them can go
        fewer = Schedule(small.seed, tuple(act for act in small.acts if act != number), small.calm)
        found = fewer.failure()
        assert found is None or found.invariant != failure.invariant


def test_what_does_not_fail_is_left_as_it_is() -> None:
    assert shrink(Schedule(3)) == Schedule(3)
