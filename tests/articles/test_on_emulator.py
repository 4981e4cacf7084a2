"""The commands as they are used: over S3, beside a stream and its lease table."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from articles import aws, cli
from articles.s3 import S3ObjectStore
from local.emulator import Emulator
from tests.articles.builder import Article, Chain, name
from tests.articles.builder import articles as records

pytestmark = pytest.mark.xdist_group("articles_on_emulator")
Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def run(emulator: Emulator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    settings = emulator.environment() | {"BUCKET": "my-bucket", "STREAM_NAME": "MyStream", "APPLICATION_NAME": "app"}
    for variable, value in settings.items():
        monkeypatch.setenv(variable, value)

    def run(*words: str) -> tuple[int, str]:
        status = cli.main(words)
        said = capsys.readouterr()
        return status, said.out or said.err

    return run


def test_dead_letters_go_back_into_a_real_stream(emulator: Emulator, run: Run) -> None:
    kinesis = aws.client("kinesis")
    kinesis.create_stream(StreamName="Letters", ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName="Letters", WaiterConfig={"Delay": 1})
    assert run("provision", "--stream", "Letters", "--application", "letters")[0] == 0
    store = S3ObjectStore("my-bucket", region=emulator.region, endpoint_url=emulator.endpoint_urls["s3"])
    created = aws.describe_stream(kinesis, "Letters").created
    chain = Chain(store, shard=name(0, "Letters", created))
    chain.root()
    bad = [Article(n, None, payload=b'{"article_id":"%d"}' % n, partition_key=f"k{n}") for n in range(1, 151)]
    chain.link([*bad, Article(200)])

    replay = ("dead-letters", "replay", "--stream", "Letters", "--all", "--json")
    status, out = run(*replay)
    assert (status, json.loads(out.splitlines()[-1])["totals"]["skipped"]) == (1, 150)
    mend = 'sed \'s/}$/,"content":"mended"}/\''
    status, out = run(*replay, "--map", mend)
    assert (status, json.loads(out.splitlines()[-1])["totals"]["put"]) == (0, 150)
    status, out = run(*replay, "--map", mend)
    assert (status, json.loads(out.splitlines()[-1])["totals"]["replayed before"]) == (0, 150)

    found = Counter(record for shard in aws.list_shards(kinesis, "Letters") for record in on_shard(kinesis, shard.id))
    assert found == Counter((b'{"article_id":"%d","content":"mended"}' % n, f"k{n}") for n in range(1, 151))
    assert run("verify", "--deep", "--stream", "Letters")[0] == 0
    assert json.loads(run("average", "--stream", "Letters", "--json")[1])["records"] == 1


def on_shard(kinesis: Any, shard: str) -> Iterator[tuple[bytes, str]]:
    """Everything that lies on it now."""
    at = kinesis.get_shard_iterator(StreamName="Letters", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    iterator = at["ShardIterator"]
    while True:
        page = kinesis.get_records(ShardIterator=iterator)
        yield from ((record["Data"], record["PartitionKey"]) for record in page["Records"])
        if not page["Records"] and not page["MillisBehindLatest"]:
            return
        iterator = page["NextShardIterator"]


def test_the_commands_over_a_real_stream(emulator: Emulator, run: Run) -> None:
    kinesis = aws.client("kinesis")
    kinesis.create_stream(StreamName="MyStream", ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName="MyStream", WaiterConfig={"Delay": 1})
    assert run("average")[0] == 2, "there is no bucket yet"
    assert run("provision")[0] == 0

    created = aws.describe_stream(kinesis, "MyStream").created
    store = S3ObjectStore("my-bucket", region=emulator.region, endpoint_url=emulator.endpoint_urls["s3"])
    first, second = (Chain(store, shard=name(shard, created=created)) for shard in range(2))
    first.root()
    key = first.link([Article(1, "one two"), Article(2, None), Article(3, "one")])

    status, out = run("watermark", "--json")
    assert (status, json.loads(out)["complete"], json.loads(out)["stream_asked"]) == (0, None, True)
    second.root()
    second.link(records([5]), page="2025-06-18")
    assert json.loads(run("watermark", "--json")[1])["complete"] == "2025-06-15"

    status, out = run("verify", "--deep", "--leases", "--json")
    assert status == 0
    assert json.loads(out)["counts"] == {}
    assert json.loads(run("average", "--json")[1])["value"] == 2.0
    assert len(json.loads(run("files", "--json")[1])["files"]) == 2
    assert '"one two"' in run("head", key, "--json")[1]

    aws.client("dynamodb").update_item(
        TableName="app",
        Key={"leaseKey": {"S": name(0).shard}},
        UpdateExpression="SET checkpoint = :past",
        ExpressionAttributeValues={":past": {"S": "4"}},
    )
    status, out = run("verify", "--leases", "--json")
    assert status == 1
    assert json.loads(out)["counts"] == {"lease_past_chain": 1}
