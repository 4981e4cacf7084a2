"""What every benchmark has: a place of its own, the store it writes to, its measures and its results."""

from __future__ import annotations

import http.client
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import urlsplit

from articles.errors import UserError
from benchmarks.say import say
from benchmarks.sides import BUCKET, HERE
from local.process import Process, start

_T = TypeVar("_T")
START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on the ratio, or with `of` "ours" on our own figure."""

    bound: float
    at_least: bool = True
    of: str = "ratio"

    def met(self, ours: float, ratio: float) -> bool:
        value = ratio if self.of == "ratio" else ours
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'' if self.of == 'ratio' else self.of + ' '}{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Result:
    """Medians of both sides in `unit`. `ratio` says how many times the other side's figure is ours, or with `inverse`
    ours the other's."""

    name: str
    unit: str
    ours: float
    other: float
    against: str
    goal: Goal | None = None
    inverse: bool = False

    @property
    def ratio(self) -> float:
        over, under = (self.ours, self.other) if self.inverse else (self.other, self.ours)
        return over / under if under else 0.0

    @property
    def met(self) -> bool | None:
        return self.goal.met(self.ours, self.ratio) if self.goal else None

    def to_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "other": self.other,
            "against": self.against,
            "ratio": self.ratio,
            "goal": str(self.goal) if self.goal else None,
            "met": self.met,
        }


def interleaved(sides: Sequence[str], run: Callable[[str], _T], rounds: int, what: str) -> dict[str, list[_T]]:
    """A B A B …: what else runs on the machine meets all sides alike. One round more, uncounted, warms up."""
    found: dict[str, list[_T]] = {side: [] for side in sides}
    for number in range(rounds + 1):
        say(f"  {what}: {f'round {number} of {rounds}' if number else 'warming up'}")
        for side in sides:
            value = run(side)
            if number:
                found[side].append(value)
    return found


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


class S3Stub:
    """A context manager around `s3_stub` in a process of its own."""

    def __init__(self, folder: Path, keep: bool = False, serve: Path | None = None) -> None:
        self._folder = folder
        self._options = [*(["--keep"] if keep else []), *(["--serve", str(serve)] if serve else [])]
        self._process: Process | None = None
        self.url = ""

    def __enter__(self) -> S3Stub:
        log, output = self._folder / "s3-stub.log", self._folder / "s3-stub.out"
        output.unlink(missing_ok=True)  # of an earlier stub: its address would be taken for this one's
        command = [sys.executable, "-P", "-m", "benchmarks.s3_stub", *self._options]
        env = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        self._process = start("the S3 stub", command, env, log, output=output)
        deadline = time.monotonic() + START_SECONDS
        while not (said := output.read_text()).endswith("\n"):
            if self._process.exit_status() is not None or time.monotonic() > deadline:
                raise UserError(f"the S3 stub did not start; its log:\n{self._process.last_lines()}")
            time.sleep(0.02)
        self.url = said.strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process:
            self._process.kill()

    def sizes(self, prefix: str) -> Mapping[str, int]:
        """Bytes of every object below `prefix`, by key."""
        sizes: dict[str, int] = json.loads(self._get(f"-/sizes?{BUCKET}/{prefix}"))
        return sizes

    def save(self, prefix: str, folder: Path) -> None:
        """Every object below `prefix` as a file in `folder`, which stands for the buckets."""
        for name in self.sizes(prefix):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._get(name))

    def answer_after(self, seconds: float) -> None:
        """From now on, as if it were so far away."""
        self._get(f"-/latency?{seconds}")

    def _get(self, what: str) -> bytes:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request("GET", f"/{what}")
            return connection.getresponse().read()
        finally:
            connection.close()
