"""A worker's runs become rates, shares and costs; and both workers really store the same articles."""

from __future__ import annotations

import io
import json
from pathlib import Path

import fastavro
import pytest

from benchmarks.end_to_end import compare, parts
from benchmarks.lines import Load as Lines
from benchmarks.process import can_measure
from benchmarks.sides import BUCKET, Side
from benchmarks.worker import ASYNC, CHILDREN, CHILDREN_S3, DAEMON, KINESIS, STORE, WORKER, Load, Place, Run
from consumer.provision import Clients

LOAD = Load(shards=2, records=1000, file_records=500)


def made(wall: float, daemon: float, children: float) -> Run:
    cpu = {DAEMON: daemon, f"{DAEMON}: network": daemon / 2, CHILDREN: children, CHILDREN_S3: 0.0, KINESIS: 9, STORE: 9}
    return Run(start=3.0, wall=wall, cpu=cpu, start_cpu=1.0, daemon_peak=0, stored=0)


def test_rates_are_of_all_shards_and_cpu_is_of_the_worker_alone() -> None:
    found = {result.unit: result for result in compare(LOAD, [made(2.0, 0.1, 0.1)], [made(4.0, 0.6, 0.0)])}
    records, cpu = found["records/s a worker"], found["µs CPU a record"]
    assert (records.ours, records.other, records.ratio) == (1000, 500, 2)
    assert (cpu.ours, cpu.other, cpu.ratio) == pytest.approx((100, 300, 3))
    worker, shard = found["MB/s a worker"], found["MB/s a shard"]
    assert worker.ours == pytest.approx(2 * shard.ours)
    assert worker.ours == pytest.approx(Lines.of(1000).raw * 2 / 2.0 / 1e6)


def test_a_part_is_a_share_of_the_workers_cpu() -> None:
    shares = {result.name.partition(": ")[2]: result.ratio for result in parts(LOAD, [made(2.0, 0.3, 0.1)])}
    assert shares[DAEMON] == pytest.approx(0.75)
    assert shares[f"{DAEMON}: network"] == pytest.approx(0.375)
    assert shares[CHILDREN] == pytest.approx(0.25)


@pytest.mark.soak
@pytest.mark.skipif(not can_measure(), reason="needs /proc, as Linux has it")
@pytest.mark.parametrize("side", [WORKER, ASYNC], ids=lambda side: str(side.name))
def test_a_worker_stores_every_article(side: Side, tmp_path: Path) -> None:
    """The other consumer's environment is made by `./run_benchmarks.sh`."""
    expected = sorted(
        (article["article_id"], len(article["content"].split()))
        for article in map(json.loads, Lines.of(LOAD.records).payloads)
        for _ in range(LOAD.shards)
    )
    with Place(tmp_path, LOAD) as place:
        run = place.run(side)
        s3 = Clients.open("us-east-1").s3
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket=BUCKET, Prefix="articles/data/")["Contents"]]
        bodies = [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
    rows = [(row["article_id"], row["word_count"]) for body in bodies for row in fastavro.reader(io.BytesIO(body))]  # type: ignore[index,call-overload]
    assert sorted(rows) == expected
    assert run.worker_cpu > 0
    assert run.stored == sum(map(len, bodies))
