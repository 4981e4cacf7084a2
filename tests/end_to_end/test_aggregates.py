"""Records that a KPL producer has packed together."""

from __future__ import annotations

import json

from aws_kinesis_agg.aggregator import RecordAggregator

from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline

SHARDS = ("shardId-000000000000", "shardId-000000000001")


def test_a_crash_inside_an_aggregate(make_pipeline: MakePipeline) -> None:
    """Links of 7 records cut an aggregate of 25 at 7, 14 and 21; the worker that is killed then goes on inside it."""
    pipeline = make_pipeline(2, FILE_AGE="300", FILE_RECORDS="7")
    worker = pipeline.worker()
    cut = {shard: put_aggregate(pipeline, shard, 25) for shard in SHARDS}
    pipeline.start(worker)

    def checkpoints() -> dict[str, tuple[str, int]]:
        return {lease.key: (lease.checkpoint, lease.sub) for lease in pipeline.leases().values()}

    inside = {shard: (sequence, 20) for shard, sequence in cut.items()}
    pipeline.wait_for("checkpoints inside the aggregates", lambda: checkpoints() == inside)
    pipeline.wait_until_buffered(2 * 4)
    worker.kill()
    worker.start(FILE_AGE="1")
    for shard in SHARDS:
        put_aggregate(pipeline, shard, 5)
    pipeline.put(10)  # plain ones behind them
    pipeline.wait_until_stored()
    pipeline.kill()
    stored = pipeline.check()
    for shard, sequence in cut.items():
        assert [file.said["first"] for file in stored.of(shard)][:4] == [f"{sequence}:{sub}" for sub in (0, 7, 14, 21)]


def put_aggregate(pipeline: Pipeline, shard: str, count: int) -> str:
    """One aggregated record of `count` articles; its sequence number.

    Every one of them carries an explicit hash key of the shard: the daemon drops a whole aggregate, without a word,
    when one of its records belongs elsewhere.
    """
    hash_key = pipeline.shards()[shard].starting_hash
    aggregator = RecordAggregator()
    records = pipeline.next_articles(count)
    for record in records:
        assert aggregator.add_user_record(record.key, record.data, hash_key) is None
    key, explicit_hash_key, data = aggregator.clear_and_get().get_contents()
    answer = pipeline.kinesis.put_record(
        StreamName=pipeline.stream, PartitionKey=key, ExplicitHashKey=explicit_hash_key, Data=data
    )
    assert answer["ShardId"] == shard
    sequence: str = answer["SequenceNumber"]
    with pipeline.ledger.open("a") as ledger:
        for sub, record in enumerate(records):
            entry = {"shard": shard, "sequence_number": sequence, "sub_sequence_number": sub, "words": record.words}
            ledger.write(json.dumps(entry) + "\n")
    return sequence
