"""The demo ends cleanly whenever it is interrupted, and says what happened when a worker dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import demo
from tests.local.conftest import running_module
from tests.waiting import eventually

PROJECT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.end_to_end]
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    arguments = ("--records", "400", "--shards", "2")
    with running_module("local.demo", *arguments, folder=tmp_path, stderr=subprocess.STDOUT) as process:
        yield process


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Reads what the demo prints; the timeout of the test is the deadline."""
    assert process.stdout
    printed = []
    for line in process.stdout:
        printed.append(line)
        if text in line:
            return
    raise AssertionError(f"{text!r} never came in:\n{''.join(printed)}")


def ours(folder: Path) -> dict[int, str]:
    """Processes with the folder in their environment, as everything has that the demo starts: pid to command."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"={folder}".encode() in (entry / "environ").read_bytes():
                found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue  # it has just ended, or is not ours to look at
    return found


@linux
@pytest.mark.parametrize(
    "phase",
    ["starting the emulator", "starting the workers; putting articles: ", "while the workers read", "stopping the"],
)
def test_an_interrupt_cleans_up_everything(running: subprocess.Popen[str], phase: str, tmp_path: Path) -> None:
    read_until(running, phase)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGINT)  # people press it twice
    assert running.wait(timeout=60) == 130
    assert time.monotonic() - began < 15
    assert not list(tmp_path.glob("articles-*"))
    assert eventually(lambda: not ours(tmp_path)), ours(tmp_path)


@linux
def test_a_worker_that_dies_is_named_with_its_last_words(running: subprocess.Popen[str], tmp_path: Path) -> None:
    read_until(running, "while the workers read")

    def daemons() -> list[int]:
        return [pid for pid, command in ours(tmp_path).items() if "MultiLangDaemon" in command]

    assert len(daemons()) == 2
    os.kill(daemons()[0], signal.SIGKILL)
    assert running.stdout
    said = running.stdout.read()
    assert running.wait(timeout=60) == 2
    dead = re.search(r"demo: (worker-\d) ended with status -9; its last lines:\n    {", said)
    assert dead, said
    assert f'"worker": "{dead[1]}"' in said[dead.end() :]
    assert "Traceback" not in said
    assert eventually(lambda: not ours(tmp_path)), ours(tmp_path)


def test_more_workers_than_shards_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        demo.parse(["--workers", "3", "--shards", "2"])
    assert raised.value.code == 2
    assert "--workers 3" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["full", "full/a", "full/a/b"])
def test_what_cannot_be_saved_to_is_said_before_anything_starts(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(SystemExit) as raised:
        demo.parse(["--save", str(tmp_path / name)])
    assert raised.value.code == 2
    assert "name a new folder" in capsys.readouterr().err


def test_an_input_is_taken_whole_unless_told_otherwise() -> None:
    assert demo.parse([]).records == 1000
    assert demo.parse(["--input", "x"]).records is None
    assert demo.parse(["--input", "x", "--records", "5"]).records == 5
