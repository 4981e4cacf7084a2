"""The console script over a bucket in memory."""

from tests.articles.conftest import articles, layout, memory, store

__all__ = ["articles", "layout", "memory", "store"]
