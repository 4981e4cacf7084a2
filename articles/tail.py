"""Find a shard's root and the tail of its chain in the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from articles.chain import Link, Root, ShardName, State, Summary, check_step
from articles.container import HEADER_GUESS, Header, Truncated, read_header
from articles.errors import ChainError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.store import ObjectInfo


@dataclass(frozen=True, slots=True)
class StoredObject:
    """A link that is in the store: the only thing that unlocks a checkpoint."""

    key: str
    size: int
    summary: Summary


@dataclass(frozen=True, slots=True)
class Tail:
    """The chain's state now. `last` is its newest link, None for a root without links."""

    root: Root
    state: State
    last: StoredObject | None


def read_root(store: RetryingStore, layout: Layout, shard: ShardName) -> Root | None:
    """The shard's root, None where there is none yet; raises ChainError when it cannot be read."""
    key = layout.root_key(shard)
    body = store.read(key)
    return None if body is None else Root.from_json(key, shard, body)


def find(store: RetryingStore, layout: Layout, shard: ShardName) -> Tail | None:
    """The tail of the shard's chain, None where there is no root yet (then the chain is empty).

    Looks at the newest page first and takes the shard's last key in it, then walks forward by HEAD, because a listing
    is older than the walk. Raises ChainError for an object that is not a link, or one that leads backwards.
    """
    root = read_root(store, layout, shard)
    if root is None:
        return None
    pages = sorted((name[3:] for name in store.folders(layout.data) if name.startswith("dt=")), reverse=True)
    last = None
    for page in pages:
        if page < root.page or (last := _last_link(store, layout, root, page)):
            break
    tail = Tail(root, last.summary.after, last) if last else Tail(root, root.state, None)
    return follow(store, layout, tail)


def follow(store: RetryingStore, layout: Layout, tail: Tail) -> Tail:
    """Walk from a known state to the end of the chain."""
    while not tail.state.ended:
        key = layout.link_key(tail.root.shard, tail.state)
        info = store.head(key)
        if info is None:
            return tail
        stored = read_summary(store, info)
        check_step_at(key, tail.state, stored.summary.after)
        tail = Tail(tail.root, stored.summary.after, stored)
    return tail


def check_step_at(key: str, before: State, after: State) -> None:
    try:
        check_step(before, after)
    except ChainError as error:
        raise ChainError(f"{key}: {error}") from error


def read_summary(store: RetryingStore, info: ObjectInfo) -> StoredObject:
    """What a HEAD said of a link, or its header where a copy has lost the metadata; raises ChainError."""
    summary = Summary.from_attributes(info.attributes)
    return StoredObject(info.key, info.size, summary or read_link(store, info.key, info.size).summary)


def read_link(store: RetryingStore, key: str, size: int) -> Link:
    """A link's header, read without its blocks; raises ChainError when there is none."""
    return Link.from_metadata(key, read_object_header(store, key, size).metadata)


def read_object_header(store: RetryingStore, key: str, size: int) -> Header:
    """The header of a container file of `size` bytes; raises ChainError when it is none."""
    wanted = HEADER_GUESS
    while True:
        data = store.read(key, 0, min(wanted, size)) if size else b""
        if data is None:
            raise ChainError(f"{key} was there and is gone; links are never deleted")
        try:
            return read_header(data)
        except Truncated:
            if wanted >= size:
                raise ChainError(f"{key} ends inside its header") from None
            wanted *= 8
        except ChainError as error:
            raise ChainError(f"{key}: {error}") from error


def _last_link(store: RetryingStore, layout: Layout, root: Root, page: str) -> StoredObject | None:
    """The shard's last link on a page. The listing starts at the shard's first possible
    name: the client lists whole folders only, so names are cut by where they start."""
    start = f"{layout.page(page)}/{root.shard}-"
    last = None
    for item in _from(store, layout.page(page), start):
        parsed = layout.parse_link(item.key)
        if parsed and parsed.shard == root.shard:
            last = item.key, State(parsed.position, parsed.page)
    if last is None:
        return None
    key, before = last
    info = store.head(key)
    if info is None:
        raise ChainError(f"{key} was listed and is gone; links are never deleted")
    stored = read_summary(store, info)
    check_step_at(key, before, stored.summary.after)  # else a link that leads back would be followed by a fork
    return stored


def _from(store: RetryingStore, folder: str, start: str) -> Iterator[ObjectInfo]:
    for item in store.list(folder, start):
        if not item.key.startswith(start):
            return
        yield item
