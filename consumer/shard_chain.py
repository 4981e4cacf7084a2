"""One shard's chain as its consumer sees it: append a link, or adopt the one that stands there."""

from __future__ import annotations

from dataclasses import dataclass

from articles import tail
from articles.chain import Root, ShardName, State
from articles.errors import ChainError
from articles.keys import Layout
from articles.position import ZERO, Position
from articles.retry import RetryingStore
from articles.tail import StoredObject, Tail
from consumer.open_file import SealedFile


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the chain stands after a link was created or adopted; `ours`: what it holds is what we wrote."""

    tail: Tail
    ours: bool


class ShardChain:
    """Raises ChainError when what stands in the store contradicts the protocol: the shard must be parked."""

    def __init__(self, store: RetryingStore, layout: Layout, shard: ShardName) -> None:
        self.layout = layout
        self.shard = shard
        self._store = store
        self._tail: Tail | None = None

    @property
    def root(self) -> Root | None:
        return self._tail.root if self._tail else None

    @property
    def state(self) -> State:
        """Of a chain that has its root."""
        if self._tail is None:
            raise ValueError(f"{self.shard} has no root yet")
        return self._tail.state

    @property
    def position(self) -> Position:
        """The last position stored; zero for an empty chain."""
        return self._tail.state.position if self._tail else ZERO

    @property
    def last(self) -> StoredObject | None:
        return self._tail.last if self._tail else None

    def find(self) -> None:
        self._tail = tail.find(self._store, self.layout, self.shard)

    def begin(self, root: Root) -> bool:
        """Create the root; False when another one was there, which is adopted."""
        there = self._store.create(self.layout.root_key(self.shard), root.to_json(), {})
        if there is None:
            self._tail = Tail(root, root.state, None)
            return True
        self.find()
        if self._tail is None:
            raise ChainError(f"the root {there.key} was there and is gone; roots are never deleted")
        return False

    def append(self, sealed: SealedFile) -> Appended:
        """Create the link. Otherwise another writer's stands there and is adopted, whoever wrote it, with everything
        that follows it. Either way the tail is past it; it is this chain's once `advance` is called, so that `append`
        may run beside everything else here.

        Dead letters go first, so that a link never names a file that is not there. Their key holds their digest: what
        exists already is the same.
        """
        before = self._tail
        if before is None:
            raise ValueError(f"{self.shard} has no root yet")
        if sealed.dead_letters:
            key, body = sealed.dead_letters
            self._store.create(key, body, {})
        there = self._store.create(sealed.key, sealed.body, sealed.link.summary.to_attributes())
        if there is None:
            stored = StoredObject(sealed.key, len(sealed.body), sealed.link.summary)
            return Appended(Tail(before.root, sealed.link.after, stored), ours=True)
        stored = tail.read_summary(self._store, there)
        tail.check_step_at(stored.key, before.state, stored.summary.after)
        adopted = Tail(before.root, stored.summary.after, stored)
        ours = stored.summary == sealed.link.summary  # its answer was lost
        return Appended(tail.follow(self._store, self.layout, adopted), ours)

    def advance(self, to: Tail) -> None:
        self._tail = to
