"""How well an order is mixed: what the learner sees next to each other, and how far that is from the source's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

PARTS: Final = 100
UNIFORM: Final = 1 / 3
"""The mean distance of two independent uniform positions, as a share of the whole."""
DISTINCT: Final = 99
"""Percentiles of 50,000 that are among 500 drawn at random. With fewer articles there are fewer: counts are scaled."""
LEAST_DISTINCT: Final = 95
CLOSE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Quality:
    """`distinct` is how many percentiles of the source stand in 1 % of the output, of DISTINCT in a uniform order: the
    median, and `worst` the least. `distance` of neighbours and `displacement` from the source are relative to
    a uniform order's."""

    distinct: float
    worst: float
    distance: float
    displacement: float

    @property
    def meets_floor(self) -> bool:
        distances = (self.distance, self.displacement)
        return self.distinct >= LEAST_DISTINCT and all(abs(value - 1) <= CLOSE for value in distances)


def quality(order: Sequence[int]) -> Quality:
    """Of positions in the source, each once, in the order in which they were emitted."""
    total = len(order)
    size = total // PARTS
    slices = [order[start : start + size] for start in range(0, size * PARTS, size)]
    distinct = [len({position * PARTS // total for position in part}) for part in slices]
    scale = DISTINCT / (PARTS * (1 - (1 - 1 / PARTS) ** size))
    between = sum(abs(a - b) for a, b in pairwise(order)) / (total - 1)
    moved = sum(abs(position - index) for index, position in enumerate(order)) / total
    return Quality(median(distinct) * scale, min(distinct) * scale, between / total / UNIFORM, moved / total / UNIFORM)
