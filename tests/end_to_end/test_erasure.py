"""The procedure of docs/erasure.md, with the real daemon under load."""

from __future__ import annotations

import json

from local.watcher import Watcher
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.worker import TERMINATED

NEW = "news/without-some"
ERASED = 5


def test_workers_go_on_in_a_prefix_without_what_was_erased(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(2, FILE_AGE="1")
    articles = pipeline.next_articles(150)
    gone = [article.article_id or "" for article in articles[:: len(articles) // ERASED]]
    worker = pipeline.worker()
    pipeline.start(worker)
    with pipeline.load(20):
        pipeline.put(articles)
        pipeline.wait_until_stored()
        run(pipeline, "tombstone", *gone)
        run(pipeline, "rewrite", "--to", f"s3://{pipeline.bucket}/{NEW}")
        before = pipeline.put_so_far
        pipeline.wait_until_stored(before + 20)
        worker.terminate()
        assert worker.wait() == TERMINATED
        refused = pipeline.launch(PREFIX=NEW)
        assert refused.returncode == 2
        assert "past" in refused.stderr
        again = json.loads(run(pipeline, "rewrite", "--to", f"s3://{pipeline.bucket}/{NEW}", "--json"))
        assert 0 < again["new_files"] < again["files"]
        assert (again["erased"]["good"], again["late_tombstones"]) == (ERASED, 0)
        pipeline.environment["PREFIX"] = pipeline.prefix = NEW
        pipeline.watcher = Watcher(pipeline.s3, pipeline.dynamodb, pipeline.bucket, NEW, pipeline.application)
        pipeline.start(pipeline.worker())
    pipeline.wait_until_stored(pipeline.put_so_far - ERASED)
    said = json.loads(
        run(pipeline, "verify", "--deep", "--leases", "--ledger", str(pipeline.ledger), "--json", "--prefix", NEW)
    )
    assert (said["ok"], said["erased"]["good"], said["records"]) == (True, ERASED, pipeline.put_so_far - ERASED)
    ids = {record["article_id"] for file in pipeline.stored().files for record in file.records}
    assert ids.isdisjoint(gone)


def run(pipeline: Pipeline, *arguments: str) -> str:
    done = pipeline.articles(*arguments)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout
