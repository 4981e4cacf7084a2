"""Benchmark `memory`: the peak of one child's resident memory, by file size, by records a call, by records in all."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.bench import Goal, Result, S3Stub
from benchmarks.lines import Load
from benchmarks.process import feed
from benchmarks.say import say
from benchmarks.sides import OURS, PLAIN, Side, environment

MIB: Final = 1 << 20
FILE_MIB: Final = (8, 16, 32, 64, 128)
BATCHES: Final = (100, 1000, 10_000)
FEW, MANY = 20_000, 200_000
DEFLATED: Final = 0.4
"""What the articles deflate to: the straightforward build's FILE_SIZE counts bytes before that."""


def run(folder: Path, quick: bool) -> list[Result]:
    with S3Stub(folder) as stub:
        bench = MemoryBench(folder, stub)
        results = [bench.file_size(size) for size in (FILE_MIB[:2] if quick else FILE_MIB)]
        results += [bench.batch(size) for size in BATCHES]
        results.append(bench.flat(FEW, 2 * FEW if quick else MANY))
    return results


class MemoryBench:
    def __init__(self, folder: Path, stub: S3Stub) -> None:
        self._folder = folder
        self._stub = stub
        self._runs = count()

    def file_size(self, mib: int) -> Result:
        """Two files and a half; the bound is the one that the design promises."""
        records = int(2.5 * mib * MIB / DEFLATED / 2900)
        ours, plain = (self._peak(side, records, 1000, mib) for side in (OURS, PLAIN))
        bound = Goal(2 * mib + 64, at_least=False, of="ours")
        return Result(f"memory, files of {mib} MiB", "MiB peak", ours, plain, PLAIN.name, bound)

    def batch(self, batch: int) -> Result:
        ours, plain = (self._peak(side, 5 * max(batch, 2000), batch, 8) for side in (OURS, PLAIN))
        return Result(f"memory, calls of {batch}, files of 8 MiB", "MiB peak", ours, plain, PLAIN.name)

    def flat(self, few: int, many: int) -> Result:
        """Against itself, with fewer records: both fill files enough for the peak to be that of a full one."""
        less, more = (self._peak(OURS, records, 1000, 8) for records in (few, many))
        name = f"memory, {many:,} records, files of 8 MiB"
        return Result(name, "MiB peak", more, less, f"{few:,} records", Goal(1.1, at_least=False), inverse=True)

    def _peak(self, side: Side, records: int, batch: int, file_mib: int) -> float:
        prefix = f"run-{next(self._runs)}"
        place = self._folder / prefix
        place.mkdir()
        say(f"  {side.name}: {records:,} records in calls of {batch:,}, files of {file_mib} MiB")
        size = file_mib * MIB if side is OURS else int(file_mib * MIB / DEFLATED)
        env = environment(self._stub.url, prefix, place, FILE_SIZE=str(size), FILE_RECORDS="10000000")
        calls = Load.of(records, batch).calls()
        return feed(side.command, env, calls, self._folder / f"{prefix}.log").peak / MIB
