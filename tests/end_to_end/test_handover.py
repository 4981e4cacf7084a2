"""Shards that change hands: stopped daemons, killed workers, workers that come and go, reshards, two versions."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from pathlib import Path

import pytest

from consumer.provision import Clients, Plan, provision
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.gate import Gate
from tests.end_to_end.pipeline import PATIENCE, Pipeline
from tests.end_to_end.test_moments import puts_a_link
from tests.end_to_end.test_reshard import wait_until_stored_from
from tests.end_to_end.worker import PROJECT, TERMINATED, Worker

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]
LEADER_SECONDS = 240.0
"""The lock of a leader that was killed lapses after two minutes."""


def test_a_daemon_is_stopped_until_its_lease_has_moved_and_then_goes_on(make_pipeline: MakePipeline) -> None:
    """Its child has stored a link and not heard of it when the daemon stops. The successor goes on behind that link;
    the checkpoint that comes late is refused, and the child gives the shard up."""
    pipeline = make_pipeline(4, FILE_AGE="2")
    leader = pipeline.worker("worker-1")
    with Gate(pipeline.environment["AWS_ENDPOINT_URL_S3"]) as gate:
        stopped = pipeline.worker("worker-2", AWS_ENDPOINT_URL_S3=gate.url)
        with pipeline.load(rate=40):
            pipeline.start(leader, stopped)
            pipeline.wait_for("both to store", lambda: all(stores(worker) for worker in (leader, stopped)))
            put = gate.hold(puts_a_link("shardId-", stopped.id), answered=True)
            pipeline.wait_for("a put", lambda: put.call)
            shard = "shardId-" + (put.call.key if put.call else "").rpartition("shardId-")[2].split("-")[0]
            os.kill(stopped.pid, signal.SIGSTOP)
            pipeline.wait_for("its leases to move", lambda: owned_by(pipeline, leader) == set(pipeline.shards()))
            reached = pipeline.watcher.shards[shard].end
            pipeline.wait_for("the successor to store", lambda: pipeline.watcher.shards[shard].end > reached)
            put.release()
            os.kill(stopped.pid, signal.SIGCONT)
            pipeline.wait_for(
                "the lease to be given up",
                lambda: [line for line in stopped.said('"event": "lease-gone"') if shard in line],
            )
        pipeline.wait_until_stored()
    assert stopped.exit_status is None
    pipeline.kill()
    pipeline.check()


def test_workers_are_killed_that_do_not_lead_and_that_lead(make_pipeline: MakePipeline) -> None:
    """Never started again: the others take over their shards."""
    pipeline = make_pipeline(4, FILE_AGE="2")
    leader, follower, last = workers = [pipeline.worker(f"worker-{number}") for number in (1, 2, 3)]
    with pipeline.load(rate=20):
        pipeline.start(*workers)
        pipeline.wait_for("all to store", lambda: all(stores(worker) for worker in workers))
        assert leads(pipeline) == leader.id
        follower.kill()
        wait_until_all_store(pipeline, [leader, last])
        leader.kill()
        pipeline.wait_for("a new leader", lambda: leads(pipeline) == last.id, LEADER_SECONDS)
        wait_until_all_store(pipeline, [last], LEADER_SECONDS)
    pipeline.wait_until_stored()
    pipeline.kill()
    stored = pipeline.check()
    assert stored.workers == {worker.id for worker in workers}


def test_one_worker_becomes_three_and_then_one_again(make_pipeline: MakePipeline) -> None:
    """Leases are lost to those that come, and come back from those that were told to shut down."""
    pipeline = make_pipeline(4, FILE_AGE="2")
    first = pipeline.worker("worker-1")
    second, third = (pipeline.worker(name, FILE_AGE="300", FILE_RECORDS="100") for name in ("worker-2", "worker-3"))
    workers = first, second, third
    with pipeline.load(rate=40):
        pipeline.start(first)
        pipeline.wait_for("all four shards", lambda: owned_by(pipeline, first) == set(pipeline.shards()))
        wait_until_all_store(pipeline, [first])
        pipeline.start(second, third)
        pipeline.wait_for("all to store", lambda: all(stores(worker) for worker in workers), LEADER_SECONDS)
        for worker in (second, third):
            wait_until_it_holds_some(pipeline, worker)
            worker.terminate()
            assert worker.wait() == TERMINATED
        wait_until_all_store(pipeline, [first])
    pipeline.wait_until_stored()
    pipeline.kill()
    stored = pipeline.check()
    assert stored.workers == {worker.id for worker in workers}
    assert first.said('"event": "lease-lost"') or first.said('"event": "lease-gone"')
    for worker in (second, third):
        assert worker.said('"reason": "shutdown"'), f"{worker.id} held nothing when it was told to stop"


def test_two_splits_and_two_merges_under_load(make_pipeline: MakePipeline) -> None:
    """The second round splits and merges what came of the first; no child begins before its parents' chains end."""
    pipeline = make_pipeline(2, FILE_AGE="1")
    first, second, left, right, merged, lower, upper, last = (f"shardId-{number:012d}" for number in range(8))
    with pipeline.load(rate=40):
        pipeline.start(pipeline.worker("worker-1"), pipeline.worker("worker-2"))
        wait_until_stored_from(pipeline, first, second)
        split(pipeline, second)
        wait_until_stored_from(pipeline, left, right)
        merge(pipeline, first, left)
        wait_until_stored_from(pipeline, merged)
        split(pipeline, merged)
        wait_until_stored_from(pipeline, lower, upper)
        merge(pipeline, upper, right)
        wait_until_stored_from(pipeline, last)
    pipeline.wait_until_stored()
    pipeline.kill()
    stored = pipeline.check()
    assert {file.shard for file in stored.files if file.after[2] == "END"} == {
        first, second, left, right, merged, upper,
    }  # fmt: skip
    assert pipeline.shards()[last].parents == (upper, right)


def test_two_versions_of_the_software_hand_shards_back_and_forth(make_pipeline: MakePipeline, tmp_path: Path) -> None:
    """They differ in codec, block size, cut and version, run side by side under two applications, and change places
    twice by SIGKILL. Each adopts the other's links, and goes on behind them."""
    (tmp_path / "sitecustomize.py").write_text(
        'import articles, articles.container\narticles.__version__ = "0.0.0"\narticles.container.BLOCK_BYTES = 2000\n'
    )
    old = {"CODEC": "zstandard", "FILE_RECORDS": "11", "PYTHONPATH": f"{tmp_path}{os.pathsep}{PROJECT}"}
    new = {"CODEC": "deflate", "FILE_RECORDS": "15", "PYTHONPATH": str(PROJECT)}
    pipeline = make_pipeline(2, FILE_AGE="2")
    standby = f"{pipeline.application}-standby"
    clients = Clients(pipeline.kinesis, pipeline.dynamodb, pipeline.s3, pipeline.region)
    provision(Plan(pipeline.stream, pipeline.bucket, standby), clients)
    one, two = pipeline.worker("worker-1"), pipeline.worker("worker-2", APPLICATION_NAME=standby)
    with pipeline.load(rate=60):
        for turn, (first, second) in enumerate([(new, old), (old, new), (new, old)], 1):
            one.start(**first)
            two.start(**second)
            wait_until_both_adopt(pipeline, turn)
            pipeline.kill()
        one.start(**old)
    pipeline.wait_until_stored()
    pipeline.kill()
    stored = pipeline.check()
    for shard in pipeline.shards():
        steps = {
            (before.said["software"] == "0.0.0", after.said["software"] == "0.0.0")
            for before, after in pairwise(stored.of(shard))
        }
        assert steps >= {(True, False), (False, True)}, "handed over in one direction only"


def wait_until_both_adopt(pipeline: Pipeline, often: int) -> None:
    """Until every worker has stored and adopted so often in all, and another hundred records are stored."""

    def did() -> bool:
        events = [f'"event": "{event}"' for event in ("stored", "adopted")]
        return all(len(worker.said(event)) >= often for worker in pipeline.workers for event in events)

    pipeline.wait_for("both to store and to adopt", did)
    here = pipeline.watcher.look()
    pipeline.wait_for("more to be stored", lambda: pipeline.watcher.look() > here + 100)


def wait_until_it_holds_some(pipeline: Pipeline, worker: Worker) -> None:
    """Records of a file that will not be full within the next two seconds."""
    pipeline.wait_for("records to be buffered", lambda: 10 <= worker.buffered <= 70)


def stores(worker: Worker) -> bool:
    """Whether a child that lives has stored something."""
    return any(live.objects for live in worker.live().values())


def owned_by(pipeline: Pipeline, worker: Worker) -> set[str]:
    return {lease.key for lease in pipeline.leases().values() if lease.owner == worker.id}


def leads(pipeline: Pipeline) -> str:
    found = pipeline.dynamodb.get_item(
        TableName=f"{pipeline.application}-CoordinatorState", Key={"key": {"S": "Leader"}}, ConsistentRead=True
    )
    owner: str = found["Item"]["ownerName"]["S"]
    return owner


def wait_until_all_store(pipeline: Pipeline, workers: list[Worker], seconds: float = PATIENCE) -> None:
    """Until each shard's chain has moved on in the hands of these workers."""
    ids = {worker.id for worker in workers}
    pipeline.wait_for(
        f"{ids} to own all shards", lambda: {lease.owner for lease in pipeline.leases().values()} <= ids, seconds
    )
    here = {shard: seen.end for shard, seen in pipeline.watcher.shards.items()}

    def moved() -> bool:
        return all(pipeline.watcher.shards[shard].end > end for shard, end in here.items())

    pipeline.wait_for(f"all chains to move on under {ids}", moved, seconds)


def split(pipeline: Pipeline, shard: str) -> None:
    hashes = pipeline.shards()[shard]
    middle = (int(hashes.starting_hash) + int(hashes.ending_hash)) // 2
    pipeline.kinesis.split_shard(StreamName=pipeline.stream, ShardToSplit=shard, NewStartingHashKey=str(middle))


def merge(pipeline: Pipeline, shard: str, adjacent: str) -> None:
    pipeline.kinesis.merge_shards(StreamName=pipeline.stream, ShardToMerge=shard, AdjacentShardToMerge=adjacent)
