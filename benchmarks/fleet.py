"""Benchmark `fleet`: many children on one host, as a worker with many shards has them.

All are started at once and sent `initialize`; the time until the last one has answered is the start. Then the
proportional memory of the idle children is read, and again after each one has had records and put a file.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.bench import Goal, Result, S3Stub, interleaved, median
from benchmarks.lines import Load, initialize
from benchmarks.process import Child, cpu_seconds, proportional_bytes
from benchmarks.sides import OURS, PLAIN, Side, environment

CHILDREN: Final = 100
RECORDS: Final = 1000
ROUNDS: Final = 3
MB: Final = 1e6


@dataclass(frozen=True, slots=True)
class Fleet:
    """`start` is seconds to the last answer, `cpu` CPU seconds a child until then, `idle` and `worked` proportional
    memory, bytes a child."""

    start: float
    cpu: float
    idle: float
    worked: float


def run(folder: Path, quick: bool) -> list[Result]:
    children = 20 if quick else CHILDREN
    call = next(Load.of(RECORDS, RECORDS).calls())
    runs = count()
    sides = {side.name: side for side in (OURS, PLAIN)}
    with S3Stub(folder) as stub:

        def measure(name: str) -> Fleet:
            place = folder / f"run-{next(runs)}"
            place.mkdir()
            return _start(sides[name], children, call, stub, place)

        found = interleaved(list(sides), measure, 1 if quick else ROUNDS, f"{children} children")
    ours, plain = found[OURS.name], found[PLAIN.name]
    name = f"fleet of {children}"

    def result(what: str, unit: str, field: str, goal: Goal | None, scale: float = 1.0) -> Result:
        a, b = (median([getattr(fleet, field) for fleet in side]) / scale for side in (ours, plain))
        return Result(f"{name}: {what}", unit, a, b, PLAIN.name, goal)

    return [
        result("all have answered", "s", "start", Goal(4.0)),
        result("start of a child", "ms CPU", "cpu", None, 1e-3),
        result("memory, idle", "MB proportional", "idle", Goal(12.0, at_least=False, of="ours"), MB),
        result(
            f"memory, after {RECORDS} records", "MB proportional", "worked", Goal(14.0, at_least=False, of="ours"), MB
        ),
    ]


def _start(side: Side, children: int, call: bytes, stub: S3Stub, place: Path) -> Fleet:
    env = environment(stub.url, place.name, place, FILE_RECORDS=str(RECORDS))
    with ExitStack() as stack:
        began = time.perf_counter()
        fleet: list[Child] = []
        for shard in range(children):
            child = stack.enter_context(Child(side.command, env, place / f"{shard}.log"))
            child.send(initialize(shard))
            fleet.append(child)
        for child in fleet:
            child.await_status()
        start = time.perf_counter() - began
        cpu = sum(cpu_seconds(child.pid) for child in fleet) / children
        idle = _memory(fleet)
        for child in fleet:
            child.call(call)
        worked = _memory(fleet)
    return Fleet(start, cpu, idle, worked)


def _memory(fleet: list[Child]) -> float:
    return sum(proportional_bytes(child.pid) for child in fleet) / len(fleet)
