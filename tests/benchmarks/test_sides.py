"""The benchmarks compare like with like: every side stores the same articles and checkpoints what it has stored."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from articles.avro import Avro, read_container
from articles.s3 import S3ObjectStore
from benchmarks.bench import S3Stub
from benchmarks.lines import Load
from benchmarks.process import can_measure, feed
from benchmarks.sides import BUCKET, KCLPY, LINES, OURS, PLAIN, Side, environment, native

pytestmark = pytest.mark.skipif(not can_measure(), reason="needs /proc, as Linux has it")
COLUMNS = ("article_id", "title", "author", "publish_date", "content", "word_count", "shard_id", "sequence_number")
GIVEN = Load.of(60, 20)


def stored(side: Side, stub: S3Stub, place: Path) -> list[Avro]:
    """What a side makes of GIVEN, in files of 25 records or more."""
    env = environment(stub.url, "p", place, FILE_RECORDS="25")
    feed(side.command, env, GIVEN.calls(), place / "child.log")
    store = S3ObjectStore(BUCKET, region="us-east-1", endpoint_url=stub.url)
    bodies = [store.read(key.removeprefix(f"{BUCKET}/")) for key in stub.sizes("p/data/")]
    assert len(bodies) > 1
    rows = [row for body in bodies for row in read_container(io.BytesIO(body or b""))]
    return sorted(rows, key=lambda row: str(row["sequence_number"]))


def expected() -> list[Avro]:
    sent = [json.loads(payload) for payload in GIVEN.payloads]
    return [
        {name: article.get(name) for name in COLUMNS}
        | {
            "word_count": len(article["content"].split()),
            "shard_id": "shardId-000000000000",
            "sequence_number": f"4965{number:052d}",
        }
        for number, article in enumerate(sent)
    ]


def test_ours_and_the_straightforward_build_store_the_same(tmp_path: Path, stub: S3Stub) -> None:
    for side in (OURS, PLAIN):
        place = tmp_path / side.name
        place.mkdir()
        with S3Stub(place, keep=True) as own:
            rows = stored(side, own, place)
        assert [{name: row[name] for name in COLUMNS} for row in rows] == expected()


@pytest.mark.soak
def test_the_native_child_stores_the_same(tmp_path: Path, stub: S3Stub) -> None:
    """It is built first, from crates that are fetched."""
    side = native()
    assert side
    rows = stored(side, stub, tmp_path)
    assert [{name: row[name] for name in COLUMNS} for row in rows] == expected()


@pytest.mark.parametrize("side", [KCLPY, LINES], ids=lambda side: str(side.name))
def test_a_floor_answers_every_call(side: Side, tmp_path: Path) -> None:
    cost = feed(side.command, environment("http://127.0.0.1:9", "p", tmp_path), GIVEN.calls(), tmp_path / "log")
    assert cost.work > 0
