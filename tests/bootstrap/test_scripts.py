"""The shell scripts, up to where they hand over."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TOOLS = ("bash", "cat", "dirname", "env")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in a folder with a space in its name."""
    clone = tmp_path / "a clone"
    shutil.copytree(ROOT / "bootstrap", clone / "bootstrap", ignore=shutil.ignore_patterns("__pycache__"))
    for script in ("run_kcl.sh", "run_tests.sh", "run_benchmarks.sh"):
        shutil.copy(ROOT / script, clone)
    return clone


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with next to nothing on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (folder / tool).symlink_to(found)
    return folder


def program(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def run(clone: Path, path: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(clone / command[0]), *command[1:]],
        env={"PATH": str(path), "HOME": str(clone), **environment},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("script", ["run_kcl.sh", "run_tests.sh", "run_benchmarks.sh"])
def test_help_sets_nothing_up(clone: Path, path: Path, script: str) -> None:
    done = run(clone, path, script, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: ./{script}")
    assert not (clone / ".venv").exists()


def test_an_unknown_command_is_one_line_and_status_2(clone: Path, path: Path) -> None:
    done = run(clone, path, "run_kcl.sh", "dmeo")
    assert (done.returncode, done.stdout) == (2, "")
    there = "it is `demo`, `chaos`, `status`, or nothing for a worker (see --help)"
    assert done.stderr == f"run_kcl.sh: there is no command dmeo; {there}\n"


def test_no_python_is_one_clear_line(clone: Path, path: Path) -> None:
    done = run(clone, path, "run_kcl.sh")
    assert done.returncode == 1
    assert done.stderr == (
        "set-up: no Python 3.11 or later that can make virtual environments; there is none on the PATH\n"
    )


def test_a_python_that_will_not_do_is_named_with_the_reason(clone: Path, path: Path) -> None:
    program(path / "python3.12", 'case "$*" in *print*) echo 3.12;; *ensurepip*) exit 1;; esac')
    program(path / "python3", 'case "$*" in *print*) echo 3.9;; *) exit 1;; esac')
    done = run(clone, path, "run_kcl.sh", "demo")
    assert done.returncode == 1
    assert "python3.12 (no venv: on Debian and Ubuntu, apt install python3.12-venv) python3 (is 3.9)" in done.stderr


@pytest.mark.parametrize(
    "arguments,handed_on",
    [
        ([], "-P -m consumer.launcher"),
        (["--profile", "local"], "-P -m consumer.launcher --profile local"),
        (["worker", "--help"], "-P -m consumer.launcher --help"),
        (["demo", "--records", "1000"], "-P -m local.demo --records 1000"),
        (["status", "--json"], "-P -m consumer.status --json"),
    ],
)
def test_a_named_python_is_used_as_it_is(clone: Path, path: Path, arguments: list[str], handed_on: str) -> None:
    program(path / "mine", 'echo "$@"; echo "$PYTHONPATH"; echo $$')
    done = run(clone, path, "run_kcl.sh", *arguments, ARTICLES_PYTHON="mine", PYTHONPATH="theirs")
    assert done.stdout.splitlines()[:2] == [handed_on, f"{clone.resolve()}:theirs"]
    assert not (clone / ".venv").exists()


def test_the_script_becomes_what_it_starts(clone: Path, path: Path) -> None:
    """So that a signal to it is a signal to the daemon."""
    program(path / "mine", "echo $$")
    environment = {"PATH": str(path), "ARTICLES_PYTHON": "mine"}
    with subprocess.Popen([clone / "run_kcl.sh"], env=environment, stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate(timeout=60)
    assert int(said) == process.pid


def test_the_environment_of_the_set_up_reaches_the_command(clone: Path, path: Path) -> None:
    """A set-up that has all: its exports are evaluated, also with quotes and spaces in them."""
    (clone / ".venv" / "bin").mkdir(parents=True)
    program(
        clone / ".venv" / "bin" / "python",
        """case "$*" in
        *bootstrap*) echo "export ARTICLES_JAVA='/a place/it'\\\\''s java'" ;;
        *launcher*) echo "$ARTICLES_JAVA" ;;
        esac""",
    )
    assert run(clone, path, "run_kcl.sh").stdout == "/a place/it's java\n"


def test_a_set_up_that_fails_ends_the_script_with_its_status(clone: Path, path: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    program(clone / ".venv" / "bin" / "python", 'case "$*" in *bootstrap*) exit 1 ;; *launcher*) echo never ;; esac')
    done = run(clone, path, "run_kcl.sh")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_every_script_is_executable() -> None:
    scripts = ("run_kcl.sh", "run_tests.sh", "run_benchmarks.sh", ".ci/run", "bootstrap/requirements/lock.sh")
    assert [script for script in scripts if not os.access(ROOT / script, os.X_OK)] == []
