"""A child's output is the daemon's protocol, whatever else prints in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.worker import PROJECT

NOISE = """
import os, sys, threading
end = threading.Event()
def shout():
    while not end.wait(0.01):
        if os.path.sameopenfile(1, 2):  # the pipe was taken away: now with what would be understood
            print('{"action": "status", "responseFor": "processRecords"}', flush=True)
        os.write(1, b'half a line {"action":')
if "consumer.launcher" not in sys.orig_argv:
    print("before anything is set up")
    shouting = threading.Thread(target=shout)
    def hush():
        end.set()
        shouting.join()
        print("at the end")
    threading._register_atexit(hush)
    shouting.start()
"""


@pytest.mark.soak
def test_what_others_print_in_a_child_does_not_reach_the_daemon(make_pipeline: MakePipeline, tmp_path: Path) -> None:
    """A thread prints halves of lines and whole answers without end, through Python and past it."""
    (tmp_path / "sitecustomize.py").write_text(NOISE)
    pipeline = make_pipeline(1, FILE_RECORDS="7", FILE_AGE="1")
    worker = pipeline.worker(PYTHONPATH=f"{tmp_path}{os.pathsep}{PROJECT}")
    with pipeline.load(rate=50):
        pipeline.start(worker)
        pipeline.wait_until_stored(50)
    pipeline.wait_until_stored()
    assert worker.said('half a line {"action":{"action": "status"'), "it did print"
    assert worker.exit_status is None
    pipeline.kill()
    pipeline.check()
