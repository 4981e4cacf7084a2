"""The fixtures of the other tests of what is stored."""

from tests.articles.conftest import articles, layout, memory, store

__all__ = ["articles", "layout", "memory", "store"]
