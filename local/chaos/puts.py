"""The moment of a put: whose it is, and what to call what became of a worker."""

from __future__ import annotations

from collections.abc import Generator

from local.chaos.supervisor import Worker
from local.chaos.world import PUT, World, until
from local.fault_proxy import Action, Fault

END_SECONDS = 45.0  # a daemon's grace is 20 s
PUT_SECONDS = 15.0  # FILE_AGE is a third of that
NO_PUT = "nothing was put meanwhile, or by the leader: spared"
Child = tuple[Worker, int]
"""A worker and the process id of a child of it."""


def held(world: World, shard: str, seconds: float, said: str) -> Generator[str, None, Child | None]:
    """The next link of the shard waits on its way to S3; whose it is."""
    hold = Fault("s3-put-held", Action.HOLD, methods=PUT, pattern=f"*/data/*{shard}-*", left=1, seconds=seconds)
    return (yield from putting(world, shard, hold, said))


def putting(world: World, shard: str, fault: Fault, said: str) -> Generator[str, None, Child | None]:
    """Whose put the fault has struck; None when there was none for long."""
    with world.s3.striking(fault, first=True) as struck:
        if (yield from until(lambda: struck() > 0, PUT_SECONDS, said)) is None:
            return None
    return next(((worker, pid) for worker, read, pid in world.children() if read == shard), None)


def leading(world: World, worker: Worker) -> str:
    return " (the leader)" if worker.id == world.watch.leader else ""


def after(seconds: float | None, what: str) -> str:
    return f"not {what} within {END_SECONDS:.0f} s" if seconds is None else f"{what} after {seconds:.1f} s"
