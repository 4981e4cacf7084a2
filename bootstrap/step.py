"""A step of the set-up, and the stamp that says it is done."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

RECIPE: Final = "1"
"""Raise it when a step does its work differently: then everybody's is done again."""


@dataclass(frozen=True, slots=True)
class Step:
    """`inputs`: all that the result follows from. `run` does the work and returns what the caller wants to know, one
    line; it may be interrupted anywhere and must then start afresh. `outputs` must be there afterwards."""

    name: str
    title: str
    inputs: str
    outputs: tuple[Path, ...]
    run: Callable[[], str]


class Stamps:
    """One small file a step: the digest of its inputs, and its result."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def result(self, step: Step) -> str | None:
        """What the step returned when it was done; None if it is to be done (again)."""
        try:
            digest, _, result = (self.folder / step.name).read_text("utf-8").partition("\n")
        except OSError:
            return None
        if digest != _digest(step) or not all(output.exists() for output in step.outputs):
            return None
        return result

    def do(self, step: Step) -> str:
        """Do the work; the stamp is there only once all of it is done."""
        stamp = self.folder / step.name
        stamp.unlink(missing_ok=True)
        result = step.run()
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = stamp.with_suffix(".new")
        unfinished.write_text(f"{_digest(step)}\n{result}", "utf-8")
        os.replace(unfinished, stamp)  # noqa: PTH105
        return result


def _digest(step: Step) -> str:
    return hashlib.sha256(f"{RECIPE}\n{step.name}\n{step.inputs}".encode()).hexdigest()
