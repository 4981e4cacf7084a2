"""Days that end: `articles watermark` must be right at every moment, not only at the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.test_input import begin_chains

Sample = tuple[str | None, frozenset[str]]
"""The last complete day that the command told of, and the keys that were there afterwards."""


@pytest.mark.soak
def test_a_day_that_is_complete_never_grows(make_pipeline: MakePipeline) -> None:
    """All chains were begun two days ago. One shard is busy, one idle, one ends without a single record, and its
    children begin: all turn their pages, each in its own time."""
    pipeline = make_pipeline(3, FILE_AGE="1")
    today = datetime.now(UTC).date()
    begin_chains(pipeline, str(today - timedelta(days=2)))
    busy, idle, ending = sorted(pipeline.shards())
    samples: list[Sample] = []
    with watermarks(pipeline, samples):
        pipeline.wait_for("a first look", lambda: samples)
        pipeline.start(pipeline.worker())
        hashes = pipeline.shards()[ending]
        middle = (int(hashes.starting_hash) + int(hashes.ending_hash)) // 2
        pipeline.kinesis.split_shard(StreamName=pipeline.stream, ShardToSplit=ending, NewStartingHashKey=str(middle))
        pipeline.fill(20, busy)
        pipeline.wait_until_stored()
        pipeline.wait_for("the empty shard's end", lambda: pipeline.leases()[ending].checkpoint == "SHARD_END")
        # Within half an hour of midnight the idle shards turn to yesterday, and that day is complete a day later.
        pipeline.wait_for("a day to be complete", lambda: (samples[-1][0] or "") >= str(today - timedelta(days=2)))
        pipeline.fill(20, busy)
        pipeline.wait_until_stored()
    pipeline.kill()
    stored = pipeline.check()
    assert [(len(file.records), file.after[2]) for file in stored.of(ending)][-1] == (0, "END")
    assert stored.of(idle)
    assert samples[0][0] == str(today - timedelta(days=3)), "with all chains on that day's page, only the one before"
    keys = {file.key for file in stored.files}
    for complete, there in samples:
        late = {key for key in keys - there if key.split("dt=")[1][:10] <= (complete or "")}
        assert not late, f"{complete} was said to be complete, and then came {late}"


@contextmanager
def watermarks(pipeline: Pipeline, samples: list[Sample]) -> Iterator[None]:
    """Ask again and again, all the while."""
    stop = threading.Event()
    failed: list[str] = []

    def ask() -> None:
        while not stop.is_set() and not failed:
            done = pipeline.articles("watermark", "--json")
            if done.returncode:
                failed.append(f"{done.stdout}{done.stderr}")
                return
            there = pipeline.s3.list_objects_v2(Bucket=pipeline.bucket, Prefix=f"{pipeline.prefix}/data/")
            keys = frozenset(item["Key"] for item in there.get("Contents", ()))
            samples.append((json.loads(done.stdout)["complete"], keys))

    thread = threading.Thread(target=ask, name="watermarks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert not failed, failed
