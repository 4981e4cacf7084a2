"""`--save`: the bucket outlives the emulator, as a folder that readers take instead of s3://."""

from __future__ import annotations

from pathlib import Path

from articles.folder import FolderStore
from articles.keys import Layout
from articles.retry import RetryingStore


def save(store: RetryingStore, layout: Layout, folder: Path) -> None:
    """Copy what lies below the prefix. Keys stay as they are: sync markers are made of them."""
    copy = FolderStore(folder)
    for found in store.list(layout.prefix):
        body = store.read(found.key)
        if body is not None:
            copy.create(found.key, body, {})
