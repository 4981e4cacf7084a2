"""Crashes under load: nothing is lost, nothing is stored twice, and the way back is short."""

from __future__ import annotations

import time
from pathlib import Path

from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.worker import KILLED, Worker

GRACE_SECONDS = 15.0
"""2 s on such a machine; the daemon's own grace is 20 s."""
BACK_SECONDS = 45.0
"""5 to 8 s on a machine that has nothing else to do; without the same worker id it would be two minutes."""


def test_a_child_and_then_a_worker_are_killed_and_come_back_under_the_same_id(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(2, FILE_AGE="2", FILE_RECORDS="15")  # cut in the middle of batches
    worker = pipeline.worker()
    with pipeline.load(rate=40):
        pipeline.start(worker)
        wait_until_both_store(pipeline, worker)
        worker.kill_child("shardId-000000000001")
        died = time.monotonic()
        assert worker.wait() == KILLED, "its watchdog ends the daemon, so that its supervisor starts it again"
        assert time.monotonic() - died < GRACE_SECONDS, "it waited out its grace for the dead child"
        assert len(worker.said('"event": "daemon-ended"')) == 1
        after_child = come_back(pipeline, worker)

        orphans = [live.pid for live in worker.live().values()]
        worker.kill()
        after_worker = come_back(pipeline, worker)
        pipeline.wait_for("the orphans to leave", lambda: not any(Path(f"/proc/{pid}").exists() for pid in orphans))
    assert not worker.said("Traceback")
    print(f"stored again {after_child:.1f} s after a child's crash, {after_worker:.1f} s after a worker's")
    assert max(after_child, after_worker) < BACK_SECONDS
    pipeline.wait_until_stored()
    pipeline.kill()
    stored = pipeline.check()
    assert stored.workers == {worker.id}


def come_back(pipeline: Pipeline, worker: Worker) -> float:
    """Seconds from the start to the first link of every shard."""
    began = time.monotonic()
    worker.start()
    wait_until_both_store(pipeline, worker)
    return time.monotonic() - began


def wait_until_both_store(pipeline: Pipeline, worker: Worker) -> None:
    def both() -> bool:
        live = worker.live().values()
        return len(live) == 2 and all(shard.objects for shard in live)

    pipeline.wait_for(f"both children of {worker.id} to store", both)
