"""The real consumer under random schedules of faults: every record that was put is stored exactly once."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.world import World

SCHEDULES = 400
CHUNKS = 8


def run(seed: int) -> World:
    world = World(seed, applications=2 if seed % 4 == 0 else 1)
    try:
        world.run(60)
        world.drain()
        world.check()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error
    return world


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_every_record_is_stored_exactly_once_whatever_happens(chunk: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(chunk, SCHEDULES, CHUNKS):
        counts += run(seed).counts
    # A run without faults would prove nothing.
    assert counts["stopped"]
    assert counts["Crash"]
