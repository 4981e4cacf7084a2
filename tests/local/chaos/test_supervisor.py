"""Who ends and is wanted is started again under the same id; nothing outlives the supervisor."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.chaos.supervisor import Supervisor, Worker, ending, parent_of
from tests.waiting import eventually

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
REFUSER = (sys.executable, "-c", "import sys; print('run_kcl.sh: no such bucket', file=sys.stderr); sys.exit(2)")
PARENT = (sys.executable, "-c", "import subprocess; subprocess.run(['sleep', '600'])")
Make = Callable[..., tuple[Supervisor, Worker]]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def make(tmp_path: Path, said: list[str]) -> Iterator[Make]:
    with ExitStack() as stack:

        def supervised(command: tuple[str, ...]) -> tuple[Supervisor, Worker]:
            worker = Worker("worker-1", dict(os.environ), tmp_path, command)
            worker.wanted = True
            return stack.enter_context(Supervisor([worker], lambda who, what: said.append(f"{who}: {what}"))), worker

        yield supervised


def ticking(supervisor: Supervisor, ready: Callable[[], bool]) -> bool:
    def look() -> bool:
        supervisor.tick()
        return ready()

    return eventually(look)


def test_a_killed_worker_is_started_again_and_it_is_said_why(make: Make, said: list[str]) -> None:
    supervisor, worker = make(SLEEPER)
    supervisor.tick()
    first = worker.pid
    assert first is not None
    worker.send(signal.SIGKILL, [first])
    assert ticking(supervisor, lambda: worker.starts == 2)
    assert worker.pid not in {None, first}
    assert said == ["worker-1: killed; started again"]
    assert supervisor.restarts == {"killed": 1}


def test_one_that_is_not_wanted_stays_away(make: Make, said: list[str]) -> None:
    supervisor, worker = make(SLEEPER)
    supervisor.tick()
    supervisor.end()
    assert ticking(supervisor, lambda: worker.pid is None)
    supervisor.tick()
    assert worker.starts == 1
    assert said == ["worker-1: terminated; not to run now"]
    assert supervisor.restarts.total() == 0


def test_one_that_refuses_is_tried_again_with_its_reason_told(make: Make, said: list[str]) -> None:
    supervisor, worker = make(REFUSER)
    assert ticking(supervisor, lambda: worker.starts == 3)
    assert said[0] == "worker-1: did not start: no such bucket; started again"
    assert supervisor.restarts["did not start"] >= 2
    assert supervisor.refusals["no such bucket"] >= 2


def test_one_that_is_frozen_is_resumed_to_end(make: Make) -> None:
    supervisor, worker = make(SLEEPER)
    supervisor.tick()
    assert worker.pid is not None
    worker.send(signal.SIGSTOP, [worker.pid])
    assert worker.is_stopped
    assert supervisor.running() == []
    supervisor.end()
    assert ticking(supervisor, lambda: worker.pid is None)


def test_orphans_end_with_the_supervisor(tmp_path: Path) -> None:
    worker = Worker("worker-1", dict(os.environ), tmp_path, PARENT)
    worker.wanted = True
    with Supervisor([worker], lambda *_: None) as supervisor:
        supervisor.tick()
        daemon = worker.pid or 0
        assert eventually(lambda: bool(children_of(daemon)))
        (orphan,) = children_of(daemon)
        worker.wanted = False
        worker.send(signal.SIGKILL, [daemon])
        assert ticking(supervisor, lambda: worker.pid is None)
        assert parent_of(orphan) not in {None, daemon}
    assert eventually(lambda: parent_of(orphan) is None)


@pytest.mark.parametrize(
    "status, words, told",
    [
        (-9, "", "killed"),
        (143, "", "terminated"),
        (1, "shardId-1 left with 71, no S3", "ended after its child: shardId-1 left with 71, no S3"),
        (2, "no bucket", "did not start: no bucket"),
        (80, "", "ended with status 80"),
    ],
)
def test_how_a_worker_ended(status: int, words: str, told: str) -> None:
    assert ending(status, words) == told


def children_of(parent: int) -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if parent_of(int(entry.name)) == parent]
