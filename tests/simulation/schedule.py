"""One schedule, from its seed: it runs, is judged, and when it fails it shrinks.

Each act has a seed of its own, made of the schedule's and its number: leaving acts out changes nothing about the draws
of the others, which is what makes a failing schedule shrink well.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from articles import average
from articles.chain import Summary
from articles.groups import Group
from articles.retry import RetryingStore
from tests.simulation.chains import LAYOUT
from tests.simulation.drain import drain
from tests.simulation.violation import Violation
from tests.simulation.world import World

ACTS = 50
_SEEDS = 4096
"""Of one schedule: its acts', one for the world before them and one for the end."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """`acts` are those that happen, by number; nothing fails in those that are `calm`."""

    seed: int
    acts: tuple[int, ...] = tuple(range(1, ACTS + 1))
    calm: frozenset[int] = frozenset()

    def run(self, history: list[str] | None = None) -> World:
        """Raises Violation."""
        random.seed(self.seed * _SEEDS)
        world = World()
        world.history = history
        for number in self.acts:
            random.seed(self.seed * _SEEDS + number)
            world.faults.calm = number in self.calm
            world.acts.act()
        random.seed(self.seed * _SEEDS + _SEEDS - 1)
        judge(world)
        return world

    def failure(self, history: list[str] | None = None) -> Violation | None:
        try:
            self.run(history)
        except Violation as violation:
            return violation
        return None


def judge(world: World) -> None:
    """All that is not asserted at every step already."""
    chains = world.chains
    chains.check_all_stored(drain(world))
    links = {key for key in world.bucket.objects if key.startswith("p/data/")}
    if links != chains.links.keys():
        raise Violation(2, "an object lies outside every chain's line")
    for child in world.children:
        child.check_live_counts(chains.line(child.shard))
    total = Group()
    for key in links:
        summary = Summary.from_attributes(world.bucket.objects[key][1])
        if summary is None:
            raise Violation(5, f"the object metadata of {key} cannot be read")
        total += Group(summary.totals, 1)
    _same_average(chains.average, total.fraction)


def check_command(world: World) -> None:
    """The average as `articles average` computes it, over what is listed."""
    world.faults.calm = True
    if world.chains.links:
        _same_average(world.chains.average, average.compute(RetryingStore(world.bucket), LAYOUT).fraction)


def _same_average(expected: Fraction | None, found: Fraction | None) -> None:
    if expected != found:
        raise Violation(6, f"the average is {found}, of what was put {expected}")


def shrink(schedule: Schedule, tell: Callable[[Schedule], None] = lambda _: None) -> Schedule:
    """The smallest schedule found that fails by the same invariant: fewer acts, fewer faults."""
    failure = schedule.failure()
    if failure is None:
        return schedule
    invariant = failure.invariant

    def fails(candidate: Schedule) -> bool:
        found = candidate.failure()
        return found is not None and found.invariant == invariant

    while True:
        before = schedule
        schedule = _fewer_acts(schedule, fails)
        tell(schedule)
        for number in schedule.acts:
            calmer = replace(schedule, calm=schedule.calm | {number})
            if number not in schedule.calm and fails(calmer):
                schedule = calmer
        tell(schedule)
        if schedule == before:
            return schedule


def _fewer_acts(schedule: Schedule, fails: Callable[[Schedule], bool]) -> Schedule:
    size = max(len(schedule.acts) // 2, 1)
    while size:
        at = len(schedule.acts)
        while at > 0:
            at -= size
            acts = schedule.acts[: max(at, 0)] + schedule.acts[max(at, 0) + size + min(at, 0) :]
            candidate = replace(schedule, acts=acts, calm=schedule.calm.intersection(acts))
            if fails(candidate):
                schedule = candidate
        size //= 2
    return schedule


def figures(counts: Counter[str], names: Sequence[str]) -> str:
    return ", ".join(f"{counts[name]:,} {name}" for name in names)
