"""What came after a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from articles.catalog.manifest import Manifest
from articles.errors import ChainError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import WINDOW, WORKERS, Selection
from articles.walk import Answer, Walk

_T = TypeVar("_T", bound=Answer)


def continued(
    base: Manifest | None,
    store: RetryingStore,
    layout: Layout,
    selection: Selection,
    examine: Callable[[str], _T | None],
    progress: Callable[[int], None],
    at_a_time: tuple[int, int] = (WORKERS, WINDOW),
) -> Walk[_T]:
    """A walk over what came after a snapshot; without one, over everything. Raises ChainError when a chain of the
    snapshot has lost its root."""
    workers, window = at_a_time
    known = base.known(selection) if base else None
    through = layout.whole(base.through) if base else ""
    walk = Walk(
        store,
        layout,
        selection,
        examine,
        progress,
        workers=workers,
        window=window,
        known=known,
        through=through,
        at_once=True,
    )
    for shard in known or {}:
        if shard not in walk.lines:
            raise ChainError(
                f"the root {layout.root_key(shard)} is gone or cannot be read, and a snapshot holds its chain: "
                "run `articles verify`"
            )
    return walk
