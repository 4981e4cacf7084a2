"""Buckets with a snapshot, exported into another one in memory, with little work for each process."""

from __future__ import annotations

import dataclasses
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import fastavro
from hypothesis import strategies as st

from articles.export import export as exporting
from articles.export import formats
from articles.export.export import Exported, Means, export
from articles.export.make import Stores
from articles.export.options import MIB, Options
from articles.export.pool import Places
from articles.export.spill import Buckets
from articles.keys import Layout
from articles.retry import RetryingStore
from tests.articles.builder import MORNING, Article, Chain, name
from tests.fakes import FakeClock, MemoryStore
from tests.training.kit import Bucket

MEANS = Means(200 * MIB, 1, Path())
WHERE = ("memory://source/articles", None, None, 1.0)
TO = Layout("exports/one")


class Killed(BaseException):
    """In place of a process that ends there."""


@dataclass(slots=True)
class Repeated(Bucket):
    """A bucket in which articles come again: `ids` different ones, of changing length."""

    ids: int = 5

    def __post_init__(self) -> None:
        number = 0
        for shard, links in enumerate(self.shards):
            chain = Chain(self.memory, shard=name(shard), block_records=3)
            chain.root()
            for records, _ in links:
                made = []
                for _ in range(records):
                    number += 1
                    content = " ".join(["word"] * (number % 9))
                    arrival = MORNING + number * 7919 % 50
                    made.append(Article(number, content, article_id=f"a-{number % self.ids}", arrival=arrival))
                if made:
                    self.keys.append(chain.link(made))
        self.snapshot()


@dataclass(slots=True)
class Run:
    """Exports of a bucket into `to`."""

    bucket: Bucket
    folder: Path
    to: MemoryStore = field(default_factory=MemoryStore)
    phases: list[str] = field(default_factory=list)

    def __call__(self, options: Options, tick: Callable[[], None] = lambda: None, **means: Any) -> Exported:
        def progress(phase: str, records: int, total: int) -> None:
            assert 0 <= records <= total
            self.phases.append(phase)
            tick()

        stores = Stores(self.bucket.store, Layout("articles"), RetryingStore(self.to, FakeClock()), TO)
        changed = dataclasses.replace(MEANS, scratch=self.folder, **means)
        return export(stores, None, options, changed, Places(WHERE, WHERE), progress)

    @property
    def files(self) -> dict[str, bytes]:
        return {key.removeprefix(f"{TO.prefix}/"): stored.body for key, stored in sorted(self.to.objects.items())}

    def records(self, part: str) -> list[dict[str, Any]]:
        return read(self.files[part])


def read(body: bytes) -> list[dict[str, Any]]:
    return [record for record in fastavro.reader(io.BytesIO(body)) if isinstance(record, dict)]


@contextmanager
def small(buckets: int = 1, block: int = 100) -> Iterator[None]:
    """So that a few articles fill blocks, and a file has about that many buckets."""
    with (
        mock.patch.object(exporting, "BUCKETS", buckets * 300_000),
        mock.patch.object(formats, "BLOCK_BYTES", block),
    ):
        yield


@contextmanager
def killed_at(step: int, run: Run) -> Iterator[Callable[[], int]]:
    """Whatever is done with the stores or the scratch folder counts as a step, its beginning and its end; at that one
    the process ends. Gives how many there have been."""
    steps = 0

    def tick(*_: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == step:
            raise Killed

    def ticking(function: Callable[..., Any]) -> Callable[..., Any]:
        def ticks(*args: Any, **others: Any) -> Any:
            tick()
            return function(*args, **others)

        return ticks

    run.to.hook = run.bucket.memory.hook = tick
    try:
        with (
            mock.patch.object(Buckets, "file", ticking(Buckets.file)),
            mock.patch.object(os, "unlink", ticking(os.unlink)),
            mock.patch.object(os, "rmdir", ticking(os.rmdir)),
        ):
            yield lambda: steps
    finally:
        run.to.hook = run.bucket.memory.hook = None


def stored(bucket: Bucket) -> dict[str, bytes]:
    return {key: one.body for key, one in bucket.memory.objects.items()}


shapes: st.SearchStrategy[Sequence[Sequence[tuple[int, int]]]] = st.lists(
    st.lists(st.tuples(st.integers(0, 12), st.just(3)), max_size=4), min_size=1, max_size=4
)
choices = st.builds(
    Options,
    format=st.just("avro"),
    profile=st.sampled_from(("compatible", "dense")),
    file_size=st.sampled_from((40, 120, 10_000)),
    seed=st.none() | st.integers(0, 3),
    deduplicate=st.booleans(),
    split=st.sampled_from(("", "0.5/0.5", "0.8/0.1/0.1")),
)
