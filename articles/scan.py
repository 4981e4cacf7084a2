"""List and look at what lies under a prefix: one listing each for roots and links, many requests at a time.

Memory does not grow with the number of objects: results come in the order of the keys, through a bounded window.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from articles.chain import Root, ShardName, State, Summary
from articles.errors import ChainError
from articles.keys import Layout, ParsedKey
from articles.retry import RetryingStore
from articles.store import ObjectInfo
from articles.tail import read_root, read_summary

WORKERS: Final = 32
WINDOW: Final = 256
"""How many answers may wait for the slowest one before them."""

_A = TypeVar("_A")
_B = TypeVar("_B")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which chains are meant; None means all. `page` is only for listings: a chain is walked as a whole."""

    stream: str | None = None
    created: int | None = None
    shard: str | None = None
    page: str | None = None

    def takes(self, name: ShardName) -> bool:
        return (
            self.stream in (None, name.stream)
            and self.created in (None, name.created)
            and self.shard in (None, name.shard)
        )


@dataclass(frozen=True, slots=True)
class RootObject:
    """An object in the roots' folder. Without `root`, `problem` says why it is none."""

    key: str
    shard: ShardName | None
    root: Root | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LinkObject:
    """What a HEAD answered for a link's key. Without `summary`, `problem` says why."""

    info: ObjectInfo
    summary: Summary | None
    problem: str = ""

    @property
    def after(self) -> State | None:
        return self.summary.after if self.summary else None


def ignore(_done: int) -> None:
    """For who wants no progress."""


def many(
    function: Callable[[_A], _B], items: Iterable[_A], workers: int = WORKERS, window: int = WINDOW
) -> Iterator[_B]:
    """`map` with many calls under way, results in the items' order, never more than `window` ahead."""
    waiting: deque[Future[_B]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="scan")
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= window:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        # Whoever stops early need not wait for calls whose answers nobody wants.
        pool.shutdown(wait=False, cancel_futures=True)


def roots(
    store: RetryingStore, layout: Layout, selection: Selection, known: Mapping[ShardName, Root] | None = None
) -> list[RootObject]:
    """Every object in the roots' folder that is selected or is no root at all, in the order of keys. Those `known` are
    not read again: a root never changes."""
    known = known or {}

    def read(item: ObjectInfo) -> RootObject | None:
        parsed = layout.parse_root(item.key)
        if parsed is None:
            return RootObject(item.key, None, None, "is not a root's name")
        if not selection.takes(parsed.shard):
            return None
        try:
            root = known.get(parsed.shard) or read_root(store, layout, parsed.shard)
        except ChainError as error:
            return RootObject(item.key, parsed.shard, None, str(error))
        return RootObject(item.key, parsed.shard, root)

    return [found for found in many(read, store.list(layout.roots)) if found]


def listed(
    store: RetryingStore, layout: Layout, selection: Selection, after: str = ""
) -> Iterator[tuple[ObjectInfo, ParsedKey | None]]:
    """Everything in the data folder, or on the selected page, with keys greater than `after`, in the order of keys:
    links that are selected, with their parsed key, and strangers, without."""
    for item in store.list(layout.page(selection.page) if selection.page else layout.data, after):
        parsed = layout.parse_link(item.key)
        if parsed is None or selection.takes(parsed.shard):
            yield item, parsed


def look(store: RetryingStore, key: str) -> LinkObject | None:
    """HEAD a link; its header answers where a copy has lost the metadata. None when it is not there."""
    info = store.head(key)
    if info is None:
        return None
    try:
        return LinkObject(info, read_summary(store, info).summary)
    except ChainError as error:
        return LinkObject(info, None, str(error))


def links(
    store: RetryingStore, layout: Layout, selection: Selection, progress: Callable[[int], None] = ignore
) -> Iterator[tuple[ParsedKey, LinkObject]]:
    """The selected links as they lie there, on the line or not."""

    def head(found: tuple[ObjectInfo, ParsedKey | None]) -> tuple[ParsedKey, LinkObject] | None:
        item, parsed = found
        link = look(store, item.key) if parsed else None
        return (parsed, link) if parsed and link else None

    for answer in many(head, listed(store, layout, selection)):
        progress(1)
        if answer:
            yield answer


def nothing(layout: Layout, selection: Selection) -> str:
    of = f" of stream {selection.stream!r}" if selection.stream else ""
    return (
        f"nothing{of} is stored under the prefix {layout.prefix!r}: no chain has begun there; "
        "check --bucket, --prefix and --stream, and that a worker runs"
    )
