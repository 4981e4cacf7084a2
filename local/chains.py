"""What is stored so far, followed link by link as it grows: the demo sees the bucket through the chains alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from articles.chain import ShardName
from articles.groups import Group
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.tail import StoredObject, Tail, read_root, read_summary


@dataclass(slots=True)
class Chain:
    """One shard's: how far it was followed, its sums, and who wrote its last link."""

    tail: Tail | None = None
    group: Group = field(default_factory=Group)
    worker: str = ""


class Chains:
    """Every shard of one stream."""

    def __init__(self, store: RetryingStore, layout: Layout, shards: Iterable[ShardName]) -> None:
        self.shards = {shard: Chain() for shard in sorted(shards, key=str)}
        self.workers: dict[str, Group] = {}
        self.total = Group()
        self.files: list[StoredObject] = []
        self.store, self.layout = store, layout

    def advance(self) -> None:
        """Take in the links that were added since. Raises ChainError for what is no link."""
        for shard, chain in self.shards.items():
            if chain.tail is None:
                root = read_root(self.store, self.layout, shard)
                chain.tail = Tail(root, root.state, None) if root else None
            while chain.tail and not chain.tail.state.ended:
                info = self.store.head(self.layout.link_key(shard, chain.tail.state))
                if info is None:
                    break
                stored = read_summary(self.store, info)
                chain.tail = Tail(chain.tail.root, stored.summary.after, stored)
                self._add(chain, stored)

    def worker(self, worker: str) -> Group:
        """Nothing for one that has not stored anything yet."""
        return self.workers.get(worker, Group())

    def _add(self, chain: Chain, stored: StoredObject) -> None:
        summary = stored.summary
        one = Group(summary.totals, 1)
        chain.group += one
        chain.worker = summary.worker
        self.workers[summary.worker] = self.workers.get(summary.worker, Group()) + one
        self.total += one
        self.files.append(stored)
