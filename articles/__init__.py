"""What lies in S3: schema, keys, container files, the chain, the commands that read them, and a dataset to train on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from articles.training.dataset import ArticleDataset

__version__ = "1.0.0"
__all__ = ["ArticleDataset"]


def __getattr__(name: str) -> Any:
    # Loaded where it is asked for: a shard's child imports this package too, and must stay small.
    if name == "ArticleDataset":
        from articles.training.dataset import ArticleDataset

        return ArticleDataset
    raise AttributeError(f"module 'articles' has no attribute {name!r}")
