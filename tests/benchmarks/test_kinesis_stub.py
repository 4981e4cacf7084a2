"""The stub of Kinesis hands out every record once, in order, resumes where it is asked to, and throttles as Kinesis."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from articles.aws import client, describe_stream, list_shards
from benchmarks import kinesis_stub
from benchmarks.kinesis_stub import ANSWER_BYTES, THROTTLED, Refused, Stream
from benchmarks.lines import Load
from local.process import start
from tests.waiting import eventually

RECORDS = 25
FIRST = "shardId-000000000000:0"


def read(stream: Stream, iterator: str, limit: int = 10) -> dict[str, Any]:
    return stream.answer("GetRecords", {"ShardIterator": iterator, "Limit": limit}, binary=True)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    log = tmp_path / "stub.log"
    options = ["--shards", "2", "--records", str(RECORDS), "--stream", "news"]
    process = start("the stub", [sys.executable, "-m", "benchmarks.kinesis_stub", *options], dict(ENVIRONMENT), log)
    try:
        assert eventually(lambda: process.printed("\n"))
        yield log.read_text().split()[0]
    finally:
        process.kill()


ENVIRONMENT = {"PYTHONPATH": str(Path(kinesis_stub.__file__).parent.parent)}


def test_a_client_sees_a_stream_and_reads_every_record_once(url: str) -> None:
    kinesis = client("kinesis", region="us-east-1", endpoint_url=url)
    assert describe_stream(kinesis, "news").status == "ACTIVE"
    expected = [json.loads(payload) for payload in Load.of(RECORDS).payloads]
    for shard in list_shards(kinesis, "news"):
        asked = {"StreamName": "news", "ShardId": shard.id, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**asked)["ShardIterator"]
        found: list[Any] = []
        lag = 1
        while lag:
            said = kinesis.get_records(ShardIterator=iterator, Limit=10)
            iterator = said["NextShardIterator"]
            found += said["Records"]
            lag = said["MillisBehindLatest"]
        assert [json.loads(record["Data"]) for record in found] == expected
        numbers = [int(record["SequenceNumber"]) for record in found]
        assert numbers == sorted(set(numbers))
        assert numbers[0] > int(shard.starting_sequence)
    with urllib.request.urlopen(url) as answer:
        assert json.load(answer)["records"] == 2 * RECORDS


def test_a_reader_goes_on_after_the_record_that_it_names() -> None:
    stream = Stream("news", 1, RECORDS, limits=False)
    tenth = read(stream, FIRST)["Records"][-1]
    asked = {"ShardId": "shardId-000000000000", "StartingSequenceNumber": tenth["SequenceNumber"]}
    positions = {"AFTER_SEQUENCE_NUMBER": "key-10", "AT_SEQUENCE_NUMBER": "key-9"}
    for kind, key in positions.items():
        iterator = stream.answer("GetShardIterator", asked | {"ShardIteratorType": kind}, binary=True)["ShardIterator"]
        assert read(stream, iterator)["Records"][0]["PartitionKey"] == key


def test_a_look_at_one_record_is_not_a_beginning() -> None:
    stream = Stream("news", 1, RECORDS, limits=False)
    read(stream, FIRST, limit=1)
    assert stream.served["records"] == 0
    before = time.time()
    read(stream, FIRST)
    assert before <= (stream.served["first"] or 0) <= time.time()


def test_with_limits_a_shard_is_not_read_twice_at_once_and_others_are() -> None:
    stream = Stream("news", 2, RECORDS, limits=True)
    read(stream, FIRST)
    with pytest.raises(Refused, match=THROTTLED):
        read(stream, FIRST)
    assert read(stream, "shardId-000000000001:0")["Records"]
    assert stream.served["throttled"] == 1


def test_an_answer_has_at_most_ten_mebibytes() -> None:
    stream = Stream("news", 1, 5000, limits=False)
    records = read(stream, FIRST, limit=10_000)["Records"]
    size = sum(len(record["Data"]) for record in records)
    assert ANSWER_BYTES - 20_000 < size <= ANSWER_BYTES
