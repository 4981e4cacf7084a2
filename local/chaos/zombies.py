"""What the nemesis wakes: a child that was frozen inside a put while another one took its shard over."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from random import Random

from local.chaos.nemesis import Act, Steps
from local.chaos.puts import NO_PUT, held, leading
from local.chaos.reshard import split
from local.chaos.world import World, until

MOVE_SECONDS = 40.0  # to expire, to be assigned, to be read, and FILE_AGE; two minutes more without a leader
HELD_SECONDS = 45.0


def zombie(world: World, draw: Random) -> Steps:
    """A child is frozen inside a put, with its daemon, until another worker has stored what it was about to store."""
    _, shard, _ = world.victim(draw, leaders=0.0)
    return (yield from _zombie(world, shard, f"a worker frozen inside a put of {shard}"))


def zombie_at_shard_end(world: World, draw: Random) -> Steps:
    """The put is the shard's last: who comes back finds the shard ended by another."""
    _, shard, _ = world.victim(draw, leaders=0.0)
    return (yield from _zombie(world, shard, f"{split(world, shard)}; a worker frozen inside a put of it"))


def _zombie(world: World, shard: str, said: str) -> Steps:
    holder = yield from held(world, shard, HELD_SECONDS, said)
    if holder is None or holder[0].id == world.watch.leader:
        return NO_PUT
    worker, pid = holder
    said = f"{said}: {worker.id}{leading(world, worker)}"
    daemon, before, adopted = worker.daemon, world.watch.at(shard), worker.log.events["adopted"]
    worker.send(signal.SIGSTOP, [pid, *daemon])
    try:
        moved = yield from until(lambda: world.watch.at(shard) != before, MOVE_SECONDS, said)
    finally:
        worker.resume()
    if moved is None:
        return "nobody else stored meanwhile"
    world.proofs["zombies_put_late"] += 1  # the held request is sent on after another's link
    took = yield from until(lambda: worker.log.events["adopted"] > adopted or worker.daemon != daemon, 30.0, said)
    ending = "it dropped it" if took is None else "it adopted that" if worker.daemon == daemon else "it ended"
    return f"another stored after {moved:.0f} s; {ending}"


ZOMBIES: Sequence[Act[World]] = (
    Act("zombie", zombie),
    Act("zombie", zombie),  # twice as often: what a zombie meets is worth most
    Act("zombie-at-shard-end", zombie_at_shard_end),
)
