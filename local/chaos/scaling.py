"""What an orchestrator does: workers leave and join."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from random import Random

from local.chaos.nemesis import Act, Impossible, Steps
from local.chaos.puts import END_SECONDS, after, leading
from local.chaos.supervisor import Worker
from local.chaos.world import World, pause, pick, until


def leave_for_a_while(world: World, draw: Random) -> Steps:
    running = world.supervisor.running()
    if len(running) < 2:
        raise Impossible
    worker = pick(draw, running)
    return (yield from _away([worker], draw.uniform(5.0, 25.0), f"{worker.id}{leading(world, worker)} leaves"))


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
        stop(worker)
    ended = yield from until(lambda: worker.pid is None, END_SECONDS, said)
    got = "it got no lease" if took is None else f"it read after {took:.0f} s"
    return f"{got}; SIGTERM, it {after(ended, 'ended')}"


def _away(workers: list[Worker], seconds: float, said: str) -> Steps:
    for worker in workers:
        stop(worker)
    try:
        ended = yield from until(lambda: all(worker.pid is None for worker in workers), END_SECONDS, said)
        yield from pause(seconds, said)
    finally:
        for worker in workers:
            worker.wanted = True
    return f"{after(ended, 'ended')}, back {seconds:.0f} s later"


def stop(worker: Worker) -> None:
    worker.wanted = False
    worker.send(signal.SIGTERM, worker.daemon)


SCALING: Sequence[Act[World]] = (
    Act("leave", leave_for_a_while),
    Act("one-alone", one_alone),
    Act("join", one_more),
)
