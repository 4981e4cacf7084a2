"""Buckets of any layout with a snapshot, and what a dataset over them must give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from hypothesis import strategies as st

from articles import ArticleDataset, location
from articles.catalog.build import build
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from tests.articles.builder import MORNING, Article, Chain, name
from tests.fakes import FakeClock, MemoryStore

DAYS = ("2025-06-16", "2025-06-17", "2025-06-18")


@dataclass(slots=True)
class Bucket:
    """`shards` holds, a shard, its links: how many records each one has, and how many of them a block."""

    shards: Sequence[Sequence[tuple[int, int]]]
    memory: MemoryStore = field(default_factory=MemoryStore)
    keys: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        number = 0
        for shard, links in enumerate(self.shards):
            chain = Chain(self.memory, shard=name(shard))
            chain.root()
            for index, (records, per_block) in enumerate(links):
                chain.block_records = per_block
                page = DAYS[min(len(DAYS) - 1, (index + 1) * len(DAYS) // (len(links) + 1))]
                made = [
                    Article(number + n + 1, content=" ".join(["word"] * (1 + (number + n) % 7)), arrival=MORNING)
                    for n in range(records)
                ]
                number += records
                if made or page != chain.state.page:
                    self.keys.append(chain.link(made, page=page))
        if self.shards:
            self.snapshot()

    @property
    def store(self) -> RetryingStore:
        return RetryingStore(self.memory, FakeClock())

    def snapshot(self) -> None:
        build(self.store, Layout("articles"), Selection(), FakeClock())

    def open(self, **options: Any) -> ArticleDataset:
        with mock.patch.object(location, "open_uri", return_value=(self.store, Layout("articles"))):
            return ArticleDataset("memory://articles", **options)


layouts = st.lists(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), min_size=0, max_size=4), min_size=1, max_size=4
)


def ids(samples: Any) -> list[str]:
    return [sample["article_id"] for sample in samples]
