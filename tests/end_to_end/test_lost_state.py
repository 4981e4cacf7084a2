"""Lease tables and streams that are lost or made again."""

from __future__ import annotations

from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline


def test_a_lost_lease_table_then_a_stream_made_again(make_pipeline: MakePipeline) -> None:
    """Without its leases a worker reads everything again, and stores nothing twice. A stream that was made again is
    refused under the old leases, and has chains of its own under new ones, in the same prefix."""
    pipeline = make_pipeline(2, FILE_AGE="1")
    run(pipeline, "worker-1", 60)
    files = [file.key for file in pipeline.stored().files]

    pipeline.delete_tables()
    pipeline.provision()
    run(pipeline, "worker-2", 30)
    stored = pipeline.check()
    assert stored.workers == {"worker-1", "worker-2"}
    assert set(files) < {file.key for file in stored.files}
    created = pipeline.identity().created

    pipeline.delete_stream()
    pipeline.provision(shards=2)
    assert pipeline.identity().created > created
    refused = pipeline.launch()
    assert refused.returncode == 2, refused.stderr
    assert refused.stderr.startswith(f"run_kcl.sh: the lease table {pipeline.application} is of an earlier stream")
    assert refused.stderr.count("\n") == 1, "one clear line"

    pipeline.delete_tables()
    pipeline.provision()
    run(pipeline, "worker-3", 30)
    stored = pipeline.check()
    assert {int(file.said["created"]) for file in stored.files} == {created, pipeline.identity().created}


def run(pipeline: Pipeline, worker_id: str, records: int) -> None:
    worker = pipeline.worker(worker_id)
    pipeline.put(records)
    pipeline.start(worker)
    pipeline.wait_until_stored()
    pipeline.kill()
