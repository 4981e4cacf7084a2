"""Articles that must not be read any more.

    <prefix>/tombstones/<BLAKE2b-128 of the article_id, 32 hex digits>.json     {"when": …, "reason": …}

Named by a digest, so that the tombstone does not keep what it is there to forget. Created once; the files that hold the
article stay as they are until they are rewritten into another prefix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from articles.clock import Clock
from articles.export.order import identity
from articles.keys import Layout
from articles.retry import RetryingStore

digest: Final = identity
"""Of an article's id: the catalogue's rows hold the same."""
_NAME: Final = re.compile(r"([0-9a-f]{32})\.json")


@dataclass(frozen=True, slots=True)
class Tombstone:
    """`digest` is of the article's id; `when` is an ISO time."""

    digest: bytes
    when: str
    reason: str


def add(store: RetryingStore, layout: Layout, article_id: str, reason: str, clock: Clock) -> bool:
    """False when there is one already; that one stays."""
    when = datetime.fromtimestamp(clock.wall(), UTC).isoformat(timespec="seconds")
    body = json.dumps({"when": when, "reason": reason}).encode()
    return store.create(layout.tombstone_key(digest(article_id)), body, {}) is None


def load(store: RetryingStore, layout: Layout) -> frozenset[bytes]:
    """The digests of all, from their names alone: a request for each thousand of them."""
    return frozenset(found for found, _ in _listed(store, layout))


def read(store: RetryingStore, layout: Layout) -> Iterator[Tombstone]:
    for found, key in _listed(store, layout):
        said = json.loads(store.read(key) or b"{}")
        yield Tombstone(found, str(said.get("when", "")), str(said.get("reason", "")))


def _listed(store: RetryingStore, layout: Layout) -> Iterator[tuple[bytes, str]]:
    for item in store.list(layout.tombstones):
        if match := _NAME.fullmatch(item.key, len(layout.tombstones) + 1):
            yield bytes.fromhex(match[1]), item.key
