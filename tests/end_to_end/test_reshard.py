"""Shards that end and begin while records flow."""

from __future__ import annotations

from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline


def test_a_split_and_a_merge_under_load(make_pipeline: MakePipeline) -> None:
    """Every record once, and a child's first link after the END of its parents' chains (the watcher looks for that)."""
    pipeline = make_pipeline(2, FILE_AGE="1")
    first, second, left, right, merged = (f"shardId-00000000000{number}" for number in range(5))
    with pipeline.load(rate=40):
        pipeline.start(pipeline.worker("worker-1"), pipeline.worker("worker-2"))
        wait_until_stored_from(pipeline, first, second)
        middle = int(pipeline.shards()[second].starting_hash) * 3 // 2
        pipeline.kinesis.split_shard(StreamName=pipeline.stream, ShardToSplit=second, NewStartingHashKey=str(middle))
        wait_until_stored_from(pipeline, left, right)
        pipeline.kinesis.merge_shards(StreamName=pipeline.stream, ShardToMerge=first, AdjacentShardToMerge=left)
        wait_until_stored_from(pipeline, merged)
    pipeline.wait_until_stored()
    pipeline.kill()
    stored = pipeline.check()
    ended = {file.shard for file in stored.files if file.after[2] == "END"}
    assert ended == {first, second, left}
    assert pipeline.shards()[merged].parents == (first, left)


def wait_until_stored_from(pipeline: Pipeline, *shards: str) -> None:
    def stored() -> bool:
        return all(shard in pipeline.watcher.shards and pipeline.watcher.shards[shard].records for shard in shards)

    pipeline.wait_for(f"records of {', '.join(shards)}", stored)
