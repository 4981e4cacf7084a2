"""What strikes at a step of I/O: a worker crashes, gets no answer, waits, loses its lease while it lives on, or stops.

Where one is stopped the world goes on, and it comes back as a zombie. A request may arrive long after its sender left.
"""

from __future__ import annotations

from random import choice, randint, random
from typing import TYPE_CHECKING

from articles.errors import StoreRefused, StoreUnavailable
from tests.simulation.bucket import STEPS, Put
from tests.simulation.daemon import Child, Error
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World

OFTEN = 0.085
"""At which part of all steps something strikes."""
NESTED = 3
"""How many workers, one inside the other, may be stopped."""
MOST_STEPS = 20_000


class Crash(BaseException):
    """A worker is killed."""


class Faults:
    """`on` until the end of a schedule, `calm` during single acts. `weak_spot` is where this schedule's workers crash
    most."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.on = True
        self.calm = False
        self.weak_spot = choice(STEPS)
        self.steps = 0
        self._store_down = self._throttled = 0.0  # until then, monotonic

    def store_step(self, where: str, put: Put | None) -> bool:
        """True: the store answers that it is busy with that key."""
        if self._store_down > self._world.time.monotonic and self.on:
            raise StoreUnavailable(f"down {where}")
        try:
            self.step(where, StoreUnavailable)
        except (Crash, StoreUnavailable):
            if put is not None and random() < 0.4:
                self._world.on_the_way.append(put)
            raise
        conflict = put is not None and self.on and not self.calm and random() < 0.02
        self._world.counts["conflicts"] += conflict
        return conflict

    def throttled(self) -> bool:
        return self._throttled > self._world.time.monotonic and self.on

    def step(self, where: str, unanswered: Error) -> None:
        """One step of I/O, and what may strike here. `unanswered` makes the error of whoever waits in vain."""
        world = self._world
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Violation(9, f"{MOST_STEPS} steps of I/O: somebody goes round and round")
        if not self.on or self.calm or not world.running:
            return
        if world.running[-1].threads and random() < 0.3:
            world.run_threads()
        chance = random() if where != self.weak_spot or random() > 0.3 else 0.0
        if chance < OFTEN:
            self._strike(chance, where, unanswered)

    def _strike(self, chance: float, where: str, unanswered: Error) -> None:
        world = self._world
        if chance < 0.01:
            world.counts["crashes"] += 1
            world.counts[f"crash {where}"] += 1
            raise Crash(where)
        if chance < 0.025:
            world.counts["lost answers"] += 1
            world.tell("no answer {}", where)
            raise unanswered(where)
        if chance < 0.026:
            self._store_down = world.time.monotonic + choice((5.0, 100.0))
        elif chance < 0.027:
            self._throttled = world.time.monotonic + choice((5.0, 100.0))
        elif chance < 0.028:
            raise StoreRefused(where) if unanswered is StoreUnavailable else unanswered(where)
        elif chance < 0.035:
            world.time.turn(choice((0.5, 20.0, 400.0)))
        elif chance < 0.045:
            self._hand_over(world.running[-1])
        elif len(world.running) < NESTED:
            world.counts["stops"] += 1
            world.tell("stops {}", where)
            for _ in range(randint(1, 6)):
                world.acts.act()
            world.tell("goes on")

    def _hand_over(self, child: Child) -> None:
        """Another instance gets the lease, and reads, while this one lives on."""
        world = self._world
        if len(world.running) < NESTED and world.ready(child.application, child.shard):
            world.counts["handed over"] += 1
            other = world.start(child.application, child.shard)
            for _ in range(randint(0, 3)):
                if other:
                    world.deliver(other, choice((3, 10)))
