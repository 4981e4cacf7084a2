"""Benchmark `child`: CPU a record of one shard's child, against the straightforward build, the floors and a native one.

Each child gets the same protocol lines through a pipe, one call after the other as from the daemon, and puts its files
to the same stub of S3 in another process. CPU is counted from the answer to `initialize` to the end of the process,
all threads: reading, decoding, counting, encoding, compressing, storing, checkpoints.
"""

from __future__ import annotations

import pstats
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from articles.commands import table
from benchmarks.bench import Goal, Result, S3Stub, interleaved, median
from benchmarks.lines import AS_GENERATED, Load
from benchmarks.process import Cost, feed
from benchmarks.sides import KCLPY, LINES, OURS, PLAIN, Side, environment, native

AGAINST_PLAIN: Final = Goal(3.5)
AGAINST_NATIVE: Final = Goal(1.8, at_least=False)

PROFILE_ROWS: Final = 25
PROFILED: Final = """\
import cProfile, sys, time
from consumer.__main__ import main
profile = cProfile.Profile(time.thread_time)
profile.runcall(main)
profile.dump_stats(sys.argv[1])
"""


@dataclass(frozen=True, slots=True)
class Case:
    """`file_records`: how many records close a file, on both sides alike, so that their sizes can be compared."""

    name: str
    records: int
    batch: int = 1000
    size: int = AS_GENERATED
    file_records: int = 5000


MAIN: Final = Case("3 KB", 10_000)
OTHERS: Final = (
    Case("3 KB, calls of 100", 6_000, batch=100),
    Case("3 KB, calls of 1", 3_000, batch=1),
    Case("240 B", 40_000, size=240, file_records=20_000),
    Case("100 KB, calls of 100", 600, batch=100, size=100_000, file_records=200),
)


def run(folder: Path, quick: bool) -> list[Result]:
    rust = native()
    floors = [*([rust] if rust else []), KCLPY, LINES]
    with S3Stub(folder) as stub:
        bench = ChildBench(folder, stub, 2 if quick else 5)
        results = bench.compare(MAIN, floors)
        for case in () if quick else OTHERS:
            results += bench.compare(case, [rust] if rust else [])
    return results


def profile(folder: Path) -> str:
    """Where the child's own CPU time goes, function by function, as a table: what its threads for S3 take is left out,
    and every call looks dearer than it is by what cProfile takes."""
    given, dumped = Load.of(MAIN.records), folder / "profile"
    with S3Stub(folder) as stub:
        env = environment(stub.url, "profile", folder, FILE_RECORDS=str(MAIN.file_records))
        feed([sys.executable, "-P", "-c", PROFILED, str(dumped)], env, given.calls(), folder / "profile.log")
    found = pstats.Stats(str(dumped)).stats  # type: ignore[attr-defined]  # what get_stats_profile rounds to milliseconds
    rows = sorted(found.items(), key=lambda item: -item[1][2])[:PROFILE_ROWS]
    cells = [
        (f"{Path(file).name}:{number} {name}", f"{own / given.records * 1e6:.2f}", f"{calls / given.records:.2f}")
        for (file, number, name), (_, calls, own, _, _) in rows
    ]
    return "\n".join(table.lines(("function", "own µs a record", "calls a record"), cells, (1, 2)))


class ChildBench:
    def __init__(self, folder: Path, stub: S3Stub, rounds: int) -> None:
        self._folder = folder
        self._stub = stub
        self._rounds = rounds
        self._runs = count()
        self._stored: dict[str, int] = {}

    def compare(self, case: Case, others: Sequence[Side]) -> list[Result]:
        given = Load.of(case.records, case.batch, case.size)
        sides = {side.name: side for side in (OURS, PLAIN, *others)}
        found = interleaved(list(sides), lambda name: self._feed(sides[name], case, given), self._rounds, case.name)
        micros = {name: median([cost.work for cost in costs]) / case.records * 1e6 for name, costs in found.items()}
        ours = micros[OURS.name]
        share = {name: stored / given.raw for name, stored in self._stored.items()}
        results = [
            Result(f"child, {case.name}", "µs CPU a record", ours, micros[PLAIN.name], PLAIN.name, AGAINST_PLAIN),
            Result(f"child, {case.name}: files", "of raw", share[OURS.name], share[PLAIN.name], PLAIN.name, Goal(1.0)),
        ]
        for side in others:
            goal = AGAINST_NATIVE if side not in (KCLPY, LINES) else None
            name = f"child, {case.name}"
            results.append(Result(name, "µs CPU a record", ours, micros[side.name], side.name, goal, inverse=True))
            if goal:
                stored = share[side.name]
                results.append(Result(f"{name}: files", "of raw", share[OURS.name], stored, side.name, inverse=True))
        return results

    def _feed(self, side: Side, case: Case, given: Load) -> Cost:
        prefix = f"run-{next(self._runs)}"
        state = self._folder / prefix
        state.mkdir()
        cut = {"FILE_RECORDS": str(case.file_records), "FILE_SIZE": str(256 << 20)}
        log = self._folder / f"{prefix}.log"
        cost = feed(side.command, environment(self._stub.url, prefix, state, **cut), given.calls(), log)
        self._stored[side.name] = sum(self._stub.sizes(f"{prefix}/data/").values())
        return cost
