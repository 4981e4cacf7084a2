"""Leases rest: three workers of the production profile share a quiet stream out once, and then leave it at that."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.worker import Worker

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1200)]
WORKERS = 3
QUIET_SECONDS = 600.0
RECORDS_A_SECOND = 4.0
"""Few enough that the throughput of a shard, which the daemon looks at for some seconds, is a matter of chance."""


@pytest.mark.parametrize("shards", [6, 12])
def test_a_lease_moves_at_most_once_in_ten_quiet_minutes(
    make_pipeline: MakePipeline, shards: int, record_property: Callable[[str, object], None]
) -> None:
    """Workers that are started together get equal shares at once. Leases are looked at every second."""
    pipeline = make_pipeline(shards, FILE_AGE="60")
    for number in range(WORKERS):
        pipeline.workers.append(Worker(f"worker-{number}", pipeline.environment, pipeline.folder, profile="production"))
    with pipeline.load(RECORDS_A_SECOND):
        for worker in pipeline.workers:
            worker.start()
        pipeline.wait_for("every lease to have an owner", lambda: None not in owners(pipeline).values())
        shares = Counter(owners(pipeline).values())
        assert shares == {worker.id: shards // WORKERS for worker in pipeline.workers}
        moves = count_moves(pipeline, QUIET_SECONDS)
    record_property("moves", dict(moves))
    print(f"{shards} shards: {moves.total()} moves in {QUIET_SECONDS:.0f} s, by shard {dict(moves)}")
    pipeline.wait_until_stored()
    pipeline.kill()
    pipeline.check()
    assert max(moves.values(), default=0) <= 1, moves


def count_moves(pipeline: Pipeline, seconds: float) -> Counter[str]:
    """How often each lease gets another owner."""
    moves: Counter[str] = Counter()
    before = owners(pipeline)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(1)
        now = owners(pipeline)
        moves.update(shard for shard, owner in now.items() if owner != before[shard])
        before = now
        for worker in pipeline.workers:
            worker.check()
    return moves


def owners(pipeline: Pipeline) -> dict[str, str | None]:
    return {shard: lease.owner for shard, lease in pipeline.leases().items()}
