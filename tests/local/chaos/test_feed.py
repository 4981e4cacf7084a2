"""The load is reproducible, and its ledger says what is on the stream, aggregates included."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from articles.aws import list_shards
from local.chaos.feed import BAD, BAD_SHARE, ChaosFeed, records
from local.source import parse
from tests.waiting import eventually

MakeStream = Callable[[int], str]


def test_a_seed_gives_the_same_records() -> None:
    assert list(islice(records(1), 50)) == list(islice(records(1), 50))
    assert list(islice(records(1), 50)) != list(islice(records(2), 50))


def test_some_records_are_no_articles_and_all_the_others_are_small() -> None:
    drawn = list(islice(records(1), 2000))
    bad = [record for record in drawn if record.words is None]
    assert 0.5 * BAD_SHARE < len(bad) / len(drawn) < 2 * BAD_SHARE
    assert {record.data for record in bad} == set(BAD)
    assert sum(record.size for record in drawn) / len(drawn) < 1500


def test_what_is_bad_is_bad() -> None:
    assert [data for data in BAD if parse(data) is not None] == []


@pytest.mark.slow
def test_the_ledger_says_what_is_on_the_stream(kinesis: Any, stream: MakeStream, tmp_path: Path) -> None:
    name, ledger = stream(2), tmp_path / "ledger.jsonl"
    with ChaosFeed(kinesis, name, 1, 500.0, ledger) as feed:
        assert eventually(lambda: feed.progress.records > 150)
    feed.check()
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert len(entries) == feed.progress.records == feed.progress.shards.total()
    assert sum(entry["words"] is None for entry in entries) == feed.progress.invalid
    assert max(entry["sub_sequence_number"] for entry in entries) > 0, "no aggregate was put"
    listed = {(entry["shard"], entry["sequence_number"]) for entry in entries}
    assert listed == {
        (shard.id, number) for shard in list_shards(kinesis, name) for number in on(kinesis, name, shard.id)
    }


def on(kinesis: Any, stream: str, shard: str) -> list[str]:
    """The sequence numbers of what is on a shard."""
    found: list[str] = []
    at = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    while True:
        page = kinesis.get_records(ShardIterator=at)
        found += [record["SequenceNumber"] for record in page["Records"]]
        if not page["MillisBehindLatest"] and not page["Records"]:
            return found
        at = page["NextShardIterator"]
