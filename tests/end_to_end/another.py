"""Another writer on a pipeline's prefix: the real child process, with the test in the daemon's place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aws_kinesis_agg import MAGIC, deaggregator

from articles.position import Position
from tests.consumer.child import Child, Line, delivered
from tests.end_to_end.pipeline import Pipeline

MD5_BYTES = 16


@contextmanager
def another(pipeline: Pipeline, name: str, **settings: str) -> Iterator[Child]:
    """A child in the environment that a launcher would hand it, with a state directory of its own."""
    stream = pipeline.identity()
    handed = {
        "STREAM_ARN": stream.arn,
        "STREAM_CREATED": str(stream.created),
        "STREAM_RETENTION_HOURS": "24",
        "START_AT": "TRIM_HORIZON",
        "WORKER_ID": name,
        "STATE_DIR": str(pipeline.folder / "state" / name),
    }
    with Child(pipeline.environment | handed | settings, pipeline.folder / f"{name}.log") as child:
        yield child


def begin(child: Child, shard: str, lease: str = "TRIM_HORIZON") -> None:
    child.send("initialize", shardId=shard, sequenceNumber=lease, subSequenceNumber=0)
    child.done("initialize")


def store(pipeline: Pipeline, name: str, shard: str, records: Sequence[Line]) -> None:
    """One link of exactly these records, the shard's first ones."""
    with another(pipeline, name, FILE_RECORDS=str(len(records))) as child:
        begin(child, shard)
        child.deliver(*records)
        child.checkpoints(str(Position.of(records[-1]["sequenceNumber"], records[-1]["subSequenceNumber"])))
        child.done("processRecords")


def on_stream(pipeline: Pipeline, shard: str) -> list[Line]:
    """What the daemon delivers of a shard, aggregates unpacked."""
    iterator = pipeline.kinesis.get_shard_iterator(
        StreamName=pipeline.stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )
    lines = []
    for record in pipeline.kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]:
        arrival = round(record["ApproximateArrivalTimestamp"].timestamp() * 1000)
        for sub, data in enumerate(_unpacked(record["Data"])):
            number = record["SequenceNumber"]
            lines.append(delivered(number, data, subSequenceNumber=sub, approximateArrivalTimestamp=arrival))
    return lines


def _unpacked(data: bytes) -> list[bytes]:
    if not data.startswith(MAGIC):
        return [data]
    aggregate = deaggregator.messages_pb2.AggregatedRecord()
    aggregate.ParseFromString(data[len(MAGIC) : -MD5_BYTES])
    return [record.data for record in aggregate.records]
