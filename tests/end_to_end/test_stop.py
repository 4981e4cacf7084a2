"""Workers that share the shards, and are told to stop."""

from __future__ import annotations

import time

from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.worker import GRACE_SECONDS, TERMINATED


def test_two_workers_share_the_shards_and_store_what_they_hold_when_told_to_stop(make_pipeline: MakePipeline) -> None:
    """SIGTERM to the daemon alone, and to a whole process group: what had been delivered is stored inside the grace."""
    pipeline = make_pipeline(4, FILE_AGE="300", FILE_RECORDS="1000000")
    alone, group = pipeline.worker("worker-1"), pipeline.worker("worker-2")
    pipeline.start(alone, group)
    # Leases that the second worker came too late for move by their load alone.
    with pipeline.load(rate=20):
        pipeline.wait_for(
            "both workers to read",
            lambda: all(worker.buffered for worker in (alone, group)),
        )
    pipeline.wait_until_buffered(pipeline.put_so_far)
    assert pipeline.watcher.look() == 0
    began = time.monotonic()
    alone.terminate()
    group.terminate_group()
    assert (alone.wait(), group.wait()) == (TERMINATED, TERMINATED)
    assert time.monotonic() - began < GRACE_SECONDS
    stored = pipeline.check()
    assert stored.workers == {alone.id, group.id}
