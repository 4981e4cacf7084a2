"""S3 and DynamoDB in trouble, as it looks over HTTP, under the real daemon: nothing is lost, repeated or ahead of what
is stored, no worker leaves that need not, and whoever leaves goes on after its restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from local.fault_proxy import CONFLICT, THROTTLED, Action, Fault, FaultProxy
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.worker import Worker, children

LINKS = "*.avro"
PUT = frozenset({"PUT"})
UPDATES = frozenset({"UpdateItem"})
GONE = (
    b'{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"Requested resource not found"}'
)
FILE_MIB = 4

SHORT = [
    Fault("slow-down", Action.REFUSE, probability=0.3),
    Fault("answer-lost", Action.LOSE, PUT, pattern=LINKS, left=3),
    Fault("500-but-stored", Action.MISREPORT, PUT, pattern=LINKS, left=3, status=500),
    Fault("409", Action.REFUSE, PUT, pattern=LINKS, left=3, status=409, body=CONFLICT),
    Fault("409-but-stored", Action.MISREPORT, PUT, pattern=LINKS, left=3, status=409, body=CONFLICT),
    Fault("412-then-404", Action.REFUSE, PUT, pattern=LINKS, left=3, status=412, body=b""),
    Fault("corrupted", Action.CORRUPT, PUT, pattern=LINKS, left=3),
    Fault("cut", Action.CUT, probability=0.3, left=8),
    Fault("half-an-answer", Action.TRUNCATE, pattern=LINKS, left=4),
    Fault("10-kilobytes-a-second", Action.SLOW, left=6, bytes_a_second=10_000),
]


def test_links_are_stored_once_whatever_s3_does(make_pipeline: MakePipeline) -> None:
    """One trouble after the other, under load; at last S3 is down altogether."""
    pipeline = make_pipeline(2, FILE_AGE="1", FILE_RECORDS="10", FILE_SIZE=f"{FILE_MIB}MiB")
    with proxy(pipeline, "S3") as s3:
        worker = pipeline.worker(AWS_ENDPOINT_URL_S3=s3.url)
        with pipeline.load(rate=40):
            pipeline.start(worker)
            pipeline.wait_for("the first links", lambda: len(pipeline.watcher.shards) == 2)
            for fault in SHORT:
                s3.set([fault])
                pipeline.wait_for(f"{fault.kind} to strike", partial(has_struck, s3, fault))
            s3.set([])
            pipeline.wait_until_stored()
            be_down(pipeline, worker, s3, 15)
        pipeline.wait_until_stored()
        assert_leases_rested(pipeline, worker)
        pipeline.kill()
    pipeline.check()


@pytest.mark.soak
@pytest.mark.parametrize(
    "fault",
    [
        Fault("slow-down", Action.REFUSE, probability=0.3),
        Fault("10-kilobytes-a-second", Action.SLOW, bytes_a_second=10_000),
        # Longer than the client waits: the put arrives after the next one has been answered.
        Fault("held", Action.HOLD, PUT, pattern=LINKS, probability=0.3, seconds=20),
        Fault("cut", Action.CUT, probability=0.3),
        Fault("answer-lost", Action.LOSE, probability=0.3),
        Fault("corrupted", Action.CORRUPT, PUT, probability=0.5),
    ],
    ids=lambda fault: fault.kind,
)
def test_a_minute_of_trouble(make_pipeline: MakePipeline, fault: Fault) -> None:
    pipeline = make_pipeline(2, FILE_AGE="1", FILE_RECORDS="10")
    with proxy(pipeline, "S3") as s3:
        worker = pipeline.worker(AWS_ENDPOINT_URL_S3=s3.url)
        with pipeline.load(rate=20):
            pipeline.start(worker)
            pipeline.wait_for("the first links", lambda: pipeline.watcher.look() > 0)
            s3.set([fault])
            wait(pipeline, 60)
            s3.set([])
        pipeline.wait_until_stored(seconds=180)
        assert s3.counts[fault.kind]
        assert_leases_rested(pipeline, worker)
        pipeline.kill()
    pipeline.check()


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_s3_is_down_for_five_minutes(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(2, FILE_AGE="1", FILE_SIZE=f"{FILE_MIB}MiB")
    with proxy(pipeline, "S3") as s3:
        worker = pipeline.worker(AWS_ENDPOINT_URL_S3=s3.url)
        with pipeline.load(rate=100):
            pipeline.start(worker)
            pipeline.wait_for("the first links", lambda: len(pipeline.watcher.shards) == 2)
            be_down(pipeline, worker, s3, 300)
        pipeline.wait_until_stored(seconds=300)
        assert_leases_rested(pipeline, worker)
        pipeline.kill()
    pipeline.check()


def be_down(pipeline: Pipeline, worker: Worker, s3: FaultProxy, seconds: float) -> None:
    """Nothing is stored, memory is bounded, and afterwards the worker goes on by itself."""
    s3.set([Fault("down", Action.CUT)])
    put = pipeline.put_so_far
    wait(pipeline, seconds)
    stored = pipeline.watcher.look()
    assert stored <= put, "S3 took something though it was down"
    peaks = {pid: round(peak_mib(pid)) for pid in (worker.pid, *children(worker.pid))}
    print(f"{pipeline.put_so_far - stored} records behind after {seconds} s; peaks in MiB by process: {peaks}")
    assert max(peak for pid, peak in peaks.items() if pid != worker.pid) < 2 * FILE_MIB + 64
    s3.set([])


def test_checkpoints_that_fail(make_pipeline: MakePipeline) -> None:
    """Some take effect, but their answers are lost: the daemon finds its own write, or takes its lease for lost and
    reads again what is stored already. Then the one at a shard's end fails. The daemon would go on without a word if
    the child answered, and nobody would ever read the shard's children: so the child leaves, and after the restart the
    shard ends. (Another worker leads: a leader's crash keeps new shards waiting for two minutes.)"""
    pipeline = make_pipeline(2, FILE_AGE="1", FILE_RECORDS="10")
    with proxy(pipeline, "DYNAMODB") as dynamodb:
        leader, worker = pipeline.worker(), pipeline.worker("worker-2", AWS_ENDPOINT_URL_DYNAMODB=dynamodb.url)
        with pipeline.load(rate=20):
            pipeline.start(leader, worker)
            pipeline.wait_for("both to store", lambda: has_stored(leader) and has_stored(worker))
            lost = Fault("answer-lost", Action.LOSE, operations=UPDATES, holding=b'"checkpoint":', left=8)
            dynamodb.set([lost])
            pipeline.wait_for("answers to be lost", partial(has_struck, dynamodb, lost))
        pipeline.wait_until_stored()
        pipeline.wait_until_checkpointed(*pipeline.shards())
        assert worker.exit_status is None

        pipeline.wait_for("the worker to hold one of the shards", lambda: len(worker.live()) == 1)
        (parent,) = worker.live()
        dynamodb.set([shard_end(GONE)])
        split(pipeline, parent)
        assert worker.wait() != 0
        (said,) = worker.said('"event": "leaving"')
        assert "SHARD_END" in said
        pipeline.watcher.look()
        assert pipeline.watcher.shards[parent].ended is not None, "the END link comes first"
        assert pipeline.leases()[parent].checkpoint != "SHARD_END"
        dynamodb.set([])
        worker.start()
        pipeline.put(60)
        pipeline.wait_until_stored()
        pipeline.kill()
    stored = pipeline.check(expected=["leaving"])
    assert len({file.shard for file in stored.files}) == 4


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fails", [False, True])
def test_the_checkpoint_at_a_shards_end_is_throttled(make_pipeline: MakePipeline, fails: bool) -> None:
    """The daemon's own client tries for most of a minute, in which the lease is not renewed: when the child hears of
    it, and tries again, the lease may be gone. It comes back, with the shard's end. If it then fails, the child
    leaves."""
    pipeline = make_pipeline(1, FILE_AGE="1")
    with proxy(pipeline, "DYNAMODB") as dynamodb:
        worker = pipeline.worker(AWS_ENDPOINT_URL_DYNAMODB=dynamodb.url)
        pipeline.put(30)
        pipeline.start(worker)
        pipeline.wait_until_stored()
        (parent,) = pipeline.shards()
        dynamodb.set([shard_end(THROTTLED)])
        split(pipeline, parent)
        pipeline.wait_for("the child to try again", lambda: worker.said('"reason": "ThrottlingException"'))
        if fails:
            dynamodb.set([shard_end(GONE)])
            assert worker.wait(seconds=120) != 0
            worker.start()
        dynamodb.set([])
        pipeline.put(30)
        pipeline.wait_until_stored(seconds=240)
        pipeline.kill()
    pipeline.check(expected=["leaving"] if fails else [])


def shard_end(body: bytes) -> Fault:
    """Refuses the checkpoint of a shard's end."""
    return Fault("shard-end", Action.REFUSE, operations=UPDATES, holding=b'"SHARD_END"', status=400, body=body)


def split(pipeline: Pipeline, shard: str) -> None:
    hashes = pipeline.shards()[shard]
    middle = str((int(hashes.starting_hash) + int(hashes.ending_hash)) // 2)
    pipeline.kinesis.split_shard(StreamName=pipeline.stream, ShardToSplit=shard, NewStartingHashKey=middle)


def test_a_worker_is_throttled_until_another_one_has_its_leases(make_pipeline: MakePipeline) -> None:
    """It goes on storing what it has: the other one adopts that, and it what the other one stores."""
    pipeline = make_pipeline(2, FILE_AGE="1", FILE_RECORDS="10")
    with proxy(pipeline, "DYNAMODB") as dynamodb:
        throttled = pipeline.worker("worker-1", AWS_ENDPOINT_URL_DYNAMODB=dynamodb.url)
        other = pipeline.worker("worker-2")
        with pipeline.load(rate=40):
            pipeline.start(other, throttled)
            pipeline.wait_for("both to store", lambda: has_stored(throttled) and has_stored(other))
            dynamodb.set([Fault("throttled", Action.REFUSE, status=400, body=THROTTLED)])
            pipeline.wait_for(
                "the other one to hold every lease",
                lambda: {lease.owner for lease in pipeline.leases().values()} == {other.id},
            )
            dynamodb.set([])
            here = pipeline.put_so_far
            pipeline.wait_for("the load to go on", lambda: pipeline.put_so_far > here + 40)
        pipeline.wait_until_stored()
        assert throttled.exit_status is None
        pipeline.kill()
    pipeline.check()


@contextmanager
def proxy(pipeline: Pipeline, service: str) -> Iterator[FaultProxy]:
    with FaultProxy(pipeline.environment[f"AWS_ENDPOINT_URL_{service}"]) as running:
        yield running


def wait(pipeline: Pipeline, seconds: float) -> None:
    """The trouble lasts for so long; no worker may end meanwhile."""
    until = time.monotonic() + seconds
    pipeline.wait_for("the trouble to be over", lambda: time.monotonic() > until, seconds + 60)


def assert_leases_rested(pipeline: Pipeline, worker: Worker) -> None:
    assert not worker.said('"event": "lease-lost"')
    assert {lease.owner for lease in pipeline.leases().values()} == {worker.id}


def has_stored(worker: Worker) -> bool:
    return bool(worker.said('"event": "stored"'))


def has_struck(service: FaultProxy, fault: Fault) -> bool:
    """As often as it may, or ten times."""
    return service.counts[fault.kind] >= (fault.left or 10)


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
