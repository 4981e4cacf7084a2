"""Hugging Face `datasets`: an `ArticleDataset` as its `IterableDataset`, and as its `Dataset` in a cache on disk."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Any, Final

import datasets

from articles.errors import UserError
from articles.training.adapters import arrow
from articles.training.adapters.places import numbered
from articles.training.dataset import ArticleDataset
from articles.training.reading import Sample

SHARDS: Final = 48
"""Divisible by the usual numbers of ranks and loader workers."""


def to_iterable(dataset: ArticleDataset, shards: int = SHARDS) -> datasets.IterableDataset:
    """The whole epoch of the dataset's rank in its order, in so many stretches of it, which `datasets` calls shards:
    it deals whole ones to loader workers.

    What the library does not do: with loader workers the order is another one for each number of them; its own
    `set_epoch` and `shuffle` do not reach the dataset's order, so set the dataset's epoch and convert again; its
    `load_state_dict` reads the stretch that it stopped in from its beginning again and drops what came before; and
    `split_dataset_by_node` deals stretches that do not follow one another, so open the dataset with a rank and a world
    size instead."""
    return datasets.IterableDataset.from_generator(
        _samples, features=_features(dataset), gen_kwargs={"source": _Source(dataset), "parts": _parts(dataset, shards)}
    )


def to_dataset(dataset: ArticleDataset, cache_dir: str | None = None, processes: int | None = None) -> datasets.Dataset:
    """The whole epoch of the dataset's rank in its order, written into the library's cache as Arrow, a thousand
    articles in memory at a time, and mapped from there. What is in the cache already is not read again; samples that
    could not be read (`ArticleDataset.tolerate`) are missing from it for good."""
    return datasets.Dataset.from_generator(
        _samples,
        features=_features(dataset),
        cache_dir=cache_dir,
        gen_kwargs={"source": _Source(dataset), "parts": _parts(dataset, SHARDS)},
        num_proc=processes,
        fingerprint=_fingerprint(dataset),
    )


class _Source:
    """Gives stretches of the rank's sequence. Of two that follow one another the second goes on where the first ended,
    as beginning anew reads blocks twice."""

    def __init__(self, dataset: ArticleDataset) -> None:
        self._dataset = copy.copy(dataset)
        self._open: tuple[int, Iterator[tuple[int, Sample]]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"_dataset": self._dataset, "_open": None}

    def samples(self, first: int, after: int) -> Iterator[Sample]:
        """Those with these numbers; what cannot be read is left out."""
        begun, self._open = self._open, None
        samples = begun[1] if begun is not None and begun[0] == first else self._begin(first)
        for number, sample in samples:
            if number >= after:
                samples = chain([(number, sample)], samples)
                break
            yield sample
        self._open = after, samples

    def _begin(self, first: int) -> Iterator[tuple[int, Sample]]:
        dataset = copy.copy(self._dataset)
        dataset.load_state_dict({**dataset.state_dict(), "position": first * dataset.world_size})
        return ((first + number, sample) for number, sample in numbered(dataset))


def _samples(source: _Source, parts: Sequence[tuple[int, int]]) -> Iterator[Sample]:
    for first, after in parts:
        yield from source.samples(first, after)


def _parts(dataset: ArticleDataset, shards: int) -> list[tuple[int, int]]:
    if shards < 1:
        raise UserError(f"shards={shards}: one or more")
    samples = len(dataset)
    number = max(1, min(shards, samples))
    bounds = [part * samples // number for part in range(number + 1)]
    return list(pairwise(bounds))


def _features(dataset: ArticleDataset) -> datasets.Features:
    return datasets.Features.from_arrow_schema(arrow.schema(dataset))


def _fingerprint(dataset: ArticleDataset) -> str:
    """Of what decides the samples and their order."""
    state: dict[str, Any] = {**dataset.state_dict(), "position": 0}
    rank = [dataset.rank, dataset.world_size, len(dataset)]
    said = json.dumps([dataset.uri, state, list(dataset.fields), rank], sort_keys=True)
    return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()
