"""What is measured of every side, in turns: A B C A B C …, with the files in the page cache.

Rates and resuming come from processes that go on from round to round, so neither imports nor first calls are in them;
starts are those of new processes, up to the first sample. S3 is a stub that answers each request after LATENCY, without
a limit of bandwidth: whoever reads more than it needs is not punished for it. One thread of the main process consumes.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Final

from articles.errors import UserError
from benchmarks.bench import Result, S3Stub, median
from benchmarks.say import say
from benchmarks.training import compare, data
from benchmarks.training.process import Running, interpreter_bytes
from benchmarks.training.quality import Quality, quality
from benchmarks.training.readers import HF_AVRO, HF_BATCHES, HF_MAP, READERS

ARTICLES: Final = 50_000
ROUNDS: Final = 3
LATENCY: Final = 0.03
LOCAL, S3 = "local", "S3"
QUICK_ARTICLES: Final = 5000
LEFT_OUT_WHEN_QUICK: Final = (HF_BATCHES, HF_AVRO)
FOLDERS_ONLY: Final = (HF_MAP, HF_BATCHES)
"""Sides that read nothing but local files: from S3 they first copy everything."""
TAKEN: Final = 0.5
"""Where an epoch is broken off, as a share of it, and a few samples more, so that no batch ends there."""


class Measurement:
    def __init__(self, folder: Path, bucket: Path, source: Sequence[str], quick: bool, python: str) -> None:
        self._folder, self._bucket, self._quick, self._python = folder, bucket, quick, python
        self._source = {name: position for position, name in enumerate(source)}
        self._taken = int(len(source) * TAKEN) + 3
        self._numbers = count()
        self._found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
        self.orders: dict[str, Quality] = {}

    def figures(self) -> compare.Figures:
        figures: defaultdict[str, dict[str, float]] = defaultdict(dict)
        for (measure, side), values in self._found.items():
            figures[measure][side] = median(values)
        return figures

    def everything(self) -> None:
        self._warm(LOCAL, None, 0 if self._quick else ROUNDS)
        if not self._quick:
            self._cold(LOCAL, None, 1)
        with S3Stub(self._folder, serve=self._bucket.parent) as stub:
            stub.answer_after(LATENCY)
            self._warm(S3, stub.url, 0 if self._quick else ROUNDS - 1)
            self._cold(S3, stub.url, 1 if self._quick else ROUNDS)

    def _sides(self, where: str) -> list[str]:
        left_out = (FOLDERS_ONLY if where == S3 else ()) + (LEFT_OUT_WHEN_QUICK if self._quick else ())
        return [name for name in READERS if name not in left_out]

    def _open(self, name: str, endpoint: str | None) -> Running:
        place = self._folder / f"side-{next(self._numbers)}"
        return Running(name, self._bucket, endpoint, place, self._python)

    def _warm(self, where: str, endpoint: str | None, rounds: int) -> None:
        """Without rounds, warming up is all there is, and counts."""
        with ExitStack() as stack:
            sides = {name: stack.enter_context(self._open(name, endpoint)) for name in self._sides(where)}
            with ThreadPoolExecutor() as pool:  # imports take the longest
                list(pool.map(lambda side: side.ask("first", shuffle=False), sides.values()))
            saved: dict[str, object] = {}
            for number in range(rounds + 1):
                say(f"  {where}: {f'round {number} of {rounds}' if number else 'warming up'}")
                for name, side in sides.items():
                    for measure, value in self._once(name, side, where, number, saved):
                        if number or not rounds:
                            self._found[f"{measure}, {where}", name].append(value)

    def _once(
        self, name: str, side: Running, where: str, number: int, saved: dict[str, object]
    ) -> Iterator[tuple[str, float]]:
        reader, out = READERS[name], self._folder / "order"
        answer = side.ask("epoch", shuffle=False, out=str(out))
        yield "sequential", answer["count"] / answer["seconds"]
        yield "CPU, sequential", answer["cpu"] / answer["count"]
        if not number:
            self._check(name, _ids(out))
        yield "first sample in a running process", side.ask("first", shuffle=False)["seconds"]
        if reader.shuffles:
            answer = side.ask("epoch", shuffle=True, out=str(out))
            yield "shuffled", answer["count"] / answer["seconds"]
            yield "CPU, shuffled", answer["cpu"] / answer["count"]
            if not number and where == LOCAL:
                self.orders[name] = quality([self._source[article] for article in _ids(out)])
        if reader.random and where == LOCAL:
            answer = side.ask("look_ups", count=len(self._source))
            yield "random access", answer["count"] / answer["seconds"]
        if reader.resumes != "no":
            before, after = self._folder / f"before-{where}-{name}", self._folder / "after"
            if not number:
                saved[name] = side.ask("save", taken=self._taken, out=str(before))["state"]
            once = number == (0 if self._quick else 1)
            yield "resume", side.ask("resume", state=saved[name], out=str(after), rest=once)["seconds"]
            if once:
                read = _ids(before) + _ids(after)
                yield "lost", len(self._source) - len(set(read))
                yield "repeated", len(read) - len(set(read))

    def _check(self, name: str, order: Sequence[str]) -> None:
        """That a side reads what all read."""
        if sorted(order) != sorted(self._source):
            raise UserError(
                f"{name} read {len(order):,} articles, {len(set(order)):,} of them different; not what is there"
            )

    def _cold(self, where: str, endpoint: str | None, rounds: int) -> None:
        bare = interpreter_bytes(self._python)
        for number in range(1, rounds + 1):
            say(f"  {where}: starts, round {number} of {rounds}")
            for name in self._sides(where):
                with self._open(name, endpoint) as side:
                    side.ask("first", shuffle=False)
                    self._found[f"start to first sample, {where}", name].append(time.perf_counter() - side.started)
                    if number == rounds:
                        shuffle, out = READERS[name].shuffles, str(self._folder / "order")
                        peak, disk = side.peak("epoch", shuffle=shuffle, out=out)
                        self._found[f"memory, {where}", name].append(peak - bare)
                        if where == S3:
                            self._found[f"cache on disk, {where}", name].append(disk)
                        self._found["torch imported", name].append("torch" in side.ask("modules")["modules"])


def _ids(file: Path) -> list[str]:
    return file.read_text("utf-8").split("\n")


def measure(folder: Path, quick: bool) -> list[Result]:
    if not data.PEERS.exists():
        raise UserError(
            f"there is no {data.PEERS}: `./run_benchmarks.sh training` makes it, where it may set up .venv itself"
        )
    articles = QUICK_ARTICLES if quick else ARTICLES
    bucket = data.make(folder, articles, peers=True)
    run = Measurement(folder, bucket, data.source(bucket), quick, str(data.PEERS))
    run.everything()
    return compare.results(run.figures(), run.orders)
