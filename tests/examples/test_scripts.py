"""What needs no PyTorch: comparing runs, and saying that it is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.examples.script import COMPARE, TRAIN, run

CALM = ["1\t0\t5.0\taa", "2\t0\t4.0\tbb", "3\t1\t3.0\tcc"]


@pytest.mark.parametrize(
    "steps, status, said",
    [
        (CALM, 0, "3 steps: the same articles in the same order; losses within 0.000000"),
        (
            [*CALM[:2], "2\t0\t4.25\tbb", CALM[2]],
            0,
            "3 steps, 1 of them twice: the same articles in the same order; losses within 0.250000",
        ),
        ([CALM[0], "2\t0\t4.0\tcc", "3\t1\t3.0\tbb"], 1, "other articles from step 2 on"),
        ([*CALM[:2], "3\t0\t3.0\tcc"], 1, "other articles from step 3 on"),
        (CALM[:2], 1, "it ends before step 3"),
        ([*CALM, "4\t1\t3.0\tdd"], 1, "other articles from step 4 on"),
        ([*CALM[:2], "2\t0\t4.0\tdd"], 1, "step 2 was done twice, with different articles"),
        (None, 1, "other/steps.tsv: No such file or directory; train into that folder first"),
    ],
)
def test_runs_are_compared_step_by_step(steps: list[str] | None, status: int, said: str, tmp_path: Path) -> None:
    for name, lines in (("calm", CALM), ("other", steps)):
        (tmp_path / name).mkdir()
        if lines is not None:
            (tmp_path / name / "steps.tsv").write_text("\n".join(lines) + "\n")
    done, printed = run(COMPARE, "calm", "other", folder=tmp_path)
    assert done == status, printed
    assert said in printed.splitlines()[-1]


def test_without_pytorch_it_says_what_installs_it(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("raise ImportError")
    status, printed = run(TRAIN, "x", folder=tmp_path, path=tmp_path)
    assert status == 1
    assert printed.count("\n") == 1
    assert "`python3 -I bootstrap training`" in printed
