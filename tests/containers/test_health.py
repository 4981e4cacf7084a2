"""The health check is by progress: a worker whose emulator stands still is told, and is well again when it goes on.
Kinesis, DynamoDB and S3 live and die together, and no worker outlives them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.containers.compose import Compose, docker, eventually, inspect


@pytest.fixture
def compose(images: None) -> Iterator[Compose]:
    project = Compose(RECORDS="20", SHARDS="2", FILE_AGE="3", HEALTH_SECONDS="8")
    yield project
    project.down()


def status(container: str) -> str:
    return str(inspect(container)["State"]["Health"]["Status"])


def test_a_worker_that_does_not_get_on_is_unhealthy_until_it_does(compose: Compose) -> None:
    compose.up(workers=1)
    compose.report(20)
    (worker,) = compose.workers()
    aws = compose("ps", "--quiet", "aws").strip()
    eventually("healthy while idle", lambda: status(worker) == "healthy", 60, compose)
    docker("pause", aws)
    try:
        took = eventually("unhealthy", lambda: status(worker) == "unhealthy", 60, compose)
        print(f"unhealthy {took:.1f} s after the emulator stood still (8 s of no progress, 2 checks, one each 10 s)")
        print(inspect(worker)["State"]["Health"]["Log"][-1]["Output"].strip())
    finally:
        docker("unpause", aws)
    took = eventually("healthy again", lambda: status(worker) == "healthy", 90, compose)
    print(f"healthy {took:.1f} s after it went on")


def test_when_the_emulator_is_restarted_so_are_the_workers_and_all_begins_anew(compose: Compose) -> None:
    compose.up(workers=1)
    compose.report(20)
    (worker,) = compose.workers()
    started = inspect(worker)["State"]["StartedAt"]
    compose("restart", "--timeout", "2", "aws")
    assert inspect(worker)["State"]["StartedAt"] != started
    compose.up(workers=1)  # provisions and populates
    said = compose.report(20)
    assert "20 records" in said
    assert "everything holds" in said


pytestmark = pytest.mark.timeout(300)
