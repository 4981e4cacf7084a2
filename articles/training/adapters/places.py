"""A rank's samples with their numbers in its sequence. What cannot be read, as its file is damaged, and what must not
be, as it has a tombstone, is left out of a dataset's iteration: only numbers show where."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from articles.training.dataset import ArticleDataset
from articles.training.reading import Sample

FILLERS: Final = 64
"""Samples that stay in memory to stand in for others."""


def numbered(
    dataset: ArticleDataset, worker: int = 0, workers: int = 1, batch: int = 1, skip: int = 0
) -> Iterator[tuple[int, Sample]]:
    """As `ArticleDataset.share()`; numbers count from where the dataset begins."""
    samples = dataset.share(worker, workers, batch, skip)
    reading = dataset._reading  # noqa: SLF001 - asking for a state each time would take a microsecond
    assert reading is not None  # noqa: S101 - it is the one of this share
    return ((reading.given - 1, sample) for sample in samples)


def filled(
    dataset: ArticleDataset, worker: int = 0, workers: int = 1, batch: int = 1, skip: int = 0
) -> Iterator[tuple[int, Sample]]:
    """The same without gaps: an earlier sample takes the place of one that is left out, or the next one where there is
    none before."""
    first = dataset.state_dict()["position"]
    span = dataset._span(first)  # noqa: SLF001 - how many are left depends on what it does with a remainder
    count = len(range(first + dataset.rank, span.end, dataset.world_size))
    return _filled(numbered(dataset, worker, workers, batch, skip), _numbers(worker, workers, batch, skip, count))


def _filled(samples: Iterator[tuple[int, Sample]], numbers: Iterator[int]) -> Iterator[tuple[int, Sample]]:
    fillers: deque[Sample] = deque(maxlen=FILLERS)
    found = None
    for number in numbers:
        found = found or next(samples, None)
        if found is not None and (found[0] == number or not fillers):
            filler = found[1]
        elif fillers:
            filler = fillers.popleft()
        else:
            return  # there is nothing to give
        fillers.append(filler)
        if found is not None and found[0] == number:
            found = None
        yield number, filler


def _numbers(worker: int, workers: int, batch: int, skip: int, count: int) -> Iterator[int]:
    """Those of a share."""
    for start in range(worker * batch, count, workers * batch):
        yield from range(max(start, skip), min(start + batch, count))
