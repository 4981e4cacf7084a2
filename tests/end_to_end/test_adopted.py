"""A shorter link of another writer stands where a file is to go: it is adopted, and the rest follows."""

from __future__ import annotations

from tests.end_to_end.another import on_stream, store
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.test_aggregates import put_aggregate
from tests.end_to_end.worker import TERMINATED


def test_a_shorter_link_is_adopted_at_shard_end_at_shutdown_and_inside_an_aggregate(
    make_pipeline: MakePipeline,
) -> None:
    """SHARD_END comes only after the rest is sealed: one seal is not enough."""
    pipeline = make_pipeline(3, FILE_AGE="300")
    ending, stopping, packed = sorted(pipeline.shards())
    pipeline.fill(10, ending, stopping)
    sequence = put_aggregate(pipeline, packed, 25)
    worker = pipeline.worker()
    pipeline.start(worker)
    pipeline.wait_until_buffered(10 + 10 + 25)
    for shard, count in ((ending, 4), (stopping, 4), (packed, 9)):
        store(pipeline, f"another-{shard}", shard, on_stream(pipeline, shard)[:count])

    hashes = pipeline.shards()[ending]
    middle = (int(hashes.starting_hash) + int(hashes.ending_hash)) // 2
    pipeline.kinesis.split_shard(StreamName=pipeline.stream, ShardToSplit=ending, NewStartingHashKey=str(middle))
    pipeline.wait_for("the lease's end", lambda: pipeline.leases()[ending].checkpoint == "SHARD_END")
    assert pipeline.watcher.look() == 10 + 4 + 9
    worker.terminate()
    assert worker.wait() == TERMINATED
    stored = pipeline.check()
    for shard, cuts in ((ending, [4, 6]), (stopping, [4, 6]), (packed, [9, 16])):
        files = stored.of(shard)
        assert [len(file.records) for file in files] == cuts
        assert [file.said["worker"] for file in files] == [f"another-{shard}", worker.id]
    assert [file.after[2] == "END" for file in stored.of(ending)] == [False, True]
    assert stored.of(packed)[0].said["after"].startswith(f"{sequence}:8:")
    reasons = {
        shard: worker.said(f'"event": "adopted", "worker": "{worker.id}", "shard": "{shard}"')
        for shard in (ending, stopping, packed)
    }
    assert ['"reason": "shard end"' in reasons[ending][0], '"reason": "shutdown"' in reasons[stopping][0]] == [
        True,
        True,
    ]
