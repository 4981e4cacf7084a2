"""What one snapshot has that another has not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass

from articles.catalog.manifest import Damage, Manifest, Totals
from articles.catalog.segment import Segment, read_segment
from articles.chain import ShardName
from articles.groups import Group, Groups
from articles.keys import Layout
from articles.retry import RetryingStore


@dataclass(frozen=True, slots=True)
class Difference:
    """`chains` went on, from and to these states (empty: not there); `dates` are the pages that differ."""

    totals: Totals
    chains: Mapping[ShardName, tuple[str, str]]
    dates: Mapping[str, tuple[Group, Group]]
    damaged: tuple[Damage, ...]
    mended: tuple[Damage, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "totals": asdict(self.totals),
            "chains": [
                {**asdict(shard), "from": before or None, "to": after or None}
                for shard, (before, after) in self.chains.items()
            ],
            "dates": {
                date: {"from": before.to_json(), "to": after.to_json()} for date, (before, after) in self.dates.items()
            },
            "damaged": [asdict(one) for one in self.damaged],
            "mended": [asdict(one) for one in self.mended],
        }


def difference(older: Manifest, newer: Manifest) -> Difference:
    """From the manifests alone."""
    old, new = asdict(older.totals), asdict(newer.totals)
    states = [{shard: str(end.state) for shard, end in one.chains.items()} for one in (older, newer)]
    dates = [sum(one.streams.values(), Groups()).dates for one in (older, newer)]
    return Difference(
        Totals(**{name: new[name] - old[name] for name in new}),
        {
            shard: (states[0].get(shard, ""), states[1].get(shard, ""))
            for shard in sorted(states[0].keys() | states[1].keys())
            if states[0].get(shard) != states[1].get(shard)
        },
        {
            date: (dates[0].get(date, Group()), dates[1].get(date, Group()))
            for date in sorted(dates[0].keys() | dates[1].keys())
            if dates[0].get(date) != dates[1].get(date)
        },
        tuple(one for one in newer.damaged if one not in older.damaged),
        tuple(one for one in older.damaged if one not in newer.damaged),
    )


def new_keys(store: RetryingStore, layout: Layout, older: Manifest, newer: Manifest) -> Iterator[str]:
    """Keys of links that the newer snapshot has and the older has not. Segments in both are not read."""
    held = set(_keys(store, layout, older, {segment.name for segment in newer.segments}))
    for key in _keys(store, layout, newer, {segment.name for segment in older.segments}):
        if key not in held:
            yield layout.whole(key)


def _keys(store: RetryingStore, layout: Layout, one: Manifest, without: Collection[str]) -> Iterator[str]:
    segments: list[Segment] = [segment for segment in one.segments if segment.name not in without]
    for segment in segments:
        for record in read_segment(store, layout, segment):
            yield record["key"]
