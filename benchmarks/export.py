"""Benchmark `export`: a shuffled export on one machine, against a plain PySpark job that reads, shuffles and writes the
same articles in local mode with as many threads.

Memory is what all processes of a side have resident, added up at each moment: pages that they share count for each.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from articles.errors import UserError
from benchmarks.bench import Goal, Result, median
from benchmarks.process import status_bytes
from benchmarks.say import say
from benchmarks.sides import HERE

RECORDS: Final = 900_000
RAW: Final = 3060
"""Bytes of a record, uncompressed."""
MIB: Final = 1 << 20
FILE_MIB: Final = 32
CORES: Final = 4
READERS: Final = HERE.parent / ".venv" / "readers"
OURS, DENSE, BOUNDED, PARQUET, PLAIN = "ours", "dense", "bounded", "parquet", "plain PySpark"
MEMORY: Final = {OURS: 512, DENSE: 512, BOUNDED: RECORDS * RAW // MIB // 10, PARQUET: 1536}
"""MiB that each may take; of BOUNDED a tenth of the records' size."""
WHAT: Final = {OURS: "compatible", DENSE: "dense", BOUNDED: "a tenth of the records' size allowed", PARQUET: "parquet"}
SAMPLING: Final = 0.02
SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Taken:
    """`wall` and `cpu` are seconds; `peak` and `size` bytes, `size` of the files that came out."""

    wall: float
    cpu: float
    peak: int
    size: int


def run(folder: Path, quick: bool) -> list[Result]:
    records, rounds = (RECORDS // 15, 1) if quick else (RECORDS, 2)
    source = folder / "articles"
    say(f"  making {records:,} articles")
    _call([sys.executable, "-P", "-m", "benchmarks.export_data", str(source), str(records)])
    numbers = count()

    def take(side: str) -> Taken:
        place = folder / f"run-{next(numbers)}"
        place.mkdir()
        try:
            return _measured(_command(side, source, place, records), place / "out")
        finally:
            shutil.rmtree(place)

    found: dict[str, list[Taken]] = {}
    for side in [OURS, PLAIN] * rounds + [BOUNDED, PARQUET, DENSE]:
        say(f"  {side}")
        found.setdefault(side, []).append(take(side))
    return [*_results(found, records, quick)]


def _results(found: dict[str, list[Taken]], records: int, quick: bool) -> Sequence[Result]:
    raw = records * RAW

    def of(side: str, figure: Callable[[Taken], float]) -> float:
        return median([figure(taken) for taken in found[side]])

    figures: dict[str, tuple[str, Callable[[Taken], float], bool]] = {
        "speed": ("MB/s", lambda taken: raw / taken.wall / 1e6, True),
        "CPU": ("s/GB", lambda taken: taken.cpu / raw * 1e9, False),
        "memory": ("MiB peak", lambda taken: taken.peak / MIB, False),
        "files": ("of raw", lambda taken: taken.size / raw, False),
    }
    results = []
    for name, (unit, figure, inverse) in figures.items():
        for side in WHAT:
            goal = None
            if name == "memory" and not (quick and side == BOUNDED):
                goal = Goal(MEMORY[side], at_least=False, of="ours")
            elif name == "speed" and side == OURS:
                goal = Goal(1.0)
            said = f"export, {name}: {WHAT[side]}"
            results.append(Result(said, unit, of(side, figure), of(PLAIN, figure), PLAIN, goal, inverse=inverse))
    return results


def _command(side: str, source: Path, place: Path, records: int) -> list[str]:
    to, scratch = str(place / "out"), str(place / "scratch")
    if side == PLAIN:
        files = max(1, round(records * RAW * 0.36 / (FILE_MIB * MIB)))
        script = str(HERE / "export_spark.py")
        python = str(READERS / "bin" / "python")
        return [python, "-P", script, _jar(), str(source), to, str(files), str(CORES), scratch]
    ours = [sys.executable, "-P", "-m", "articles", "export", "newest", str(source), "--to", to, "--shuffle"]
    ours += ["--file-size", f"{FILE_MIB}MiB", "--memory", f"{MEMORY[side]}MiB", "--processes", str(CORES)]
    ours += ["--profile", "dense"] if side == DENSE else []
    ours += ["--format", "parquet"] if side == PARQUET else []
    return [*ours, "--scratch", scratch]


def _jar() -> str:
    found = sorted((READERS / "jars").glob("spark-avro_*.jar"))
    if not found:
        raise UserError("PySpark and its jar are not there: `./run_tests.sh readers` sets them up")
    return str(found[0])


def _measured(command: Sequence[str], out: Path) -> Taken:
    log = out.with_suffix(".log")
    with log.open("wb") as output:
        began = time.perf_counter()
        popen = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
            start_new_session=True,
        )
        watch = threading.Timer(SECONDS, os.killpg, (popen.pid, signal.SIGKILL))
        watch.start()
        peak, ticks = 0, dict[int, int]()
        while popen.poll() is None:
            now = _processes(popen.pid)
            peak = max(peak, sum(resident for resident, _ in now.values()))
            ticks |= {pid: used for pid, (_, used) in now.items()}
            time.sleep(SAMPLING)
        watch.cancel()
    wall = time.perf_counter() - began
    if popen.returncode:
        raise UserError(f"{' '.join(command)} failed:\n{log.read_text(errors='replace')[-3000:]}")
    size = sum(file.stat().st_size for file in out.rglob("part-*") if file.is_file())
    return Taken(wall, sum(ticks.values()) / os.sysconf("SC_CLK_TCK"), peak, size)


def _processes(session: int) -> dict[int, tuple[int, int]]:
    """Of each process of a session: resident bytes, and ticks of CPU time up to now."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            said = stat.read_text().rpartition(")")[2].split()
            if int(said[3]) == session:
                pid = int(stat.parent.name)
                found[pid] = status_bytes(pid, "VmRSS"), int(said[11]) + int(said[12])
        except (OSError, UserError):  # it has just ended
            continue
    return found


def _call(command: Sequence[str]) -> None:
    env = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise UserError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
