"""What the nemesis does to processes: kills, stops, frozen zombies, workers that leave and join."""

from __future__ import annotations

import signal
from collections.abc import Generator
from random import Random

from local.chaos_reshard import split
from local.chaos_world import PUT, World, pause, pick, until
from local.fault_proxy import Action, Fault
from local.nemesis import Act, Deck, Impossible, Steps
from local.supervisor import Worker

END_SECONDS = 45.0  # a daemon's grace is 20 s
PUT_SECONDS = 15.0  # FILE_AGE is a third of that
MOVE_SECONDS = 40.0  # to expire, to be assigned, to be read, and FILE_AGE; two minutes more without a leader
HELD_SECONDS = 45.0
NO_PUT = "nothing was put meanwhile, or by the leader: spared"
Child = tuple[Worker, int]
"""A worker and the process id of a child of it."""


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
    holder = yield from _held(world, shard, seconds, said)
    return (yield from _kill_holder(world, draw, holder, shard, said))


def kill_child_after_put(world: World, draw: Random) -> Steps:
    """It is stored, but the child never learns."""
    _, shard, _ = world.victim(draw)
    said = f"kill -9 of the child of {shard} after a put, before its checkpoint"
    lost = Fault("s3-answer-lost", Action.LOSE, methods=PUT, pattern=f"*/data/*{shard}-*", left=1)
    holder = yield from _putting(world, shard, lost, said)
    return (yield from _kill_holder(world, draw, holder, shard, said))


def kill_daemon(world: World, draw: Random) -> Steps:
    """Its children are orphans then."""
    worker, shard, _ = world.victim(draw)
    said = f"kill -9 of the daemon of {worker.id}{_leading(world, worker)}"
    worker.send(signal.SIGKILL, [worker.pid or 0])
    return (yield from _back(world, worker, shard, said))


def kill_daemon_in_put(world: World, draw: Random) -> Steps:
    seconds = draw.choice((0.5, 3.0, 9.0))
    _, shard, _ = world.victim(draw)
    said = f"kill -9 of a daemon inside a put of {shard}, held for {seconds} s"
    holder = yield from _held(world, shard, seconds, said)
    if holder is None or holder[0].id == world.spared(draw):
        return NO_PUT
    worker, _ = holder
    worker.send(signal.SIGKILL, [worker.pid or 0])
    return (yield from _back(world, worker, shard, f"{said}: {worker.id}{_leading(world, worker)}"))


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
    said = f"SIGTERM to {worker.id}{' and its children' if whole else ''}{_leading(world, worker)}"
    if whole:
        worker.send_group(signal.SIGTERM)
    else:
        worker.send(signal.SIGTERM, [worker.pid or 0])
    return (yield from _back(world, worker, shard, said))


def stop_daemon(world: World, draw: Random) -> Steps:
    """Past failoverTimeMillis: others take its leases, and it does not know."""
    worker, shard, _ = world.victim(draw)
    seconds = draw.uniform(7.0, 20.0)
    said = f"SIGSTOP of the daemon of {worker.id}{_leading(world, worker)} for {seconds:.0f} s"
    worker.send(signal.SIGSTOP, [worker.pid or 0])
    try:
        yield from pause(seconds, said)
        moved = world.watch.owner(shard) != worker.id
    finally:
        worker.resume()
    return "its leases had moved" if moved else "its leases had not moved"


def zombie(world: World, draw: Random) -> Steps:
    """A child is frozen inside a put, with its daemon, until another worker has stored what it was about to store."""
    _, shard, _ = world.victim(draw, leaders=0.0)
    return (yield from _zombie(world, shard, f"a worker frozen inside a put of {shard}"))


def zombie_at_shard_end(world: World, draw: Random) -> Steps:
    """The put is the shard's last: who comes back finds the shard ended by another."""
    _, shard, _ = world.victim(draw, leaders=0.0)
    return (yield from _zombie(world, shard, f"{split(world, shard)}; a worker frozen inside a put of it"))


def leave_for_a_while(world: World, draw: Random) -> Steps:
    running = world.supervisor.running()
    if len(running) < 2:
        raise Impossible
    worker = pick(draw, running)
    return (yield from _away([worker], draw.uniform(5.0, 25.0), f"{worker.id}{_leading(world, worker)} leaves"))


def one_alone(world: World, draw: Random) -> Steps:
    """All but one leave, and come back later: 3 → 1 → 3."""
    running = world.supervisor.running()
    if len(running) < 2:
        raise Impossible
    stays = pick(draw, running)
    rest = [worker for worker in running if worker is not stays]
    return (yield from _away(rest, draw.uniform(10.0, 30.0), f"all but {stays.id} leave"))


def one_more(world: World, draw: Random) -> Steps:
    worker = world.join()
    worker.wanted = True
    said = f"{worker.id} joins"
    try:
        took = yield from until(lambda: bool(worker.children()), 40.0, said)
        yield from pause(draw.uniform(5.0, 20.0), said)
    finally:
        _stop(worker)
    ended = yield from until(lambda: worker.pid is None, END_SECONDS, said)
    got = "it got no lease" if took is None else f"it read after {took:.0f} s"
    return f"{got}; SIGTERM, it {_after(ended, 'ended')}"


def _zombie(world: World, shard: str, said: str) -> Steps:
    holder = yield from _held(world, shard, HELD_SECONDS, said)
    if holder is None or holder[0].id == world.watch.leader:
        return NO_PUT
    worker, pid = holder
    said = f"{said}: {worker.id}{_leading(world, worker)}"
    daemon, before, adopted = worker.pid or 0, world.watch.at(shard), worker.log.events["adopted"]
    worker.send(signal.SIGSTOP, [pid, daemon])
    try:
        moved = yield from until(lambda: world.watch.at(shard) != before, MOVE_SECONDS, said)
    finally:
        worker.resume()
    if moved is None:
        return "nobody else stored meanwhile"
    world.proofs["zombies_put_late"] += 1  # the held request is sent on after another's link
    took = yield from until(lambda: worker.log.events["adopted"] > adopted or worker.pid != daemon, 30.0, said)
    ending = "it dropped it" if took is None else "it adopted that" if worker.pid == daemon else "it ended"
    return f"another stored after {moved:.0f} s; {ending}"


def _held(world: World, shard: str, seconds: float, said: str) -> Generator[str, None, Child | None]:
    """The next link of the shard waits on its way to S3; whose it is."""
    hold = Fault("s3-put-held", Action.HOLD, methods=PUT, pattern=f"*/data/*{shard}-*", left=1, seconds=seconds)
    return (yield from _putting(world, shard, hold, said))


def _putting(world: World, shard: str, fault: Fault, said: str) -> Generator[str, None, Child | None]:
    """Whose put the fault has struck; None when there was none for long."""
    with world.s3.striking(fault, first=True) as struck:
        if (yield from until(lambda: struck() > 0, PUT_SECONDS, said)) is None:
            return None
    return next(((worker, pid) for worker, read, pid in world.children() if read == shard), None)


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
    return f"{_after(again, 'started again')}, {shard} {_after(stored, 'stored again')}"


def _away(workers: list[Worker], seconds: float, said: str) -> Steps:
    for worker in workers:
        _stop(worker)
    try:
        ended = yield from until(lambda: all(worker.pid is None for worker in workers), END_SECONDS, said)
        yield from pause(seconds, said)
    finally:
        for worker in workers:
            worker.wanted = True
    return f"{_after(ended, 'ended')}, back {seconds:.0f} s later"


def _stop(worker: Worker) -> None:
    worker.wanted = False
    if worker.pid is not None:
        worker.send(signal.SIGTERM, [worker.pid])


def _leading(world: World, worker: Worker) -> str:
    return " (the leader)" if worker.id == world.watch.leader else ""


def _after(seconds: float | None, what: str) -> str:
    return f"not {what} within {END_SECONDS:.0f} s" if seconds is None else f"{what} after {seconds:.1f} s"


PROCESSES: Deck[World] = Deck(
    "processes",
    [
        Act("kill-child", kill_child),
        Act("kill-child-in-put", kill_child_in_put),
        Act("kill-child-after-put", kill_child_after_put),
        Act("kill-daemon", kill_daemon),
        Act("kill-daemon-in-put", kill_daemon_in_put),
        Act("kill-all", kill_all),
        Act("terminate", terminate),
        Act("stop-daemon", stop_daemon),
        Act("zombie", zombie),
        Act("zombie", zombie),
        Act("zombie-at-shard-end", zombie_at_shard_end),
        Act("leave", leave_for_a_while),
        Act("one-alone", one_alone),
        Act("join", one_more),
    ],
    (1.0, 5.0),
    ("zombie-at-shard-end", "kill-child-in-put"),
)
