"""Workers that do not have everything to themselves: another application beside them, a lease table out of reach."""

from __future__ import annotations

from consumer.provision import Clients, Plan, provision
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.wire import Wire


def test_two_applications_write_one_line_of_links(make_pipeline: MakePipeline) -> None:
    """A hot standby: it reads the same stream under leases of its own and writes to the same prefix, with other cuts
    and another codec. Both adopt what the other one stored."""
    pipeline = make_pipeline(2, FILE_AGE="2", FILE_RECORDS="15")
    standby_application = f"{pipeline.application}-standby"
    clients = Clients(pipeline.kinesis, pipeline.dynamodb, pipeline.s3, pipeline.region)
    provision(Plan(pipeline.stream, pipeline.bucket, standby_application), clients)
    first = pipeline.worker("worker-1")
    standby = pipeline.worker(
        "worker-2", APPLICATION_NAME=standby_application, FILE_RECORDS="11", CODEC="zstandard", FILE_AGE="1"
    )
    with pipeline.load(rate=60):
        for worker in (first, standby):
            worker.start()
        pipeline.wait_for(
            "both to store and to adopt",
            lambda: all(
                worker.said(f'"event": "{did}"') for worker in (first, standby) for did in ("stored", "adopted")
            ),
        )
        first.kill()
        here = pipeline.put_so_far
        pipeline.wait_for("the standby to go on alone", lambda: pipeline.watcher.look() > here)
    pipeline.wait_until_stored()
    pipeline.kill()
    stored = pipeline.check()
    assert stored.workers == {first.id, standby.id}


def test_a_lease_table_out_of_reach_ends_nobody(make_pipeline: MakePipeline) -> None:
    """A checkpoint is tried again until the connection is there, and then goes through or finds the lease expired; then
    the worker takes the lease back and reads again what is stored already."""
    pipeline = make_pipeline(1, FILE_AGE="1")
    with Wire(pipeline.environment["AWS_ENDPOINT_URL_DYNAMODB"]) as wire:
        worker = pipeline.worker(AWS_ENDPOINT_URL_DYNAMODB=wire.url)
        pipeline.put(20)
        pipeline.start(worker)
        pipeline.wait_until_stored()
        wire.cut()
        pipeline.put(20)
        # On a busy machine the lease expires before a checkpoint was tried.
        felt = ('"event": "checkpoint-retry"', '"event": "lease-gone"', '"event": "lease-lost"')
        pipeline.wait_for("the worker to feel it", lambda: any(worker.said(event) for event in felt))
        wire.mend()
        pipeline.put(20)
        pipeline.wait_until_stored()
        assert worker.exit_status is None
        pipeline.kill()
    pipeline.check()
