"""What producers send, and pages that turn."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from articles.chain import Root, ShardName
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.s3 import S3ObjectStore
from consumer.idle import AFTER_MIDNIGHT_SECONDS
from local.source import outgoing
from tests.consumer import payloads
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline

BUSY, IDLE = "shardId-000000000000", "shardId-000000000001"
BAD = dict(payloads.BAD.values())


def test_bad_input_between_good_and_pages_that_turn(make_pipeline: MakePipeline) -> None:
    """Another application has begun both chains, two days ago. In the busy shard the first record turns the page with
    an empty link, and bad records are set aside between good ones; the idle shard turns its page by itself."""
    pipeline = make_pipeline(2, FILE_AGE="2")
    two_days_ago = str(datetime.now(UTC).date() - timedelta(days=2))
    begin_chains(pipeline, two_days_ago)
    zipped = pipeline.next_articles(1)[0]
    records = [replace(zipped, data=gzip.compress(zipped.data))]
    for line, payload in enumerate(BAD):
        records += [outgoing(line, payload), *pipeline.next_articles(1)]
    key = pipeline.key_of(BUSY)
    pipeline.put([replace(record, key=key) for record in records])
    before = datetime.now(UTC)
    worker = pipeline.worker()
    pipeline.start(worker)
    pipeline.wait_until_stored()
    pipeline.wait_for("the idle shard to turn its page", lambda: IDLE in pipeline.watcher.shards)
    pipeline.kill()
    stored = pipeline.check()

    assert dict(stored.payloads.values()) == BAD
    busy, idle = stored.of(BUSY), stored.of(IDLE)
    assert (busy[0].page, busy[0].records) == (two_days_ago, [])
    assert busy[0].after[:2] == (0, 0)
    assert busy[1].page == busy[0].after[2] == str(busy[1].records[0]["arrival_timestamp"].date())
    assert sum(len(file.records) for file in busy) == len(BAD) + 1
    assert (idle[0].page, idle[0].records) == (two_days_ago, [])
    target = (before - timedelta(seconds=AFTER_MIDNIGHT_SECONDS)).date()
    assert idle[0].after in [(0, 0, str(target)), (0, 0, str(target + timedelta(days=1)))]


def begin_chains(pipeline: Pipeline, page: str) -> None:
    """Write the roots of all shards."""
    store = RetryingStore(
        S3ObjectStore(pipeline.bucket, region=pipeline.region, endpoint_url=pipeline.environment["AWS_ENDPOINT_URL_S3"])
    )
    stream = pipeline.identity()
    for shard in pipeline.shards().values():
        name = ShardName(pipeline.stream, stream.created, shard.id)
        written = int(datetime.now(UTC).timestamp() * 1000)
        root = Root(name, page, "TRIM_HORIZON", stream.arn, shard.starting_sequence, written, "another")
        assert store.create(Layout(pipeline.prefix).root_key(name), root.to_json(), {}) is None
