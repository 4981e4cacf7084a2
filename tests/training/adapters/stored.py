"""A folder with chains and a snapshot of them."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

from articles import ArticleDataset, tombstones
from articles.catalog.build import build
from articles.folder import FolderStore
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from tests.articles.builder import Article, Chain, name
from tests.fakes import FakeClock

LINKS = (7, 1, 12, 9, 16, 8)
"""Articles in each link of each of two shards."""
TOTAL = 2 * sum(LINKS)


def store(folder: Path) -> str:
    """Its URI."""
    files = FolderStore(folder)
    number = 1
    for shard in range(2):
        chain = Chain(files, shard=name(shard))  # two records a block
        chain.root()
        for size in LINKS:
            chain.link([Article(number + n, "word " * ((number + n) * 37 % 41 + 1)) for n in range(size)])
            number += size
    build(RetryingStore(files, FakeClock()), Layout("articles"), Selection(), FakeClock())
    return str(folder / "articles")


def opened(uri: str, **options: Any) -> ArticleDataset:
    """One of its own; the catalogue is read once."""
    return copy.copy(_opened(uri, **options))


_opened = cache(ArticleDataset)


def store_with_gaps(folder: Path) -> str:
    """The same without one file, without what begins and ends the sequence, and without some in between."""
    uri = store(folder)
    sorted(folder.glob("articles/data/**/*.avro"))[4].unlink()
    for number in (1, 2, 3, 30, 80, 81, 84, TOTAL - 1, TOTAL):
        files = RetryingStore(FolderStore(folder), FakeClock())
        tombstones.add(files, Layout("articles"), f"a-{number}-0", "", FakeClock())
    return uri
