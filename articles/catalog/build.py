"""Build the next snapshot: what the newest one has not, and nothing again.

Segments are stored as they fill, the manifest last, create-once: whoever stops in between leaves segments that no
manifest names. Of two builders one wins the number; the other starts again from the winner's snapshot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from articles import __version__, watermark
from articles.catalog import manifest
from articles.catalog.gather import Gathered, Gatherer, Options
from articles.catalog.manifest import Manifest
from articles.catalog.merge import merged
from articles.clock import Clock
from articles.errors import UserError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection, ignore, nothing
from articles.watermark import ShardPage

TRIES: Final = 10
"""How often other builders may be quicker."""


@dataclass(frozen=True, slots=True)
class Built:
    """`new` is False when there was nothing that the newest snapshot, `manifest`, has not. `strangers` lie beside the
    chains and are no part of them."""

    manifest: Manifest
    base: Manifest | None
    strangers: tuple[str, ...] = ()

    @property
    def new(self) -> bool:
        return self.base is None or self.base.number != self.manifest.number


def build(
    store: RetryingStore,
    layout: Layout,
    selection: Selection,
    clock: Clock,
    options: Options | None = None,
    progress: Callable[[int], None] = ignore,
) -> Built:
    """Chains that are not selected stay as the newest snapshot has them. Raises UserError where there is no chain, or
    where a part would have rows and another none; ChainError when what the snapshot rests on is gone."""
    options = options or Options()
    for _ in range(TRIES):
        base = manifest.newest(store, layout)
        if base and base.rows and not options.rows:
            raise UserError(
                f"snapshot {base.number} knows the records of its files, and with --headers-only those of new files "
                "would be missing: build without it"
            )
        found = Gatherer(store, layout, selection, options, base, progress)()
        if not found.chains and not found.damaged:
            raise UserError(nothing(layout, selection))
        strangers = tuple(found.strangers)
        if base and _same(base, found):
            return Built(base, base, strangers)
        made = _manifest(store, layout, base, found, clock.wall(), options)
        key, body = layout.snapshot_key(made.number), made.to_json()
        # What is there already may be our own: its answer was lost.
        if store.create(key, body, {}) is None or store.read(key) == body:
            return Built(made, base, strangers)
    raise UserError(f"other builders were quicker {TRIES} times: their snapshots hold what this one would have")


def _same(base: Manifest, found: Gathered) -> bool:
    return (tuple(found.segments), found.chains, tuple(found.damaged)) == (base.segments, base.chains, base.damaged)


def _manifest(
    store: RetryingStore, layout: Layout, base: Manifest | None, found: Gathered, now: float, options: Options
) -> Manifest:
    pages = [ShardPage(shard, end.state.page) for shard, end in sorted(found.chains.items())]
    losses = [loss.to_json() | {"key": layout.inside(loss.key)} for loss in found.losses]
    return Manifest(
        number=base.number + 1 if base else 1,
        made=datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
        software=__version__,
        rows=options.rows,
        segments=merged(store, layout, found.segments, rows=options.rows),
        chains=found.chains,
        streams=found.streams,
        complete=watermark.judge(pages, (), now, listed=False).complete,
        losses=(*(base.losses if base else ()), *losses),
        damaged=tuple(found.damaged),
    )
