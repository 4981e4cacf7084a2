"""What happens next: the stream goes on, operators err, clocks jump, and the daemon drives its children."""

from __future__ import annotations

from bisect import bisect_right
from random import choice, randint, random, uniform
from typing import TYPE_CHECKING

from tests.simulation.daemon import QUEUE, Child, Lease
from tests.simulation.stream import DAY, StreamShard
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.world import World


class Acts:
    def __init__(self, world: World) -> None:
        self._world = world
        # Rare things, each in some part of all schedules only.
        rare = (
            (self.reshard, 0.9),
            (self.trim, 0.4),
            (self.jump, 0.2),
            (self.damage_leases, 0.2),
            (self.recreate, 0.1),
        )
        self._rare = [what for what, often in rare if random() < often]

    def act(self) -> None:
        world = self._world
        if world.on_the_way and random() < 0.1:
            self.land()
        chance = random()
        shard = choice(world.stream.live)
        if chance < 0.22:
            if not shard.closed:
                world.put(shard, choice((1, 2, 3, 4, 12)))
        elif chance < 0.30:
            world.time.turn(choice((1.0, 10.0, 100.0, 2000.0)))
        elif chance < 0.32:
            world.time.turn(choice((0.3, 1.0)) * DAY)
        elif chance < 0.36:
            if self._rare and random() < 0.7:
                choice(self._rare)(shard)
        elif chance < 0.43:
            application = randint(0, world.applications - 1)
            if world.ready(application, shard):
                world.start(application, shard)
        elif alive := [child for child in world.children if child.alive and child not in world.running]:
            self._daemon_acts(choice(alive))

    def land(self) -> None:
        """A request reaches S3 late."""
        world = self._world
        put = world.on_the_way.pop()
        world.tell("the late request for {} arrives", put[0])
        if world.bucket.land(put):
            world.counts["late puts"] += 1

    def reshard(self, _shard: StreamShard) -> None:
        world = self._world
        if len(world.stream.live) < 6 and world.stream.reshard():
            world.counts["reshards"] += 1
            world.tell("the stream was split or merged")

    def _daemon_acts(self, child: Child) -> None:
        world = self._world
        if child.threads and random() < 0.5:
            world.run(child, world.run_threads)
        chance = random()
        if chance < 0.04:
            world.shutdown(child)
        elif chance < 0.08:
            for _ in range(17):
                world.deliver(child, 3)
        elif chance < 0.12:
            self.night(child)
        elif chance < 0.2:
            for _ in range(randint(1, QUEUE - len(child.queue)) if len(child.queue) < QUEUE else 0):
                child.fetch(choice((1, 3, 10)))
        elif chance < 0.24 and child.lease.owner != child.number:
            world.lose_lease(child)
        else:
            world.deliver(child, choice((1, 3, 10, 10, 50)))

    def trim(self, shard: StreamShard) -> None:
        world = self._world
        world.counts["trims"] += 1
        shard.trim(randint(shard.visible, len(shard.puts)), world.chains.line(shard).at)
        world.tell("the first {} records of {} expire", shard.visible, shard.key)

    def jump(self, _shard: StreamShard) -> None:
        """A worker's clock is set: by an hour, by a day, over midnight."""
        world = self._world
        world.counts["clock jumps"] += 1
        world.chains.clocks_jumped = True
        worker = choice(list(world.clocks))
        to_midnight = DAY - world.time.wall % DAY
        world.clocks[worker].wrong = choice((3600.0, -3600.0, DAY, -0.9 * DAY, to_midnight + 60, 100.0))
        world.tell("the clock of {} is off by {:.0f} s", worker, world.clocks[worker].wrong)

    def recreate(self, _shard: StreamShard) -> None:
        """Delete the stream and make it again under its name, with an empty lease table."""
        world = self._world
        if world.counts["recreated"]:
            return
        world.counts["recreated"] += 1
        for shard in world.stream.live:
            shard.trim(len(shard.puts), world.chains.line(shard).at)
        world.stream.recreate()
        world.tell("the stream was deleted and made again")

    def damage_leases(self, _shard: StreamShard) -> None:
        """A lease table is lost, comes back from a backup, or is another application's."""
        world = self._world
        world.counts["lease damage"] += 1
        application = randint(0, world.applications - 1)
        lost = random() < 0.5
        for shard in world.stream.live:
            lease = world.lease(application, shard)
            if lost:
                lease.checkpoint = None
            elif lease.checkpoint and random() < 0.7:
                before = bisect_right(shard.at, (lease.checkpoint.number, lease.checkpoint.sub))
                index = randint(-1, before - 1)
                lease.checkpoint = shard.puts[index].record.position if index >= 0 else None
            world.tell("the lease of {} now says {}", shard.key, lease.checkpoint)
        if random() < 0.3:
            self._foreign_lease(choice(world.stream.live))

    def _foreign_lease(self, shard: StreamShard) -> None:
        """A lease past the chain must be refused: the records between would never be read."""
        world = self._world
        line = world.chains.line(shard)
        beyond = [put.record.position for put in shard.puts[shard.after(line.at) :]]
        if not beyond or shard.closed:
            return
        at = choice(beyond)
        child = world.child(0, shard, Lease(at))
        world.tell("{} starts at {}, of another application", child, at)
        survived = world.run(child, child.consumer.start, at.sequence, at.sub)
        child.alive = False
        if survived and (at.number, at.sub) > line.at and not child.parked:
            raise Violation(4, f"a lease at {at}, past the chain's end {line.at}, was taken")

    def night(self, child: Child) -> None:
        """The child rests over midnight, while empty batches from before it wait, and records behind them."""
        world = self._world
        for _ in range(randint(0, QUEUE - 1)):
            if len(child.queue) < QUEUE - 1:
                child.fetch(3)
        if not child.shard.closed:
            world.put(child.shard, randint(1, 3))
        child.fetch(3)
        world.time.turn(DAY - world.time.wall % DAY + uniform(0, 3600))
        while child.queue and child.alive and child not in world.running:
            world.deliver(child, 3)
