"""Benchmark `training`: our reader of training data against the others, on the same articles, local and in S3.

Nothing is imported here: a side's process must not pay for what measures it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.bench import Result


def run(folder: Path, quick: bool) -> list[Result]:
    from benchmarks.training.measure import measure

    return measure(folder, quick)
