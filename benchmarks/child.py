"""Benchmark `child`: CPU a record of one shard's child, against the straightforward build, the floors and a native one.

Each child gets the same protocol lines through a pipe, one call after the other as from the daemon, and puts its files
to the same stub of S3 in another process. CPU is counted from the answer to `initialize` to the end of the process,
all threads: reading, decoding, counting, encoding, compressing, storing, checkpoints.
"""

from __future__ import annotations

from itertools import count
from pathlib import Path

from benchmarks.bench import Goal, Result, S3Stub, interleaved, median
from benchmarks.lines import AS_GENERATED, Load, load
from benchmarks.process import Cost, feed
from benchmarks.sides import KCLPY, LINES, OURS, PLAIN, Side, environment

FILE_RECORDS = 5000
ROUNDS = 5


def run(folder: Path, quick: bool) -> list[Result]:
    with S3Stub(folder) as stub:
        return compare(folder, stub, load(2000 if quick else 10_000), 3 if quick else ROUNDS)


def compare(folder: Path, stub: S3Stub, given: Load, rounds: int) -> list[Result]:
    runs = count()
    sizes: dict[str, int] = {}

    def measure(side: Side) -> Cost:
        prefix = f"run-{next(runs)}"
        state = folder / prefix
        state.mkdir()
        env = environment(stub.url, prefix, state, FILE_RECORDS=str(FILE_RECORDS), FILE_SIZE=str(256 << 20))
        cost = feed(side.command, env, given.calls, folder / f"{prefix}.log")
        sizes[side.name] = sum(stub.sizes(f"{prefix}/data/").values())
        return cost

    what = f"{given.records} records in calls of {given.batch}"
    sides = {side.name: (lambda side=side: measure(side)) for side in (OURS, PLAIN, KCLPY, LINES)}
    found = interleaved(sides, rounds, what)
    micro = {name: median([cost.work for cost in costs]) / given.records * 1e6 for name, costs in found.items()}
    label = "3.2 KB" if given.size == AS_GENERATED else f"{given.size} B"
    name = f"child, {label}, calls of {given.batch}"
    ours = micro[OURS.name]
    return [
        Result(f"{name}: CPU", "µs a record", ours, micro[PLAIN.name], PLAIN.name, Goal(3.5)),
        Result(
            f"{name}: file size",
            "of raw",
            sizes[OURS.name] / given.raw,
            sizes[PLAIN.name] / given.raw,
            PLAIN.name,
            Goal(1.0),
        ),
        *(
            Result(f"{name}: CPU", "µs a record", ours, micro[side.name], side.name, None, True)
            for side in (KCLPY, LINES)
        ),
    ]
