"""Follow every chain from its root, over one listing.

Along a chain neither position nor page goes back, so the order of keys is the order of the chain: each shard's line
waits for the one key that may follow its state. An object that no line waits for is off the line. While writers run,
a link may appear behind the listing's cursor, so a key that was missed is asked for before a break is declared.

A walk may go on from states known before: the listing then starts at the smallest key that may follow one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

from articles.chain import Root, ShardName, State, check_step
from articles.errors import ChainError
from articles.keys import Layout, ParsedKey
from articles.retry import RetryingStore
from articles.scan import WINDOW, WORKERS, RootObject, Selection, ignore, listed, many, roots
from articles.store import ObjectInfo


class Answer(Protocol):
    """What was found out about one link. `after` is None, and `problem` says why, when it cannot be read."""

    @property
    def after(self) -> State | None: ...
    @property
    def problem(self) -> str: ...


_T = TypeVar("_T", bound=Answer)


class Why(Enum):
    STRANGER = "stranger"  # not a link's name
    ROOTLESS = "rootless"  # a link of a shard that has no root
    FORK = "fork"  # starts inside a range that the line already holds
    BREAK = "break"  # the line ends before it: a link in between is missing
    UNREADABLE = "unreadable"  # on the line, but it does not say how to go on


@dataclass(frozen=True, slots=True)
class OnLine(Generic[_T]):
    key: str
    root: Root
    before: State
    after: State
    answer: _T


@dataclass(frozen=True, slots=True)
class OffLine:
    """`state` is where the shard's line stands, `missing` the key that it waits for; `size` is in bytes."""

    key: str
    why: Why
    size: int = 0
    shard: ShardName | None = None
    position: str = ""
    state: State | None = None
    missing: str = ""
    problem: str = ""


@dataclass(slots=True)
class Line:
    """A chain as far as it was followed. `stuck`: its last link cannot be read, so nothing can follow."""

    root: Root
    state: State
    objects: int = 0
    stuck: bool = False


class Walk(Generic[_T]):
    """Iterate over it once; `lines` then holds where each chain ends.

    `examine(key)` finds out about one link, None when there is none; it is called from many threads at a time.
    `known` are chains as they stood before, which are walked from there; `through` is the last key that they held.
    `at_once`: how far shards have come is asked for many at a time; a child's link may be seen before its parent's end.
    """

    def __init__(
        self,
        store: RetryingStore,
        layout: Layout,
        selection: Selection,
        examine: Callable[[str], _T | None],
        progress: Callable[[int], None] = ignore,
        *,
        workers: int = WORKERS,
        window: int = WINDOW,
        known: Mapping[ShardName, tuple[Root, State]] | None = None,
        through: str = "",
        at_once: bool = False,
    ) -> None:
        self.lines: dict[ShardName, Line] = {}
        self._known, self._through, self._at_once = known or {}, through, at_once
        known_roots = {shard: root for shard, (root, _) in self._known.items()}
        self.roots: Sequence[RootObject] = roots(store, layout, selection, known_roots)
        self._store, self._layout, self._selection = store, layout, selection
        self._examine, self._progress = examine, progress
        self._workers, self._window = workers, window
        for found in self.roots:
            self._add(found)

    def __iter__(self) -> Iterator[OnLine[_T] | OffLine]:
        def examine(found: tuple[ObjectInfo, ParsedKey | None]) -> tuple[ObjectInfo, ParsedKey | None, _T | None]:
            item, parsed = found
            return item, parsed, self._examine(item.key) if parsed else None

        for item, parsed, answer in many(examine, self._listed(), self._workers, self._window):
            self._progress(1)
            if parsed is None:
                yield OffLine(item.key, Why.STRANGER, item.size)
            else:
                yield from self._place(item, parsed, answer)
        if self._at_once:
            yield from self._catch_all_up()
            return
        # Children, whose numbers are higher, before their parents: who sees a child's link then sees its parent's end.
        for shard in sorted(self.lines, reverse=True):
            yield from self._catch_up(self.lines[shard], None)

    def _add(self, found: RootObject) -> None:
        if found.root:
            _, state = self._known.get(found.root.shard, (found.root, found.root.state))
            self.lines[found.root.shard] = Line(found.root, state)

    def _listed(self) -> Iterator[tuple[ObjectInfo, ParsedKey | None]]:
        """What may lie behind the states known before: everything when there are none."""
        waited_for = [key for line in self.lines.values() if (key := self._next(line))]
        after = min(waited_for, default=self._through)[:-1] if self._known else ""
        for item, parsed in listed(self._store, self._layout, self._selection, after):
            _, state = self._known.get(parsed.shard, (None, None)) if parsed else (None, None)
            if not (parsed and state) or (parsed.position, parsed.page) >= (state.position, state.page):
                yield item, parsed

    def _place(self, item: ObjectInfo, parsed: ParsedKey, answer: _T | None) -> Iterator[OnLine[_T] | OffLine]:
        key = item.key
        if parsed.shard not in self.lines:  # the root may be younger than our listing of roots
            for found in roots(self._store, self._layout, Selection(*_names(parsed.shard))):
                if found.shard:
                    self._add(found)
        line = self.lines.get(parsed.shard)
        at = str(parsed.position)
        if line is None:
            yield OffLine(key, Why.ROOTLESS, item.size, parsed.shard, at)
            return
        yield from self._catch_up(line, key)
        if self._next(line) == key:
            yield self._advance(line, key, answer)
            return
        missing = self._next(line) or ""
        # A line that waits for a key before this one was not served: a link is missing.
        why = Why.BREAK if line.stuck or (missing and missing < key) else Why.FORK
        yield OffLine(key, why, item.size, parsed.shard, at, line.state, missing)

    def _catch_up(self, line: Line, until: str | None) -> Iterator[OnLine[_T] | OffLine]:
        while (key := self._next(line)) and (until is None or key < until):
            answer = self._examine(key)
            if answer is None:
                return
            yield self._advance(line, key, answer)

    def _catch_all_up(self) -> Iterator[OnLine[_T] | OffLine]:
        """One request for each chain that goes on nowhere, many at a time."""

        def examine(waiting: tuple[Line, str]) -> tuple[Line, str, _T | None]:
            return *waiting, self._examine(waiting[1])

        open_lines = [(line, key) for line in self.lines.values() if (key := self._next(line))]
        for line, key, answer in many(examine, open_lines, self._workers, self._window):
            if answer is not None:
                yield self._advance(line, key, answer)
                yield from self._catch_up(line, None)

    def _advance(self, line: Line, key: str, answer: _T | None) -> OnLine[_T] | OffLine:
        before, after = line.state, answer.after if answer else None
        problem = answer.problem if answer else "it was listed and is gone"
        if after is not None:
            try:
                check_step(before, after)
            except ChainError as error:
                after, problem = None, str(error)
        if answer is None or after is None:
            line.stuck = True
            return OffLine(key, Why.UNREADABLE, 0, line.root.shard, str(before.position), before, "", problem)
        line.state = after
        line.objects += 1
        return OnLine(key, line.root, before, after, answer)

    def _next(self, line: Line) -> str | None:
        if line.stuck or line.state.ended:
            return None
        return self._layout.link_key(line.root.shard, line.state)


def _names(shard: ShardName) -> tuple[str, int, str]:
    return shard.stream, shard.created, shard.shard
