"""A daemon that a child has left is ended as soon as its other children are gone; one that was told to stop is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from consumer.watchdog import SEAL_SECONDS, child_has_gone

PROJECT = Path(__file__).parents[2]
SECONDS = 30.0
GONE = "Encountered an error while trying to process records"
STOPPING = "Process terminated, will initiate shutdown."

# Stands in for the daemon: has a child for so long, says its lines, and ends when its stdin does.
DAEMON = """
import os, subprocess, sys
from consumer import watchdog
written = watchdog.start(os.environ)
if float(sys.argv[1]):
    subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({sys.argv[1]})"], stderr=subprocess.DEVNULL)
os.write(written, "".join(f"{line}\\n" for line in sys.argv[2:]).encode())
sys.stdin.read()
"""


def run(*lines: str, sibling: float = 0, stdin: Any = subprocess.PIPE) -> tuple[int, list[dict[str, Any]]]:
    """The exit status, and what the watchdog logged until it was gone; both have the same stderr. Without `stdin` the
    daemon stays until it is ended."""
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "WORKER_ID": "worker-1"}
    command = [sys.executable, "-P", "-c", DAEMON, str(sibling), *lines]
    with subprocess.Popen(command, env=env, stdin=stdin, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr
        if stdin is not subprocess.PIPE:
            logged = daemon.communicate(timeout=SECONDS)[1]
        else:
            logged = daemon.stderr.read()
            daemon.wait(SECONDS)
    return daemon.returncode, [json.loads(line) for line in logged.splitlines()]


def test_a_daemon_whose_only_child_has_gone_is_ended_and_it_is_said_why() -> None:
    status, logged = run("Child process exited with value: 137", GONE, STOPPING)
    assert status == -9
    assert [(line["event"], line["level"], line["worker"]) for line in logged] == [
        ("daemon-ended", "ERROR", "worker-1")
    ]
    assert logged[0]["sealing"] == 0
    assert logged[0]["waited"] < 1


def test_it_is_ended_when_its_other_children_have_left() -> None:
    status, logged = run(GONE, sibling=1)
    assert (status, logged[0]["sealing"]) == (-9, 0)
    assert 0.5 < logged[0]["waited"] < SEAL_SECONDS


@pytest.mark.slow
def test_it_is_ended_in_time_when_another_child_does_not_leave() -> None:
    status, logged = run(GONE, sibling=SECONDS)
    assert (status, logged[0]["sealing"]) == (-9, 1)
    assert SEAL_SECONDS <= logged[0]["waited"] < SECONDS


@pytest.mark.parametrize("lines", [(STOPPING, GONE), (STOPPING,), ()])
def test_a_daemon_that_is_told_to_stop_or_ends_by_itself_is_left_alone(lines: tuple[str, ...]) -> None:
    """Also where a child crashes while it stops: its siblings have all of the grace."""
    assert run(*lines, stdin=subprocess.DEVNULL) == (0, [])


def test_only_what_ends_a_daemon_counts() -> None:
    assert not child_has_gone(
        ["Encountered exception while trying to close output stream.\n", "Shutdown is requested."]
    )
    assert child_has_gone(["Encountered an error while trying to initialize record processor\n"])
