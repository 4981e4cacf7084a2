"""What contradicts the protocol stops one shard, says so, and leaves the others alone."""

from __future__ import annotations

import os
import subprocess
import sys

from articles.chain import ShardName, State
from articles.keys import Layout
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import PATIENCE, Pipeline
from tests.end_to_end.worker import Worker


def test_an_object_that_is_no_link_parks_its_shard_and_the_others_go_on(make_pipeline: MakePipeline) -> None:
    """The worker lives, the shard's lease rests, status and health say so, and no other worker starts. Once somebody
    has taken the object away, a restart stores what had waited."""
    pipeline = make_pipeline(2, FILE_AGE="1")
    bad, good = sorted(pipeline.shards())
    worker = pipeline.worker()
    pipeline.fill(5, bad, good)
    pipeline.start(worker)
    pipeline.wait_until_stored()
    pipeline.wait_until_checkpointed(bad, good)
    lease = pipeline.leases()[bad].checkpoint
    stranger = put_in_the_way(pipeline, bad)

    pipeline.fill(5, bad)
    pipeline.wait_for("the shard to be parked", lambda: worker.said('"event": "parked"'))
    pipeline.fill(5, good)
    pipeline.wait_until_stored(5 + 5 + 5)
    assert worker.exit_status is None
    assert pipeline.leases()[bad].checkpoint == lease
    (said,) = worker.said('"event": "parked"')
    assert stranger in said
    for command in ("consumer.status", "consumer.health"):
        done = asked(worker, command)
        assert done.returncode == 1, f"{command}: {done.stdout}{done.stderr}"
        assert bad in done.stdout + done.stderr
        assert stranger in done.stdout + done.stderr
    refused = pipeline.launch("worker-2")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
    assert refused.stderr.startswith(f"run_kcl.sh: {stranger}: ")

    pipeline.kill()
    worker.log.rename(worker.log.with_suffix(".parked"))
    pipeline.s3.delete_object(Bucket=pipeline.bucket, Key=stranger)
    worker.start()
    pipeline.wait_until_stored()
    pipeline.kill()
    assert pipeline.watcher.problems == [f"{stranger} has gone"]
    pipeline.watcher.problems.clear()
    pipeline.check()


def put_in_the_way(pipeline: Pipeline, shard: str) -> str:
    """An object that is no link, where the shard's next link goes; its key."""
    stream, last = pipeline.identity(), pipeline.stored().of(shard)[-1].said["after"]
    name = ShardName(pipeline.stream, stream.created, shard)
    key = Layout(pipeline.prefix).link_key(name, State.parse(last))
    said = {"after": last, "records": "0"}  # what the watcher asks for, and too little for a link
    pipeline.s3.put_object(Bucket=pipeline.bucket, Key=key, Body=b"not a container file", Metadata=said)
    return key


def asked(worker: Worker, module: str) -> subprocess.CompletedProcess[str]:
    options = ["--profile", "local"] if module == "consumer.status" else []
    command = [sys.executable, "-P", "-m", module, *options]
    environment = {**os.environ, **worker.environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
