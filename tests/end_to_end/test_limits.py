"""What a worker does without a disk, with a clock that jumps, and with keys that expire: it runs on, or it leaves
before it stores or checkpoints anything wrong, and says why in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.emulator import Emulator
from local.fault_proxy import Action, Fault, FaultProxy
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.worker import KILLED, Worker

NOWHERE = "/proc/no-such-folder"
"""Where nothing can be made, not even by root."""
# Python's clock alone is set: by as many seconds as the file says now.
CLOCK = """
import time
from pathlib import Path
right = time.time
time.time = lambda: right() + float(Path({file!r}).read_text() or 0)
"""
EXPIRED = b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"


def test_a_worker_whose_disk_is_full_and_read_only_works_from_memory(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(2, FILE_AGE="1")
    worker = pipeline.worker()
    for name in ("worker.properties", "shards.json", "shards", "lost"):
        (worker.state_dir / name).symlink_to("/dev/full")
    pipeline.put(100)
    pipeline.start(worker)
    pipeline.wait_until_stored()
    worker.kill()
    worker.start(STATE_DIR=NOWHERE)
    pipeline.put(100)
    pipeline.wait_until_stored()
    pipeline.kill()
    pipeline.check()
    assert len(worker.said("No space left on device")) == 2
    assert len(worker.said(f"no state directory at {NOWHERE}")) == 1
    assert not worker.said("Traceback")


def test_a_clock_that_jumps_ends_the_worker_and_one_that_is_wrong_keeps_it_from_starting(
    make_pipeline: MakePipeline, tmp_path: Path
) -> None:
    ahead = tmp_path / "ahead"
    ahead.write_text("0")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(CLOCK.format(file=str(ahead)))
    pipeline = make_pipeline(1, FILE_AGE="1")
    worker = pipeline.worker(PYTHONPATH=f"{tmp_path / 'site'}:{pipeline.environment['PYTHONPATH']}")
    pipeline.put(20)
    pipeline.start(worker)
    pipeline.wait_until_stored()

    ahead.write_text("3600")
    pipeline.put(20)
    left_behind(worker, 74, "the wall clock jumped by 3600 s")
    assert pipeline.watcher.look() == 20
    refused(worker, "this machine's clock is 3600 s ahead of S3's", "clock is 3599 s", "clock is 3601 s")

    ahead.write_text("0")
    worker.start()
    pipeline.wait_until_stored()
    pipeline.kill()
    assert pipeline.stored().articles
    assert not pipeline.watcher.problems


@pytest.mark.parametrize("methods", [frozenset[str](), frozenset({"PUT"})])
def test_keys_that_expire_end_the_worker_and_are_named_when_it_starts_again(
    methods: frozenset[str], emulator: Emulator, make_pipeline: MakePipeline
) -> None:
    with FaultProxy(emulator.endpoint_urls["s3"]) as proxy:
        pipeline = make_pipeline(1, FILE_AGE="1", AWS_ENDPOINT_URL_S3=proxy.url)
        worker = pipeline.worker()
        pipeline.put(20)
        pipeline.start(worker)
        pipeline.wait_until_stored()

        proxy.set([Fault("expired", Action.REFUSE, methods=methods, status=400, body=EXPIRED)])
        pipeline.put(20)
        left_behind(worker, 71, "400 Bad Request")
        refused(worker, "the AWS credentials have expired", "ExpiredToken")

        proxy.set([])
        worker.start()
        pipeline.wait_until_stored()
        pipeline.kill()
        assert not pipeline.watcher.problems


def left_behind(worker: Worker, code: int, message: str) -> None:
    """A child has left for this reason, and its daemon is ended at once."""
    assert worker.wait() == KILLED
    (line,) = worker.said('"event": "leaving"')
    assert f'"code": {code}' in line
    assert message in line
    assert worker.said('"event": "daemon-ended"')


def refused(worker: Worker, *any_of: str) -> None:
    """The launcher says so in one line, with exit status 2."""
    before = len(worker.log.read_text().splitlines())
    worker.start()
    assert worker.wait() == 2
    (line,) = worker.log.read_text().splitlines()[before:]
    assert line.startswith("run_kcl.sh: ")
    assert any(text in line for text in any_of), line
