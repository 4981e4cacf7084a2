"""A whole prefix written into a new one, without what has a tombstone.

Every object of the new prefix has one possible content, but for how it is compressed, which follows from the old prefix
and from the tombstones that were there when the rewrite began; all are created once. So a rewrite may be stopped at any
point and run again, and workers may go on writing to the old prefix until the last run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Final

from articles import __version__, rewrite_manifest, tombstones
from articles.chain import ShardName, Totals
from articles.clock import Clock
from articles.errors import ChainError, UserError
from articles.position import ZERO
from articles.rewrite_letters import Unpack, Wanted
from articles.rewrite_link import Copied, Place, Rewriter
from articles.rewrite_manifest import Done, Part, Plan, Sums, Unclear
from articles.scan import LinkObject, Selection, ignore, look, many, nothing, roots
from articles.walk import OffLine, OnLine, Walk, Why

PART_LINKS: Final = 1000
"""As many files are looked at again, at most, after a crash."""
WORKERS: Final = 32
WINDOW: Final = 64
SHOWN: Final = 50


@dataclass(slots=True)
class Rewritten:
    """`sums` are of all runs, `files` of this one. `late`: tombstones younger than the rewrite, whose articles are
    still in it. `strangers` are objects that no chain leads to, which stay behind; `unclear` dead letters of which
    nobody can tell what article they were, the first few."""

    plan: Plan
    sums: Sums
    files: int = 0
    late: int = 0
    strangers: list[str] = field(default_factory=list)
    unclear: list[Unclear] = field(default_factory=list)


def rewrite(
    source: Place,
    target: Place,
    origin: str,
    clock: Clock,
    unpack: Unpack,
    *,
    unclear: bool = True,
    progress: Callable[[int], None] = ignore,
) -> Rewritten:
    """One run; the new prefix then holds what the old one held when it was listed. `origin` names the old prefix.

    Raises UserError where there is nothing to do or the new prefix is not empty and of another rewrite; ChainError for
    chains that are broken, files that are damaged, and a new prefix that holds something else."""
    plan = _begin(source, target, Plan(origin, _digests(source), unclear, _now(clock), __version__))
    erased = frozenset(map(bytes.fromhex, plan.tombstones))
    run = _Run(source, target, Rewriter(source, target, Wanted(erased, plan.unclear, unpack)), clock, progress)
    found = run.all(plan)
    found.late = len(tombstones.load(source.store, source.layout) - erased)
    return found


def _begin(source: Place, target: Place, plan: Plan) -> Plan:
    """The plan that counts: ours, or the one of the run that began this rewrite."""
    key = target.layout.rewritten_key(0)
    body = target.store.read(key)
    if body is None:
        if next(iter(target.store.list(target.layout.prefix)), None):
            raise UserError(f"{target.layout.prefix!r} holds something already: rewrite into a new prefix")
        if not plan.tombstones:
            raise UserError("there is no tombstone, so nothing is to be erased: see `articles tombstone --help`")
        if not next(iter(source.store.list(source.layout.roots)), None):
            raise UserError(nothing(source.layout, Selection()))
        target.store.create(key, plan.to_json(), {})
        body = target.store.read(key) or b""
    there = Plan.from_json(key, body)
    if (there.source, there.unclear) != (plan.source, plan.unclear):
        kept = "with" if there.unclear else "without"
        raise UserError(
            f"{target.layout.prefix!r} holds the rewrite of {there.source}, {kept} unclear dead letters: "
            "go on with that, or rewrite into a new prefix"
        )
    return there


class _Run:
    def __init__(
        self, source: Place, target: Place, rewriter: Rewriter, clock: Clock, progress: Callable[[int], None]
    ) -> None:
        self._source, self._target, self._rewriter = source, target, rewriter
        self._clock, self._progress = clock, progress
        self._roots: set[ShardName] = set()
        self._strangers: list[str] = []

    def all(self, plan: Plan) -> Rewritten:
        layout = self._source.layout
        self._copy_missing(layout.tombstones, (".json",))
        done = rewrite_manifest.read_done(self._target.store, self._target.layout)
        known = replace(done, chains=dict(done.chains))
        walk = _walk(self._source, known)
        self._copy_missing(layout.roots, (ZERO.padded,))  # after the walk has listed them
        found = Rewritten(plan, done.sums, strangers=self._strangers)
        part = Part()
        for copied in many(self._rewriter, self._steps(walk), WORKERS, WINDOW):
            _add(part, copied)
            found.files += 1
            found.unclear += copied.unclear[: SHOWN - len(found.unclear)]
            self._progress(1)
            if part.sums.files == PART_LINKS:
                self._store(done, part)
                part = Part()
        if part.sums.files:
            self._store(done, part)
        self._copy_missing(layout.replayed, (".claimed", ".put"))
        self._check(known, done)
        found.sums = done.sums
        return found

    def _steps(self, walk: Walk[LinkObject]) -> Iterator[OnLine[LinkObject]]:
        for root in walk.roots:
            if root.shard and root.root is None:
                raise ChainError(f"{root.problem}; run `articles verify`")
        self._roots |= walk.lines.keys()
        for step in walk:
            if isinstance(step, OffLine):
                self._beside(step)
                continue
            if step.root.shard not in self._roots:  # it is younger than the listing of roots
                self._copy(self._source.layout.inside(self._source.layout.root_key(step.root.shard)))
                self._roots.add(step.root.shard)
            yield step

    def _beside(self, step: OffLine) -> None:
        if step.why not in (Why.STRANGER, Why.FORK):
            why = step.problem or f"the chain is broken before it ({step.why.value})"
            raise ChainError(f"{step.key}: {why}; run `articles verify`")
        if len(self._strangers) < SHOWN:
            self._strangers.append(step.key)

    def _copy_missing(self, folder: str, endings: tuple[str, ...]) -> None:
        """Small objects that no rewrite changes; whatever else somebody put there stays behind."""
        source, target = self._source, self._target
        copied = target.store.list(target.layout.whole(source.layout.inside(folder)))
        there = (target.layout.inside(item.key) for item in copied)
        here = (source.layout.inside(item.key) for item in source.store.list(folder) if item.key.endswith(endings))
        for _ in many(self._copy, _missing(here, there)):
            pass

    def _copy(self, inside: str) -> None:
        body = self._source.store.read(self._source.layout.whole(inside))
        key = self._target.layout.whole(inside)
        if body is None:
            raise ChainError(f"{self._source.layout.whole(inside)} was listed and is gone")
        if self._target.store.create(key, body, {}) is not None and self._target.store.read(key) != body:
            raise ChainError(f"{key} is there already, with other contents: somebody else writes to the new prefix")

    def _store(self, done: Done, part: Part) -> None:
        key = self._target.layout.rewritten_key(done.parts + 1)
        body = part.to_json(_now(self._clock), __version__)
        if self._target.store.create(key, body, {}) is not None and self._target.store.read(key) != body:
            raise UserError(f"{key} is there: another run is at work; let it end, and run this again")
        done.take(part)

    def _check(self, known: Done, done: Done) -> None:
        """Walk what was written, and hold it against what was read. Raises ChainError."""
        walk = _walk(self._target, known)
        found, files = Totals(), 0
        for step in walk:
            if isinstance(step, OffLine) or step.answer.summary is None:
                raise ChainError(f"{step.key} does not belong to the chains of the new prefix: run `articles verify`")
            found += step.answer.summary.totals
            files += 1
        sums = done.sums
        for shard, line in walk.lines.items():
            if line.state != done.chains.get(shard, line.root.state):
                raise ChainError(
                    f"the new prefix has the chain of {shard} up to {line.state}: does a worker write to it?"
                )
        written = sums.left - known.sums.left
        if (found, files) != (written, sums.files - known.sums.files) or sums.before - sums.erased != sums.left:
            raise ChainError(f"{files} new files with {found} lie in the new prefix, {written} were to be written")


def _walk(place: Place, known: Done) -> Walk[LinkObject]:
    """From where the parts before end. Raises ChainError when a chain of theirs has lost its root."""
    found = {one.shard: one.root for one in roots(place.store, place.layout, Selection()) if one.shard and one.root}
    for shard in known.chains.keys() - found.keys():
        raise ChainError(f"the root of {shard} is gone or cannot be read: run `articles verify`")
    states = {shard: (root, known.chains.get(shard, root.state)) for shard, root in found.items()}
    return Walk(
        place.store,
        place.layout,
        Selection(),
        partial(look, place.store),
        known=states if known.chains else None,
        through=place.layout.whole(known.through),
        at_once=True,
    )


def _add(part: Part, copied: Copied) -> None:
    link, left = copied.link, copied.link.totals
    part.sums += Sums(copied.before, copied.before - left, left, 1, bool(copied.changed), len(copied.unclear))
    part.chains[link.shard] = link.after
    part.through = max(part.through, copied.key)
    part.unclear += copied.unclear
    if copied.changed:
        part.changed.append(copied.changed)


def _missing(here: Iterator[str], there: Iterator[str]) -> Iterator[str]:
    """Of two sorted ones, what only the first has."""
    other = next(there, None)
    for one in here:
        while other is not None and other < one:
            other = next(there, None)
        if other != one:
            yield one


def _digests(source: Place) -> list[str]:
    return sorted(one.hex() for one in tombstones.load(source.store, source.layout))


def _now(clock: Clock) -> str:
    return datetime.fromtimestamp(clock.wall(), UTC).isoformat(timespec="seconds")
