"""Benchmark `end-to-end`: a whole worker, the real daemon and its children, against a consumer on async-kinesis.

Both read the same full stream from the same stub of Kinesis, and put files of as many records to the same emulator of
S3. Without limits first: what a worker can do. Then with those of Kinesis: what a shard lets it do. The parts of our
own CPU time say where it goes.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Final

from articles.errors import UserError
from benchmarks import lines
from benchmarks.bench import Goal, Result, median
from benchmarks.say import say
from benchmarks.sides import Side
from benchmarks.worker import ASYNC, CHILDREN, CHILDREN_S3, COMPILER, DAEMON, KINESIS, STORE, WORKER, Load, Place, Run

FILE_RECORDS: Final = 5000
FREE: Final = tuple(Load(shards, 10_000, FILE_RECORDS) for shards in (1, 2, 4, 8))
LIMITED: Final = Load(4, 10_000, FILE_RECORDS, limits=True)
QUICK: Final = (Load(2, 5000, 2500),)
ROUNDS: Final = 2
BUDGET: Final = 150.0
"""Seconds after which no further round begins."""
CHEAPER: Final = Goal(1.0)


def run(folder: Path, quick: bool) -> list[Result]:
    if not Path(ASYNC.command[0]).exists():
        raise UserError(f"there is no {ASYNC.command[0]}: it is made where ./run_benchmarks.sh may set up .venv itself")
    loads = QUICK if quick else (*FREE, LIMITED)
    runs: dict[tuple[str, Load], list[Run]] = defaultdict(list)
    numbers = count()
    began = time.monotonic()
    for turn in range(1, 2 if quick else ROUNDS + 1):
        if turn > 1 and time.monotonic() - began > BUDGET:
            break
        for load in loads:
            for side in (WORKER, ASYNC):
                say(f"  round {turn}: {side.name}, {name_of(load)}")
                runs[side.name, load].append(_run(folder / f"run-{next(numbers)}", load, side))
    results = [result for load in loads for result in compare(load, runs[WORKER.name, load], runs[ASYNC.name, load])]
    largest = loads[-1] if quick else FREE[-1]
    return results + parts(largest, runs[WORKER.name, largest])


def name_of(load: Load) -> str:
    return f"{load.shards} shard{'s' * (load.shards > 1)}{', as slow as Kinesis' * load.limits}"


def compare(load: Load, ours: Sequence[Run], other: Sequence[Run]) -> list[Result]:
    megabytes = lines.Load.of(load.records).raw / load.records / 1e6

    def rates(runs: Sequence[Run]) -> float:
        return median([load.total / run.wall for run in runs])

    def micros(runs: Sequence[Run], without: str = "") -> float:
        return median([run.worker_cpu - run.cpu.get(without, 0.0) for run in runs]) / load.total * 1e6

    def starts(runs: Sequence[Run]) -> float:
        return median([run.start for run in runs])

    a, b, name, against = rates(ours), rates(other), f"end to end, {name_of(load)}", ASYNC.name
    return [
        Result(name, "records/s a worker", a, b, against, inverse=True),
        Result(name, "MB/s a worker", a * megabytes, b * megabytes, against, inverse=True),
        Result(name, "MB/s a shard", a * megabytes / load.shards, b * megabytes / load.shards, against, inverse=True),
        Result(name, "µs CPU a record", micros(ours), micros(other), against),
        Result(name, "µs CPU a record, once compiled", micros(ours, COMPILER), micros(other), against, CHEAPER),
        Result(name, "s to the first record", starts(ours), starts(other), against),
    ]


def parts(load: Load, runs: Sequence[Run]) -> list[Result]:
    """Of our own CPU time, and beside it what stub and emulator take. The ratio is the part's share."""
    whole = median([run.worker_cpu for run in runs])
    totals = (DAEMON, CHILDREN, CHILDREN_S3)
    names = [*totals, *sorted(part for part in runs[0].cpu if part.startswith(f"{DAEMON}:")), KINESIS, STORE]
    scale = 1e6 / load.total
    return [
        Result(
            f"{name_of(load)}: {part}",
            "µs CPU a record",
            median([run.cpu[part] for run in runs]) * scale,
            whole * scale,
            "daemon and children",
            inverse=True,
        )
        for part in names
    ]


def _run(folder: Path, load: Load, side: Side) -> Run:
    folder.mkdir()
    with Place(folder, load) as place:
        return place.run(side)
