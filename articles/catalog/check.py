"""The newest snapshot held against the chains, while they are walked from their roots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from articles.catalog import manifest
from articles.catalog.manifest import Manifest
from articles.chain import ShardName, State, Totals
from articles.errors import ChainError
from articles.groups import Group
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from articles.verify_report import Finding, shard_text

NAME: Final = "10: the newest snapshot agrees with the chains"


class SnapshotCheck:
    """Shown every link of a walk, it says where the snapshot counts something else up to the same state."""

    def __init__(self, store: RetryingStore, layout: Layout, selection: Selection) -> None:
        self._selection = selection
        self._groups: dict[ShardName, Group] = {}
        self._met: set[ShardName] = set()
        self._unreadable: ChainError | None = None
        self.newest: Manifest | None = None
        try:
            self.newest = manifest.newest(store, layout)
        except ChainError as error:
            self._unreadable = error

    def look(self, shard: ShardName, after: State, totals: Totals) -> Iterator[Finding]:
        group = self._groups[shard] = self._groups.get(shard, Group()) + Group(totals, 1)
        end = self.newest.chains.get(shard) if self.newest else None
        if self.newest is None or end is None or end.state != after:
            return
        self._met.add(shard)
        if end.group != group:
            said = f"{_counts(end.group)} up to {after}, the chain has {_counts(group)}"
            yield Finding("snapshot", f"snapshot {self.newest.number} has {said}", shard=shard_text(shard))

    def finish(self) -> Iterator[Finding]:
        if self._unreadable:
            yield Finding("snapshot", str(self._unreadable))
        if self.newest is None:
            return
        for shard, end in sorted(self.newest.chains.items()):
            if self._selection.takes(shard) and end.group.objects and shard not in self._met:
                said = f"snapshot {self.newest.number} has the chain up to {end.state}, and no link leads there"
                yield Finding("snapshot", said, shard=shard_text(shard))


def _counts(group: Group) -> str:
    totals = group.totals
    return f"{group.objects} files with {totals.good} records, {totals.words} words and {totals.rejected} rejected"
