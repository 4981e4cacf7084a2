"""The simulation has teeth: known defects, put into the real consumer, are caught in a bounded number of schedules."""

from __future__ import annotations

import pytest

from tests.simulation.defects import DEFECTS, Defect
from tests.simulation.schedule import Schedule
from tests.simulation.violation import UNEXPECTED


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_defect_is_caught(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    defect(monkeypatch)
    failures = (Schedule(seed).failure() for seed in range(DEFECTS[defect]))
    failure = next((failure for failure in failures if failure), None)
    assert failure, f"{DEFECTS[defect]} schedules did not catch it"
    assert failure.invariant != UNEXPECTED, f"it no longer fits the code that it replaces: {failure}"
