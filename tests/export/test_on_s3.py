"""From one prefix of a bucket into another, by processes of their own."""

from __future__ import annotations

import io
import json
from pathlib import Path

import fastavro
import pytest

from articles import aws, cli
from articles.s3 import S3ObjectStore
from local.emulator import Emulator
from tests.articles.builder import Chain, articles, name

pytestmark = pytest.mark.xdist_group("export_on_emulator")
SOURCE, TO = "s3://exports/articles", "s3://exports/out/one"


def test_processes_read_and_write_a_bucket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Emulator() as emulator:
        for variable, value in emulator.environment().items():
            monkeypatch.setenv(variable, value)
        aws.client("s3").create_bucket(Bucket="exports")
        store = S3ObjectStore("exports", region=emulator.region, endpoint_url=emulator.endpoint_urls["s3"])
        for shard in range(2):
            chain = Chain(store, shard=name(shard))
            chain.root()
            chain.link(articles(range(1 + shard * 20, 21 + shard * 20), content="word " * 300))
        assert cli.main(["catalog", "build", SOURCE]) == 0
        before = {item.key: store.read(item.key) for item in store.list("articles")}
        monkeypatch.setattr("articles.export.plan.TASK_BYTES", 1)
        words = ["export", "1", SOURCE, "--to", TO, "--shuffle", "--file-size", "100", "--scratch", str(tmp_path)]
        words += ["--processes", "2", "--json"]
        capsys.readouterr()
        assert cli.main(words) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["new"]
        assert len(said["files"]) > 1
        records: list[str] = []
        for file in said["files"]:
            body = store.read(f"out/one/{file['name']}")
            assert body is not None
            assert len(body) == file["bytes"]
            records += [
                str(record["article_id"]) for record in fastavro.reader(io.BytesIO(body)) if isinstance(record, dict)
            ]
        assert sorted(records) == sorted(f"a-{number}-0" for number in range(1, 41))
        assert {item.key: store.read(item.key) for item in store.list("articles")} == before
        capsys.readouterr()
        key = f"{TO}/{said['files'][0]['name']}"
        assert cli.main(["head", key, "--bucket", "exports", "-n", "1", "--header"]) == 0
        shown = capsys.readouterr().out
        assert said["export"] in shown
        assert "article_id" in shown
