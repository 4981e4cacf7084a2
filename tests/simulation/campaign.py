"""Many schedules, in one process or several; the first that fails ends it."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Final

from tests.simulation.schedule import Schedule, check_command
from tests.simulation.violation import Violation

CHUNK: Final = 25
"""Schedules after which a process tells how far it is."""
COMMAND_EVERY: Final = 50
"""Computing the average as the command does starts threads: of so many schedules, one has it."""


@dataclass(slots=True)
class Result:
    """`failed` is the schedule that failed first, and by what."""

    counts: Counter[str] = field(default_factory=Counter)
    failed: Schedule | None = None
    failure: Violation | None = None

    def add(self, other: Result) -> None:
        self.counts.update(other.counts)
        if self.failed is None:
            self.failed, self.failure = other.failed, other.failure


def run(schedules: Sequence[Schedule]) -> Result:
    """One after the other, up to the first failure."""
    result = Result()
    counts = result.counts
    for schedule in schedules:
        counts["schedules"] += 1
        try:
            world = schedule.run()
            if schedule.seed % COMMAND_EVERY == 0:
                check_command(world)
        except Violation as violation:
            result.failed, result.failure = schedule, violation
            counts.update(lost=violation.lost, repeated=violation.repeated)
            return result
        counts.update(world.counts)
        counts.update(
            records=sum(len(shard.puts) for shard in world.stream.shards),
            adoptions=world.counts["adopted"] + world.counts["root-adopted"],
            objects=len(world.bucket.objects),
            resharded=bool(world.counts["reshards"]),
        )
    return result


def chunks(seed: int, schedules: int | None) -> Iterator[list[Schedule]]:
    """Endless without a number of schedules."""
    seeds = iter(range(seed, seed + schedules)) if schedules is not None else count(seed)
    while chunk := [Schedule(one) for one in islice(seeds, CHUNK)]:
        yield chunk


def campaign(
    seed: int, schedules: int | None, seconds: float | None, processes: int, progress: Callable[[int], None]
) -> Result:
    """Until the schedules, or the seconds, are over, or one schedule fails."""
    until = time.monotonic() + seconds if seconds is not None else float("inf")
    work = _until(until, chunks(seed, schedules))
    if processes == 1:
        return _collect(map(run, work), progress)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return _collect(_ahead(pool.apply_async, work, 2 * processes), progress)


def _until(until: float, work: Iterator[list[Schedule]]) -> Iterator[list[Schedule]]:
    for chunk in work:
        if time.monotonic() > until:
            return
        yield chunk


def _ahead(submit: Callable[..., object], work: Iterator[list[Schedule]], bound: int) -> Iterator[Result]:
    """In order, with a few chunks under way."""
    waiting: list[object] = []
    for chunk in work:
        waiting.append(submit(run, (chunk,)))
        if len(waiting) >= bound:
            yield waiting.pop(0).get()  # type: ignore[attr-defined]
    for one in waiting:
        yield one.get()  # type: ignore[attr-defined]


def _collect(results: Iterator[Result], progress: Callable[[int], None]) -> Result:
    total = Result()
    for one in results:
        total.add(one)
        progress(one.counts["schedules"])
        if total.failed:
            break
    return total
