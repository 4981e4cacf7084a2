"""The figures as results: ours against each other side's, with the goals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks.bench import Goal, Result
from benchmarks.training.quality import CLOSE, LEAST_DISTINCT, Quality
from benchmarks.training.readers import HF_BATCHES, HF_MAP, HF_STREAMING, LITDATA, MOSAICML, OURS, WEBDATASET

Figures = Mapping[str, Mapping[str, float]]
"""The median of each measure of each side: `figures[measure][side]`."""

AT_LEAST: Final[Mapping[str, Mapping[str, float]]] = {
    "sequential, local": {LITDATA: 1, HF_STREAMING: 1, WEBDATASET: 1, MOSAICML: 8, HF_MAP: 3.5, HF_BATCHES: 3.5},
    "shuffled, local": {LITDATA: 1},
    "resume, local": {HF_MAP: 0.77, HF_BATCHES: 0.77},
    "resume, S3": {LITDATA: 5, MOSAICML: 5},
    "start to first sample, S3": {MOSAICML: 5, HF_STREAMING: 5, WEBDATASET: 5, LITDATA: 5},
}
"""What the ratio to a side should be."""
TIMES_AS_WELL_MIXED: Final = 3.0
"""And when shuffled, to each side whose order is mixed as well as it must be."""
AT_MOST: Final[Mapping[str, float]] = {
    "lost": 0,
    "repeated": 0,
    "memory": 100,
    "cache on disk": 0,
    "torch imported": 0,
    "order: distance of neighbours": 100 * CLOSE,
    "order: displacement": 100 * CLOSE,
}
"""What our own figure should be."""
UNITS: Final[Mapping[str, str]] = {
    "sequential": "samples/s",
    "shuffled": "samples/s",
    "random access": "samples/s",
    "CPU, sequential": "µs a sample",
    "CPU, shuffled": "µs a sample",
    "start to first sample": "ms",
    "first sample in a running process": "ms",
    "resume": "ms",
    "lost": "samples",
    "repeated": "samples",
    "memory": "MB",
    "cache on disk": "MB",
    "torch imported": "1: yes",
    "order: percentiles in 1 %": "of 99",
    "order: percentiles in the worst 1 %": "of 99",
    "order: distance of neighbours": "% off",
    "order: displacement": "% off",
}
"""By the name of a measure, without where it was taken."""


def results(figures: Figures, orders: Mapping[str, Quality]) -> list[Result]:
    """Seconds and bytes come as they were measured."""
    made: list[Result] = []
    for measure, sides in {**figures, **_mixed(orders)}.items():
        what = measure.rpartition(", ")[0] or measure
        unit = UNITS[what]
        scale = {"ms": 1e3, "MB": 1e-6, "µs a sample": 1e6}.get(unit, 1.0)
        of_ours = _goal_of_ours(what)
        for side, value in sides.items():
            if side != OURS:
                goal = of_ours or _goal(measure, side, orders)
                of_ours = None  # said once
                ours, other = sides[OURS] * scale, value * scale
                made.append(Result(measure, unit, ours, other, side, goal, inverse=unit in ("samples/s", "of 99")))
    return made


def _goal_of_ours(what: str) -> Goal | None:
    if what == "order: percentiles in 1 %":
        return Goal(LEAST_DISTINCT, of="ours")
    return Goal(AT_MOST[what], at_least=False, of="ours") if what in AT_MOST else None


def _goal(measure: str, side: str, orders: Mapping[str, Quality]) -> Goal | None:
    if measure == "shuffled, local" and orders[side].meets_floor:
        return Goal(TIMES_AS_WELL_MIXED)
    bound = AT_LEAST.get(measure, {}).get(side)
    return Goal(bound) if bound else None


def _mixed(orders: Mapping[str, Quality]) -> Figures:
    return {
        "order: percentiles in 1 %": {side: found.distinct for side, found in orders.items()},
        "order: percentiles in the worst 1 %": {side: found.worst for side, found in orders.items()},
        "order: distance of neighbours": {side: 100 * abs(found.distance - 1) for side, found in orders.items()},
        "order: displacement": {side: 100 * abs(found.displacement - 1) for side, found in orders.items()},
    }
