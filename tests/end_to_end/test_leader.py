"""A leader that is killed leaves no lock behind that keeps new shards waiting."""

from __future__ import annotations

import time

from tests.end_to_end.conftest import MakePipeline

LOCK_SECONDS = 110.0
"""What is left, at the least, of the two minutes that a dead leader's lock lives on."""


def test_shards_made_after_a_leaders_crash_are_read_as_soon_as_it_is_back(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(1, FILE_AGE="1")
    worker = pipeline.worker()
    with pipeline.load(rate=20):
        pipeline.start(worker)
        pipeline.wait_for("records to be stored", lambda: pipeline.watcher.look() > 0)
        (shard,) = pipeline.shards().values()
        worker.kill()
        killed = time.monotonic()
        middle = int(shard.ending_hash) // 2
        pipeline.kinesis.split_shard(StreamName=pipeline.stream, ShardToSplit=shard.id, NewStartingHashKey=str(middle))
        worker.start()
        children = [name for name in pipeline.shards() if name != shard.id]

        def stored() -> bool:
            return all(name in pipeline.watcher.shards and pipeline.watcher.shards[name].records for name in children)

        pipeline.wait_for(f"records of {', '.join(children)}", stored, LOCK_SECONDS)
        print(f"new shards stored {time.monotonic() - killed:.1f} s after the leader's crash")
    pipeline.wait_until_stored()
    pipeline.kill()
    pipeline.check()
