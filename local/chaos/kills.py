"""What the nemesis does to processes: kills and stops. The supervisor starts again who ends."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from random import Random

from local.chaos.nemesis import Act, Steps
from local.chaos.puts import END_SECONDS, NO_PUT, Child, after, held, leading, putting
from local.chaos.supervisor import Worker
from local.chaos.world import PUT, World, pause, until
from local.fault_proxy import Action, Fault


def kill_child(world: World, draw: Random) -> Steps:
    worker, shard, pid = world.victim(draw)
    said = f"kill -9 of the child of {shard} on {worker.id}"
    worker.send(signal.SIGKILL, [pid])
    return (yield from _back(world, worker, shard, said))


def kill_child_in_put(world: World, draw: Random) -> Steps:
    """The request is on its way: it arrives later, from nobody."""
    seconds = draw.choice((0.5, 4.0, 12.0, 20.0))
    _, shard, _ = world.victim(draw)
    said = f"kill -9 of the child of {shard} inside a put, which arrives {seconds} s later"
    holder = yield from held(world, shard, seconds, said)
    return (yield from _kill_holder(world, draw, holder, shard, said))


def kill_child_after_put(world: World, draw: Random) -> Steps:
    """It is stored, but the child never learns."""
    _, shard, _ = world.victim(draw)
    said = f"kill -9 of the child of {shard} after a put, before its checkpoint"
    lost = Fault("s3-answer-lost", Action.LOSE, methods=PUT, pattern=f"*/data/*{shard}-*", left=1)
    holder = yield from putting(world, shard, lost, said)
    return (yield from _kill_holder(world, draw, holder, shard, said))


def kill_daemon(world: World, draw: Random) -> Steps:
    """Its children are orphans then."""
    worker, shard, _ = world.victim(draw)
    said = f"kill -9 of the daemon of {worker.id}{leading(world, worker)}"
    worker.send(signal.SIGKILL, worker.daemon)
    return (yield from _back(world, worker, shard, said))


def kill_daemon_in_put(world: World, draw: Random) -> Steps:
    seconds = draw.choice((0.5, 3.0, 9.0))
    _, shard, _ = world.victim(draw)
    said = f"kill -9 of a daemon inside a put of {shard}, held for {seconds} s"
    holder = yield from held(world, shard, seconds, said)
    if holder is None or holder[0].id == world.spared(draw):
        return NO_PUT
    worker, _ = holder
    worker.send(signal.SIGKILL, worker.daemon)
    return (yield from _back(world, worker, shard, f"{said}: {worker.id}{leading(world, worker)}"))


def kill_all(world: World, draw: Random) -> Steps:
    """As when the power fails: daemons and children at once; mostly not where the leader is."""
    worker, shard, _ = world.victim(draw)
    leader = world.spared(draw)
    running = [worker for worker in world.supervisor.running() if worker.id != leader]
    said = f"kill -9 of daemons and children: {', '.join(worker.id for worker in running)}"
    for each in running:
        each.send_group(signal.SIGKILL)
    return (yield from _back(world, worker, shard, said))


def terminate(world: World, draw: Random) -> Steps:
    worker, shard, _ = world.victim(draw)
    whole = draw.random() < 0.5
    said = f"SIGTERM to {worker.id}{' and its children' if whole else ''}{leading(world, worker)}"
    if whole:
        worker.send_group(signal.SIGTERM)
    else:
        worker.send(signal.SIGTERM, worker.daemon)
    return (yield from _back(world, worker, shard, said))


def stop_daemon(world: World, draw: Random) -> Steps:
    """Past failoverTimeMillis: others take its leases, and it does not know."""
    worker, shard, _ = world.victim(draw)
    seconds = draw.uniform(7.0, 20.0)
    said = f"SIGSTOP of the daemon of {worker.id}{leading(world, worker)} for {seconds:.0f} s"
    worker.send(signal.SIGSTOP, worker.daemon)
    try:
        yield from pause(seconds, said)
        moved = world.watch.owner(shard) != worker.id
    finally:
        worker.resume()
    return "its leases had moved" if moved else "its leases had not moved"


def _kill_holder(world: World, draw: Random, holder: Child | None, shard: str, said: str) -> Steps:
    if holder is None or holder[0].id == world.spared(draw):
        return NO_PUT
    worker, pid = holder
    worker.send(signal.SIGKILL, [pid])
    return (yield from _back(world, worker, shard, f"{said}, on {worker.id}"))


def _back(world: World, worker: Worker, shard: str, said: str) -> Steps:
    """Until the shard gets on, whoever reads it."""
    yield said
    starts, before = worker.starts, world.watch.at(shard)
    again = yield from until(lambda: worker.starts > starts, END_SECONDS, said)
    before = before if again is None else world.watch.at(shard)
    stored = yield from until(lambda: world.watch.at(shard) != before, END_SECONDS, said)
    return f"{after(again, 'started again')}, {shard} {after(stored, 'stored again')}"


KILLS: Sequence[Act[World]] = (
    Act("kill-child", kill_child),
    Act("kill-child-in-put", kill_child_in_put),
    Act("kill-child-after-put", kill_child_after_put),
    Act("kill-daemon", kill_daemon),
    Act("kill-daemon-in-put", kill_daemon_in_put),
    Act("kill-all", kill_all),
    Act("terminate", terminate),
    Act("stop-daemon", stop_daemon),
)
