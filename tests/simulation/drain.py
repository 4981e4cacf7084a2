"""The end of a schedule: the load stops, and nothing fails any more."""

from __future__ import annotations

from random import random

from tests.simulation.daemon import QUEUE, SHARD_END
from tests.simulation.stream import StreamShard
from tests.simulation.violation import Violation
from tests.simulation.world import World


def drain(world: World) -> set[str]:
    """No faults any more: everything that is there is read to its end, in a bounded number of calls. Returns the
    shards that an operator must let go on."""
    world.faults.on = False
    world.bucket.hidden = 0
    while world.on_the_way:
        world.acts.land()
    waiting: set[str] = set()
    if random() < 0.7:
        for child in world.children:
            child.alive = False
    for application in range(world.applications):
        for shard in world.stream.live:  # parents come first
            world.time.turn(1.0)
            if any(parent.key in waiting for parent in shard.parents):
                waiting.add(shard.key)
            elif world.ready(application, shard):
                _drain(world, application, shard, waiting)
    return waiting


def _drain(world: World, application: int, shard: StreamShard, waiting: set[str]) -> None:
    lease = world.lease(application, shard)
    child = next((one for one in world.children if one.alive and one.number == lease.owner and not one.parked), None)
    restarted = False
    for _ in range(len(shard.puts) // 50 + QUEUE + 40):
        if lease.checkpoint is SHARD_END:
            return
        if child is None or not child.alive:
            child = world.start(application, shard)
            if child is None:
                raise Violation(9, f"{shard.key} does not start")
        elif child.parked and not restarted:
            child, restarted = None, True
        elif child.parked:
            if not world.drops:
                raise Violation(9, f"parked: {child.parked}")
            waiting.add(shard.key)
            return
        elif not child.read_all:
            world.deliver(child, 100)
        elif shard.closed:
            world.end(child)
        elif world.shutdown(child):
            return
    raise Violation(9, f"{shard.key} is not read to its end: {len(shard.puts)} records, lease {lease.checkpoint}")
