"""Two versions of the schema under the real daemon: an upgrade and its rollback, with the other version beside it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest

from consumer.provision import Clients, Plan, provision
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.test_handover import wait_until_both_adopt
from tests.end_to_end.worker import PROJECT
from tests.schema import worked_example

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


def test_an_upgrade_and_its_rollback(make_pipeline: MakePipeline, tmp_path: Path) -> None:
    """Version 2 is the example of `docs/schema.md`. A hot standby of the other version races for every link."""
    worked_example.write(tmp_path / "version-2")
    old = {"FILE_RECORDS": "11", "PYTHONPATH": str(PROJECT)}
    new = {"FILE_RECORDS": "15", "PYTHONPATH": str(tmp_path / "version-2")}
    pipeline = make_pipeline(2, FILE_AGE="2")
    standby = f"{pipeline.application}-standby"
    clients = Clients(pipeline.kinesis, pipeline.dynamodb, pipeline.s3, pipeline.region)
    provision(Plan(pipeline.stream, pipeline.bucket, standby), clients)
    one, two = pipeline.worker("worker-1"), pipeline.worker("worker-2", APPLICATION_NAME=standby)
    with pipeline.load(rate=60):
        for turn, (first, second) in enumerate([(old, new), (new, old)], 1):
            one.start(**first)
            two.start(**second)
            wait_until_both_adopt(pipeline, turn)
            pipeline.kill()
        one.start(**old)
    pipeline.wait_until_stored()
    pipeline.kill()
    stored = pipeline.check()
    for shard in pipeline.shards():
        steps = {(before.said["schema"], after.said["schema"]) for before, after in pairwise(stored.of(shard))}
        assert steps >= {("1", "2"), ("2", "1")}, "handed over in one direction only"
    for file in stored.files:
        assert {"sentence_count" in record for record in file.records} <= {file.said["schema"] == "2"}
    assert any(record.get("sentence_count") for file in stored.files for record in file.records)
    for version in (old, new):
        found = pipeline.articles("verify", "--deep", "--json", PYTHONPATH=version["PYTHONPATH"])
        assert found.returncode == 0, found.stdout
        average = json.loads(pipeline.articles("average", "--json", PYTHONPATH=version["PYTHONPATH"]).stdout)
        assert (average["words"], average["records"]) == (stored.words, sum(stored.articles.values()))
        assert len(average["enrichments"]) == 2
