"""In which order the samples of an epoch come, and which of them are a rank's. Pure.

The unit is a group: neighbouring blocks of one file, fetched with one request. Groups are permuted over the whole
snapshot and taken a window at a time; the samples of a window are shuffled among each other. So any sample can come
anywhere in the epoch, while no more than a window of them is held. A window's order follows from the counts of its
groups alone: it is known before anything is fetched, wherever in the epoch reading starts.

The sequence is one for all: from a position p on, rank r of W gets p + r, p + r + W, and so on. A shuffled window is
dealt to LANES lanes, each a run of groups, which take turns: where W divides LANES a rank has lanes of its own, and
fetches little else than their groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

SEQUENCE: Final = 1
"""Goes up with any change that gives another order: positions saved before mean nothing then."""
LANES: Final = 48
"""Divisible by 2, 3, 4, 6, 8, 12, 16 and 24: the usual numbers of ranks."""
SHORTEST_LANE: Final = 16
"""Samples of a lane below which its shuffle would be none worth the name."""


class Window(NamedTuple):
    """`start` is the position of its first sample in the epoch; `groups` are numbers of groups, and `starts` the place
    of each one's first sample among the samples of all of them; `order` holds such places, as they are to come."""

    start: int
    groups: Sequence[int]
    starts: Sequence[int]
    order: Sequence[int]


@dataclass(frozen=True, slots=True)
class Share:
    """Whose samples: those of one rank, or, of these, one loader worker's batches.

    Worker k of K takes the batches k, k + K, … of `batch` samples, which is how PyTorch's DataLoader asks its workers
    in turn: what it collects from them is then the rank's sequence. The first `skip` samples of the rank's sequence are
    left out, whosever they are."""

    rank: int = 0
    world_size: int = 1
    worker: int = 0
    workers: int = 1
    batch: int = 1
    skip: int = 0

    def places(self, first: int, start: int, samples: int) -> tuple[Sequence[int], Sequence[int]]:
        """The numbers in the rank's sequence, which begins at the position `first`, and the places in the order of a
        window that starts at `start`, of its samples; `samples` of the window count."""
        base = first + self.rank
        number = max(self.skip, -((base - start) // self.world_size))
        own = range(base + number * self.world_size - start, samples, self.world_size)
        numbers = range(number, number + len(own))
        if self.workers == 1:
            return numbers, own
        mine = [number for number in numbers if number // self.batch % self.workers == self.worker]
        return mine, [base + number * self.world_size - start for number in mine]


def epoch(counts: Sequence[int], per_window: int, key: str | None, start: int = 0) -> Iterator[Window]:
    """The windows from the one that holds position `start` on; `counts` are the samples of each group, `key` decides
    the shuffle: the same key, the same order. Without one the order is the snapshot's."""
    position = 0
    windows = _in_turn(len(counts), per_window) if key is None else _mixed(len(counts), per_window, key)
    for number, groups in enumerate(windows):
        samples = sum(map(counts.__getitem__, groups))
        if position + samples > start:
            starts = list(accumulate(map(counts.__getitem__, groups), initial=0))
            inside = range(samples) if key is None else interleaved(samples, Random(f"{key}/{number}"))
            yield Window(position, groups, starts[:-1], inside)
        position += samples


def _in_turn(groups: int, per_window: int) -> Iterator[Sequence[int]]:
    return (range(first, min(first + per_window, groups)) for first in range(0, groups, per_window))


def _mixed(groups: int, per_window: int, key: str) -> Iterator[Sequence[int]]:
    """Each window takes one group from each of as many strata of the snapshot, so that none is made of one part of it:
    chance alone leaves every window without some of the days."""
    random = Random(key)
    windows = -(-groups // per_window)
    strata = -(-groups // windows) if groups else 0
    permuted = [_shuffled(range(n * groups // strata, (n + 1) * groups // strata), random) for n in range(strata)]
    for window in range(windows):
        yield _shuffled([stratum[window] for stratum in permuted if window < len(stratum)], random)


def interleaved(samples: int, random: Random) -> Sequence[int]:
    """A permutation of range(samples) in which the place p holds a sample of lane p % LANES; of few samples any one."""
    if samples < LANES * SHORTEST_LANE:
        return _shuffled(range(samples), random)
    size, more = divmod(samples, LANES)
    order = [0] * samples
    first = 0
    for lane in range(LANES):
        after = first + size + (lane < more)
        order[lane::LANES] = _shuffled(range(first, after), random)
        first = after
    return order


def _shuffled(items: Sequence[int], random: Random) -> list[int]:
    """Sorted by random numbers: of Python's random module only `random()` is the same in every version."""
    draw = random.random
    keys = [draw() for _ in items]
    return [items[place] for place in sorted(range(len(items)), key=keys.__getitem__)]
