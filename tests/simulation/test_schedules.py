"""The real consumer under random schedules of faults: every record that was put is stored exactly once."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.bucket import STEPS
from tests.simulation.campaign import run
from tests.simulation.schedule import Schedule

SCHEDULES = 100
CHUNKS = 8


def counted(first: int, schedules: int = SCHEDULES) -> Counter[str]:
    result = run([Schedule(seed) for seed in range(first, first + schedules)])
    if result.failed is not None:
        pytest.fail(f"./run_tests.sh simulate --seed {result.failed.seed} --schedules 1: {result.failure}")
    return result.counts


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_record_is_stored_exactly_once_whatever_happens(chunk: int) -> None:
    counts = counted(chunk * SCHEDULES)
    # A run without faults would prove nothing: what each regime of them needs must have happened.
    for what in ("crashes", "stops", "handed over", "lost answers", "conflicts", "reshards", "trims", "adopted"):
        assert counts[what], what
    assert sum(counts[f"crash {step}"] > 0 for step in STEPS) > len(STEPS) * 0.7
