"""A step is done once; other inputs, a lost output or a failure are reasons to do it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.step import Stamps, Step


def step(output: Path) -> Step:
    def run() -> str:
        output.touch()
        return "/usr/bin/it"

    return Step("it", "title", "inputs", (output,), run)


def test_a_step_is_done_once_and_its_result_is_remembered(tmp_path: Path) -> None:
    stamps, it = Stamps(tmp_path / "stamps"), step(tmp_path / "output")
    assert stamps.result(it) is None
    assert stamps.do(it) == "/usr/bin/it"
    assert Stamps(tmp_path / "stamps").result(it) == "/usr/bin/it"


def test_other_inputs_or_a_lost_output_are_a_reason_to_do_it_again(tmp_path: Path) -> None:
    stamps, it = Stamps(tmp_path / "stamps"), step(tmp_path / "output")
    stamps.do(it)
    assert stamps.result(replace(it, inputs="others")) is None
    (tmp_path / "output").unlink()
    assert stamps.result(it) is None


def test_a_step_that_fails_when_it_is_done_again_counts_as_not_done(tmp_path: Path) -> None:
    def fail() -> str:
        raise KeyboardInterrupt

    stamps, it = Stamps(tmp_path / "stamps"), step(tmp_path / "output")
    stamps.do(it)
    with pytest.raises(KeyboardInterrupt):
        stamps.do(replace(it, run=fail))
    assert stamps.result(it) is None
