"""When the demo takes its workers for running."""

from __future__ import annotations

from pathlib import Path

import pytest

from consumer.live import Live, Publisher
from local.workers import Workers


def child(folder: Path, worker: str, shard: str) -> None:
    """What a consumer's child leaves in its worker's state directory when it has started."""
    live = Live(shard, worker, 1, 0.0)
    Publisher(folder / "state" / worker, live).publish(0.0, 0.0, now=True)


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(2, "articles", None, {}, tmp_path)


def test_a_worker_that_was_given_a_lease_does_not_read_before_its_child_runs(workers: Workers, tmp_path: Path) -> None:
    holders = {"shard-0": "worker-1", "shard-1": "worker-2"}
    child(tmp_path, "worker-1", "shard-0")
    assert not workers.all_read(holders)
    child(tmp_path, "worker-2", "shard-1")
    assert workers.all_read(holders)


def test_a_worker_that_lost_its_lease_does_not_read(workers: Workers, tmp_path: Path) -> None:
    child(tmp_path, "worker-1", "shard-0")
    child(tmp_path, "worker-2", "shard-1")
    assert not workers.all_read({"shard-0": "worker-1", "shard-1": "worker-1"})
