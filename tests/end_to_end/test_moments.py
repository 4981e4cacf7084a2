"""Crashes at exact moments: a gate holds the request that it is about, and then somebody is killed or stopped."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.gate import Call, Gate
from tests.end_to_end.pipeline import Pipeline

COUNT = 10
"""Records that fill a file."""


def test_a_child_is_killed_before_its_put_after_it_and_after_its_checkpoint(make_pipeline: MakePipeline) -> None:
    """One child at each of the three moments, all at once: every shard gets one object, and only the one whose body had
    not reached the store is uploaded again."""
    pipeline = make_pipeline(3, FILE_RECORDS=str(COUNT), FILE_AGE="300")
    before, after, checkpointed = shards = sorted(pipeline.shards())
    with gate(pipeline, "S3") as store, gate(pipeline, "DYNAMODB") as leases:
        worker = pipeline.worker(AWS_ENDPOINT_URL_S3=store.url, AWS_ENDPOINT_URL_DYNAMODB=leases.url)
        pipeline.fill(COUNT, *shards)
        moments = [
            store.hold(puts_a_link(before)),
            store.hold(puts_a_link(after), answered=True),
            leases.hold(checkpoints(checkpointed), answered=True),
        ]
        pipeline.start(worker)
        pipeline.wait_for("each child to be at its moment", lambda: all(moment.reached for moment in moments))
        was = {lease.key: lease.checkpoint for lease in pipeline.leases().values()}
        assert was[before] == was[after] == "TRIM_HORIZON"
        assert was[checkpointed].isdecimal(), "the lease table knows, the child does not"
        for shard in shards:
            worker.kill_child(shard)
        for moment in moments:
            moment.drop()
        assert worker.wait(), "without its children it leaves, so that its supervisor starts it again"
        worker.start()
        pipeline.wait_until_stored()
        pipeline.wait_until_checkpointed(*shards)
        pipeline.kill()
        stored = pipeline.check()
        for shard in shards:
            uploads = [call.status for call in store.calls if puts_a_link(shard)(call)]
            assert uploads == [200], f"{shard} was uploaded {len(uploads)} times"
            assert [len(file.records) for file in stored.of(shard)] == [COUNT]


def test_a_worker_is_killed_inside_its_puts_and_both_orphans_go_on(make_pipeline: MakePipeline) -> None:
    """Two children live on after their daemon. One's object is there before its successor's: that adopts it. The other
    is stopped, and its put comes late: it meets its successor's object. The successor cuts, packs and names its blocks
    otherwise, as another version might."""
    pipeline = make_pipeline(2, FILE_RECORDS=str(COUNT), FILE_AGE="300")
    quick, late = sorted(pipeline.shards())
    with gate(pipeline, "S3") as store:
        worker = pipeline.worker(AWS_ENDPOINT_URL_S3=store.url)
        pipeline.fill(COUNT, quick, late)
        puts = {shard: store.hold(puts_a_link(shard)) for shard in (quick, late)}
        pipeline.start(worker)
        pipeline.wait_for("both children to be inside a put", lambda: all(put.reached for put in puts.values()))
        orphans = {shard: live.pid for shard, live in worker.live().items()}
        os.kill(orphans[late], signal.SIGSTOP)
        worker.kill()

        successors = store.hold(puts_a_link(quick))
        worker.start(FILE_RECORDS=str(COUNT - 3), CODEC="zstandard")
        pipeline.wait_for("the successor's put", lambda: successors.reached and pipeline.watcher.look() == COUNT - 3)
        puts[quick].release()
        pipeline.wait_until_stored(COUNT + COUNT - 3)
        pipeline.wait_for("the orphan to leave", lambda: is_gone(orphans[quick]))
        successors.release()
        pipeline.wait_for("the successor to adopt it", lambda: worker.said('"event": "adopted"'))

        puts[late].release()
        os.kill(orphans[late], signal.SIGCONT)
        pipeline.wait_for("the late orphan to leave", lambda: is_gone(orphans[late]))
        assert (puts[quick].status, successors.status, puts[late].status) == (200, 412, 412)
        pipeline.fill(COUNT - 3 - 3, late)
        pipeline.wait_until_stored()
        pipeline.kill()
    stored = pipeline.check()
    assert len(worker.said('"event": "adopted"')) == 1
    assert [len(file.records) for file in stored.of(quick)] == [COUNT]
    assert [len(file.records) for file in stored.of(late)] == [COUNT - 3, COUNT - 3]


def gate(pipeline: Pipeline, service: str) -> Gate:
    return Gate(pipeline.environment[f"AWS_ENDPOINT_URL_{service}"])


def puts_a_link(shard: str, worker: str | None = None) -> Callable[[Call], bool]:
    def matches(call: Call) -> bool:
        return (
            call.method == "PUT"
            and call.key.endswith(".avro")
            and shard in call.key
            and worker in (None, call.headers.get("x-amz-meta-worker"))
        )

    return matches


def checkpoints(shard: str) -> Callable[[Call], bool]:
    """A renewal writes the lease's counter alone."""

    def matches(call: Call) -> bool:
        if call.target != "UpdateItem" or b'"leaseKey"' not in call.body:
            return False
        said = json.loads(call.body)
        written = said.get("AttributeUpdates", {}).get("checkpoint", {}).get("Value", {}).get("S", "")
        return bool(said["Key"]["leaseKey"]["S"] == shard and written.isdecimal())

    return matches


def is_gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()
