"""Compares training runs by what they learned from: the same articles in the same order, step by step?

    python examples/compare_runs.py runs/calm runs/killed runs/two

RUN/steps.tsv has a line a step: number, epoch, loss, and a digest of the ids of its articles in their order.
A run that was killed has some steps twice, those between its checkpoint and its end: they must agree too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path


def note(run: Path, step: int, epoch: int, loss: float, ids: Sequence[str]) -> None:
    """Add a line, which is there whenever the process dies."""
    digest = blake2b("\n".join(ids).encode(), digest_size=8).hexdigest()
    with (run / "steps.tsv").open("a") as file:
        file.write(f"{step}\t{epoch}\t{loss:.6f}\t{digest}\n")


class Steps:
    """`articles` holds epoch and digest of each step, `losses` its loss when it was done last."""

    def __init__(self, run: Path) -> None:
        self.articles: dict[int, str] = {}
        self.losses: dict[int, float] = {}
        lines = (run / "steps.tsv").read_text().splitlines()
        for step, epoch, loss, digest in (line.split("\t") for line in lines):
            if self.articles.setdefault(int(step), f"{epoch} {digest}") != f"{epoch} {digest}":
                sys.exit(f"compare_runs: {run}: step {step} was done twice, with different articles")
            self.losses[int(step)] = float(loss)
        self.again = len(lines) - len(self.articles)


def verdict(run: Steps, other: Steps) -> tuple[bool, str]:
    """Whether they learned from the same articles in the same order, and that in words."""
    for step in sorted({*run.articles, *other.articles}):
        if step not in other.articles:
            return False, f"it ends before step {step}"
        if run.articles.get(step) != other.articles[step]:
            return False, f"other articles from step {step} on"
    apart = max((abs(loss - run.losses[step]) for step, loss in other.losses.items()), default=0.0)
    return True, f"the same articles in the same order; losses within {apart:.6f}"


def main() -> int:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="compare_runs.py", description=__doc__, formatter_class=kind)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders; all are held against the first one")
    folders = parser.parse_args().runs
    try:
        runs = [Steps(folder) for folder in folders]
    except OSError as error:
        sys.exit(f"compare_runs: {error.filename}: {error.strerror}; train into that folder first")
    verdicts = [verdict(runs[0], run) for run in runs]
    for folder, run, (_, said) in zip(folders, runs, verdicts, strict=True):
        twice = f", {run.again} of them twice" if run.again else ""
        print(f"{folder}: {len(run.articles)} steps{twice}: {said}")
    return 0 if all(same for same, _ in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
