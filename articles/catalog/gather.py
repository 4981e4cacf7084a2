"""One pass over what a snapshot has not: new links of every chain, and files that were damaged before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from articles.catalog.after import continued
from articles.catalog.examine import Examined, Examiner
from articles.catalog.manifest import ChainEnd, Damage, Manifest
from articles.catalog.segment import Segment, SegmentWriter, read_segment
from articles.chain import Root, ShardName
from articles.groups import Group, Groups
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import WINDOW, WORKERS, Selection, ignore, many
from articles.verify_loss import SECONDS_AN_HOUR, Watch
from articles.verify_report import Finding
from articles.walk import OffLine, OnLine, Why

WHOLE_WORKERS: Final = 32
WHOLE_WINDOW: Final = 48
RETENTION_HOURS: Final = 24


@dataclass(frozen=True, slots=True)
class Options:
    """`rows`: read whole files. `retention_hours` is how long the stream keeps records: longer gaps may hide a loss."""

    rows: bool = True
    retention_hours: int = RETENTION_HOURS


@dataclass(slots=True)
class Gathered:
    """Everything that the next manifest says; `added` and `strangers` are for people."""

    segments: list[Segment] = field(default_factory=list)
    chains: dict[ShardName, ChainEnd] = field(default_factory=dict)
    streams: dict[tuple[str, int], Groups] = field(default_factory=dict)
    losses: list[Finding] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)


class Gatherer:
    """Call it once. `base` is the snapshot to go on from."""

    def __init__(
        self,
        store: RetryingStore,
        layout: Layout,
        selection: Selection,
        options: Options,
        base: Manifest | None,
        progress: Callable[[int], None] = ignore,
    ) -> None:
        self._store, self._layout, self._selection, self._base = store, layout, selection, base
        self._retention = options.retention_hours * SECONDS_AN_HOUR
        self._progress = progress
        self._examine = Examiner(store, layout, whole=options.rows)
        self._at_a_time = (WHOLE_WORKERS, WHOLE_WINDOW) if options.rows else (WORKERS, WINDOW)
        self._writer = SegmentWriter(store, layout, options.rows)
        self._found = Gathered()
        self._watches: dict[ShardName, Watch] = {}
        self._rows = options.rows

    def __call__(self) -> Gathered:
        found, base = self._found, self._base
        if base:
            found.chains = dict(base.chains)
            found.streams = {name: groups + Groups() for name, groups in base.streams.items()}
            found.damaged = [one for one in base.damaged if not (one.counted or self._selects(one.key))]
            if self._rows and not base.rows:
                for segment in base.segments:
                    self._again(record["key"] for record in read_segment(self._store, self._layout, segment))
            else:
                found.segments = list(base.segments)
            self._again(one.key for one in base.damaged if one.counted)
        self._walk()
        self._writer.finish()
        found.segments += self._writer.segments
        found.damaged.sort(key=lambda one: one.key)
        return found

    def _again(self, keys: Iterable[str]) -> None:
        """Files on their chain's line that are counted already."""

        def examine(key: str) -> tuple[str, Examined | None]:
            return key, self._examine(key)

        for key, answer in many(examine, map(self._layout.whole, keys), *self._at_a_time):
            self._progress(1)
            self._file(key, answer)

    def _walk(self) -> None:
        walk = continued(
            self._base, self._store, self._layout, self._selection, self._examine, self._progress, self._at_a_time
        )
        for root in walk.roots:
            if root.shard and root.root is None:
                self._found.damaged.append(Damage(self._layout.inside(root.key), root.problem, counted=False))
        for shard, line in walk.lines.items():
            self._begin(shard, line.root)
        beyond: dict[tuple[ShardName, Why], tuple[OffLine, int]] = {}
        for step in walk:
            if isinstance(step, OnLine):
                self._take(step)
            elif step.shard is None or step.why is Why.FORK:
                self._found.strangers.append(step.key)
            else:
                first, count = beyond.get((step.shard, step.why), (step, 0))
                beyond[step.shard, step.why] = first, count + 1
        for step, count in beyond.values():
            self._found.damaged.append(Damage(self._layout.inside(step.key), _why(step, count), counted=False))

    def _begin(self, shard: ShardName, root: Root) -> None:
        end = self._found.chains.get(shard) or ChainEnd(root, root.state, Group(), root.written / 1000)
        self._found.chains[shard] = end
        self._watches[shard] = watch = Watch(root, self._retention)
        watch.covered = end.covered

    def _take(self, step: OnLine[Examined]) -> None:
        shard, link, summary = step.root.shard, step.answer.link, step.answer.summary
        assert summary is not None  # noqa: S101 - a link without one is off the line
        if shard not in self._watches:  # its root is younger than the walk's start
            self._begin(shard, step.root)
        if link:
            self._found.losses += self._watches[shard].look(step.key, link, step.answer.info.modified)
        groups = self._found.streams.setdefault((shard.stream, shard.created), Groups())
        group = self._found.chains[shard].group + groups.take(summary, step.before.page)
        self._found.chains[shard] = ChainEnd(step.root, step.after, group, self._watches[shard].covered)
        self._file(step.key, step.answer)

    def _file(self, key: str, answer: Examined | None) -> None:
        if answer and answer.entry:
            self._writer.add(answer.entry)
            return
        problem = answer.problem if answer else "it is gone; links are never deleted"
        self._found.damaged.append(Damage(self._layout.inside(key), problem, counted=True))

    def _selects(self, inside: str) -> bool:
        key = self._layout.whole(inside)
        parsed = self._layout.parse_link(key) or self._layout.parse_root(key)
        return parsed is None or self._selection.takes(parsed.shard)


def _why(step: OffLine, count: int) -> str:
    more = f" (and {count - 1:,} more)" if count > 1 else ""
    if step.why is Why.UNREADABLE:
        return step.problem
    if step.why is Why.ROOTLESS:
        return f"it belongs to a shard without a root{more}"
    missing = f"{step.missing} is missing" if step.missing else "what its last link leads to is not known"
    return f"the chain ends at {step.state}, {missing}, and this lies beyond{more}"
