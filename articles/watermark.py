"""Up to which day everything has been stored: `dt=` folders up to it never grow again.

A day is complete when, with the shards listed 30 minutes after its end, every listed shard and every root stands at
END or on a later page. A listed shard without a root is not complete: nobody can say what it holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from articles.chain import END, ShardName
from articles.errors import ChainError, UserError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection, many, nothing, roots
from articles.tail import find

GRACE: Final = timedelta(minutes=30)
"""After midnight: producers' clocks, and records under way."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The shards that ListShards told of. `at` is when, in epoch seconds."""

    stream: str
    created: int
    shards: tuple[str, ...]
    at: float


@dataclass(frozen=True, slots=True)
class ShardPage:
    """The open page of a shard: a date, END, or empty where it has no root yet."""

    shard: ShardName
    page: str
    position: str = ""


@dataclass(frozen=True, slots=True)
class Watermark:
    """`complete` is the last complete day, None before there is one; `held_by` are the shards that keep the next day
    from being complete: empty when only the clock does. `former` are chains of streams that were made again under
    their name: no record can come to them any more, so they hold nothing back."""

    complete: str | None
    held_by: tuple[ShardPage, ...]
    shards: tuple[ShardPage, ...]
    former: tuple[ShardPage, ...]
    next_day: str
    listed: bool


def compute(
    store: RetryingStore, layout: Layout, selection: Selection, listed: Sequence[Listed], now: float
) -> Watermark:
    """`listed` must have been listed before; `now` is in epoch seconds. Raises UserError where there is no chain,
    ChainError where one is broken."""
    found = roots(store, layout, selection)
    for item in found:
        if item.shard and not item.root:
            raise ChainError(f"{item.problem}; run `articles verify`")
    names = sorted({item.shard for item in found if item.shard})
    wanted = [ShardName(one.stream, one.created, shard) for one in listed for shard in one.shards]
    if not names and not wanted:
        raise UserError(nothing(layout, selection))

    def page(shard: ShardName) -> ShardPage:
        tail = find(store, layout, shard)
        return ShardPage(shard, tail.state.page, str(tail.state.position)) if tail else ShardPage(shard, "")

    created = {one.stream: one.created for one in listed}
    pages = list(many(page, sorted({*names, *wanted})))
    former = tuple(one for one in pages if one.shard.created < created.get(one.shard.stream, 0))
    current = tuple(one for one in pages if one not in former)
    return judge(current, former, min([now, *(one.at for one in listed)]), bool(listed))


def judge(current: Sequence[ShardPage], former: tuple[ShardPage, ...], at: float, listed: bool) -> Watermark:
    """`at` is when the shards were looked at, in epoch seconds; `listed`: whether the stream was asked for them."""
    by_clock = (datetime.fromtimestamp(at, UTC) - GRACE).date() - timedelta(days=1)
    lowest = min((one.page for one in current), default=END)
    if not lowest:
        blocking = tuple(one for one in current if not one.page)
        return Watermark(None, blocking, tuple(current), former, "", listed)
    by_pages = by_clock if lowest == END else date.fromisoformat(lowest) - timedelta(days=1)
    complete = min(by_clock, by_pages)
    next_day = (complete + timedelta(days=1)).isoformat()
    held_by = tuple(one for one in current if one.page <= next_day) if complete < by_clock else ()
    return Watermark(complete.isoformat(), held_by, tuple(current), former, next_day, listed)
