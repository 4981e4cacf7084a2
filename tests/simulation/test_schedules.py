"""The real consumer under random schedules of faults: every record that was put is stored exactly once."""

from __future__ import annotations

import pytest

from tests.simulation.bucket import STEPS
from tests.simulation.campaign import run
from tests.simulation.schedule import Schedule

SCHEDULES = 800


@pytest.mark.slow
def test_every_record_is_stored_exactly_once_whatever_happens() -> None:
    result = run([Schedule(seed) for seed in range(SCHEDULES)])
    if result.failed is not None:
        pytest.fail(f"{result.failure}\n./run_tests.sh simulate --seed {result.failed.seed} --schedules 1")
    # A run without faults would prove nothing.
    counts = result.counts
    assert [step for step in STEPS if not counts[f"crash {step}"]] == []
    assert counts["resharded"] > SCHEDULES * 0.4
    happened = ("stops", "handed over", "lost answers", "conflicts", "adopted", "root-adopted", "trims", "clock jumps")
    assert [what for what in (*happened, "lease damage", "recreated", "checkpoint-retry") if not counts[what]] == []


def test_a_schedule_replays_exactly() -> None:
    first: list[str] = []
    again: list[str] = []
    Schedule(3).run(first)
    Schedule(4).run()
    Schedule(3).run(again)
    assert again == first != []
