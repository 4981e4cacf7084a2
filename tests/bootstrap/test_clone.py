"""Each command gets what it needs, once, and again when that changes; what is not ours is left alone."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from bootstrap.clone import PLANS, Clone
from bootstrap.errors import SetUpError
from bootstrap.progress import Progress

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    for name in (
        "bootstrap/requirements",
        "consumer/jars.sha256",
        "articles/training/_native.c",
        "local/package.json",
        "local/package-lock.json",
    ):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
    return Clone(tmp_path, {"PATH": ""}, Progress(io.StringIO()))


def test_each_command_gets_only_what_it_needs(clone: Clone) -> None:
    steps = {plan: [step.name for step in clone.steps(plan)] for plan in PLANS}
    assert steps == {
        "worker": ["runtime", "java"],
        "demo": ["runtime", "native", "java", "emulator", "node", "kinesis"],
        "tests": ["runtime", "native", "java", "emulator", "node", "kinesis", "dev"],
        "fuzz": ["runtime", "native", "java", "emulator", "node", "kinesis", "dev", "fuzz"],
        "emulator": ["emulator", "node", "kinesis"],
        "training": ["runtime", "native", "java", "emulator", "node", "kinesis", "dev", "training"],
        "benchmarks": ["runtime", "native", "java", "emulator", "node", "kinesis", "benchmarks"],
        "peers": ["runtime", "native", "peers"],
        "readers": ["runtime", "native", "java", "emulator", "node", "kinesis", "dev", "training", "readers"],
    }


def test_a_changed_lock_is_installed_again_and_the_others_are_not(clone: Clone) -> None:
    before = {step.name: step.inputs for step in clone.steps("tests")}
    with (clone.root / "bootstrap" / "requirements" / "emulator.lock").open("a") as lock:
        lock.write("# changed\n")
    after = {step.name: step.inputs for step in clone.steps("tests")}
    assert {name for name in after if after[name] != before[name]} == {"emulator"}


def test_what_is_compared_with_lies_in_environments_of_its_own(clone: Clone) -> None:
    made = {step.name: step.outputs for plan in ("benchmarks", "peers", "readers") for step in clone.steps(plan)}
    assert made["benchmarks"] == (clone.venv / "async-kinesis" / "bin" / "python",)
    assert made["peers"] == (clone.venv / "peers" / "bin" / "python",)
    assert made["readers"] == (clone.venv / "readers" / "bin" / "python",)


def test_an_environment_that_somebody_else_made_is_left_alone(clone: Clone) -> None:
    (clone.venv / "bin").mkdir(parents=True)
    with pytest.raises(SetUpError, match="was not made by this set-up"):
        clone.new_venv_step().run()
    assert (clone.venv / "bin").is_dir()


@pytest.mark.slow
def test_an_environment_serves_where_it_was_made_and_is_made_again_elsewhere(clone: Clone, tmp_path: Path) -> None:
    assert not clone.has_venv()
    clone.stamps.do(clone.new_venv_step())
    assert clone.has_venv()
    assert (clone.venv / "bin" / "articles").stat().st_mode & 0o111
    moved = tmp_path / "moved here"
    moved.mkdir()
    shutil.move(clone.venv, moved)
    assert not Clone(moved, {}, Progress(io.StringIO())).has_venv()


@pytest.mark.slow
def test_an_interrupted_start_is_cleared_away(clone: Clone) -> None:
    clone.stamps.folder.mkdir(parents=True)
    (clone.venv / "half").touch()
    clone.stamps.do(clone.new_venv_step())
    assert not (clone.venv / "half").exists()
    assert clone.has_venv()
