"""Benchmark `jvm`: the daemon's heap and garbage collectors, each against what the launcher sets.

What a setting costs in memory and CPU, and whether it slows a worker of eight shards that catches up as fast as it can.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from articles.errors import UserError
from benchmarks.bench import Result
from benchmarks.say import say
from benchmarks.worker import DAEMON, WORKER, Load, Place, Run

LOAD: Final = Load(8, 10_000, 5000)
QUICK: Final = Load(2, 5000, 2500)
DEFAULT: Final = "as it is"
COLLECTORS: Final = {
    "serial": "-XX:+UseSerialGC",
    "G1": "-XX:-UseSerialGC -XX:+UseG1GC",
    "parallel": "-XX:-UseSerialGC -XX:+UseParallelGC",
}
SETTINGS: Final = {
    **{f"{name}, {heap}": f"{flag} -Xmx{heap}" for name, flag in COLLECTORS.items() for heap in ("256m", "512m", "1g")},
    "first compiler only": "-XX:TieredStopAtLevel=1",
}


def run(folder: Path, quick: bool) -> list[Result]:
    load = QUICK if quick else LOAD
    default = _run(folder / "default", load, "")
    results: list[Result] = []
    for number, (name, options) in enumerate([*SETTINGS.items()][-1 if quick else 0 :]):
        say(f"  {name}: {options}")
        try:
            found = _run(folder / f"run-{number}", load, options)
        except UserError as error:  # a heap that is too small ends the daemon, which is a finding
            say(f"  {name} did not get there: {str(error).splitlines()[-1].strip()}")
            continue
        results += [
            Result(name, "MB peak of the daemon", found.daemon_peak / 1e6, default.daemon_peak / 1e6, DEFAULT),
            Result(name, "µs CPU a record, daemon", _micros(found, load), _micros(default, load), DEFAULT),
            Result(name, "records/s", load.total / found.wall, load.total / default.wall, DEFAULT, inverse=True),
            Result(name, "s to the first record", found.start, default.start, DEFAULT),
            Result(name, "s CPU until then", found.start_cpu, default.start_cpu, DEFAULT),
        ]
    return results


def _micros(run: Run, load: Load) -> float:
    return run.cpu[DAEMON] / load.total * 1e6


def _run(folder: Path, load: Load, options: str) -> Run:
    folder.mkdir()
    with Place(folder, load) as place:
        return place.run(WORKER, {"ARTICLES_JAVA_OPTS": options})
