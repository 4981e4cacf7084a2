"""A short chaos run: what a user or a pipeline runs, with every kind of act allowed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.worker import PROJECT
from tests.local.conftest import running_module
from tests.local.test_demo import ours, read_until
from tests.waiting import eventually

SECONDS = 25
KEYS = {
    *("records_put", "records_stored", "records_rejected", "lost", "repeated", "adoptions", "restarts", "faults"),
    *("invariants", "drained_seconds"),
}


@pytest.mark.timeout(480)  # a leader that was killed is missed for two minutes, and a busy machine takes its time
def test_a_short_run_stores_every_record_once_and_says_so(tmp_path: Path) -> None:
    arguments = ("--seconds", str(SECONDS), "--seed", "5", "--workers", "2", "--shards", "2", "--json")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {"TMPDIR": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-P", "-m", "local.chaos", *arguments]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=450)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    said = json.loads(done.stdout)
    assert said.keys() >= KEYS
    assert said["records_put"] == said["records_stored"] + said["records_rejected"] > SECONDS
    assert said["records_rejected"] > 0
    assert (said["lost"], said["repeated"]) == (0, 0)
    assert said["invariants"] == {str(number): True for number in range(1, 10)}
    assert said["faults"]["s3-answer-lost"] > 0
    assert said["looks"] > 0
    assert "== draining" in done.stderr
    assert not list(tmp_path.glob("articles-*")), "it cleans up after itself"


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_interrupt_ends_everything_and_tells_what_was_seen(tmp_path: Path) -> None:
    arguments = ("--seconds", "300", "--seed", "1", "--workers", "2", "--shards", "2", "--only", "kill-daemon")
    with running_module("local.chaos", *arguments, folder=tmp_path, stderr=subprocess.STDOUT) as process:
        read_until(process, "kill-daemon  ")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # people press it twice
        assert process.stdout
        said = process.stdout.read()
        assert process.wait(timeout=60) == 130
    assert "done: kill-daemon 1" in said
    (folder,) = tmp_path.glob("articles-chaos-*")
    assert str(folder) in said
    assert "kill-daemon" in (folder / "history.txt").read_text()
    assert eventually(lambda: not ours(tmp_path)), ours(tmp_path)
