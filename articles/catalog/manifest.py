"""A snapshot's manifest: one JSON object, created once under the next number, after everything that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Final

from articles.catalog.segment import Segment
from articles.chain import Root, ShardName, State
from articles.errors import ChainError, UserError
from articles.groups import Group, Groups
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from articles.store import ObjectInfo

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Totals:
    """What the segments of a snapshot hold: links, good records, their words, and bytes of files."""

    links: int = 0
    records: int = 0
    words: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """A chain as far as a snapshot goes. `group` adds up its links as an average does, also those whose file is
    damaged; `covered` is up to when (epoch seconds) all was surely read."""

    root: Root
    state: State
    group: Group
    covered: float


@dataclass(frozen=True, slots=True)
class Damage:
    """A file that no reader of the snapshot is given, or something in its way. `counted`: it is on its chain's line,
    so averages count it."""

    key: str
    problem: str
    counted: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """`made` is ISO 8601, UTC. `rows`: whether whole files were read. `streams` holds the groups of each stream, by
    name and creation. `complete` is the last complete day as far as the bucket knows, None before there is one;
    `losses` are the findings of `possible_loss`, as `articles verify` prints them. Keys are below the prefix."""

    number: int
    made: str
    software: str
    rows: bool
    segments: tuple[Segment, ...]
    chains: Mapping[ShardName, ChainEnd]
    streams: Mapping[tuple[str, int], Groups]
    complete: str | None = None
    losses: tuple[Mapping[str, str], ...] = ()
    damaged: tuple[Damage, ...] = ()
    totals: Totals = field(init=False)

    def __post_init__(self) -> None:
        sums = (sum(getattr(segment, name) for segment in self.segments) for name in Totals.__dataclass_fields__)
        object.__setattr__(self, "totals", Totals(*sums))

    @property
    def through(self) -> str:
        """The greatest key of a link."""
        return max((segment.last for segment in self.segments), default="")

    def known(self, selection: Selection) -> Mapping[ShardName, tuple[Root, State]]:
        return {shard: (end.root, end.state) for shard, end in self.chains.items() if selection.takes(shard)}

    def to_json(self) -> bytes:
        chains = [
            {
                **json.loads(end.root.to_json()),
                "state": str(end.state),
                "covered": end.covered,
                "totals": end.group.to_json(),
            }
            for _, end in sorted(self.chains.items())
        ]
        said = {
            "format": FORMAT,
            "number": self.number,
            "made": self.made,
            "software": self.software,
            "rows": self.rows,
            "totals": asdict(self.totals),
            "watermark": {"complete": self.complete, "shards_listed": False},
            "segments": [_segment_to_json(segment) for segment in self.segments],
            "chains": chains,
            "streams": [
                {"stream": stream, "created": created, **groups.to_json()}
                for (stream, created), groups in sorted(self.streams.items())
            ],
            "possible_losses": list(self.losses),
            "damaged": [asdict(one) for one in self.damaged],
        }
        return json.dumps(said, indent=1, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, key: str, body: bytes) -> Manifest:
        """Raises ChainError when it cannot be read."""
        try:
            said = json.loads(body)
            if said["format"] != FORMAT:
                raise ChainError(f"{key} is of format {said['format']}: use a newer version of this software")
            return cls(
                int(said["number"]),
                str(said["made"]),
                str(said["software"]),
                bool(said["rows"]),
                tuple(_segment(one) for one in said["segments"]),
                dict(_chain(key, one) for one in said["chains"]),
                {(one["stream"], int(one["created"])): Groups.from_json(one) for one in said["streams"]},
                said["watermark"]["complete"],
                tuple(said["possible_losses"]),
                tuple(Damage(**one) for one in said["damaged"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ChainError(f"{key} is not a snapshot's manifest: {error!r}") from error


def numbers(store: RetryingStore, layout: Layout) -> Sequence[int]:
    """The snapshots that there are, in order."""
    return list(_snapshots(store.list(layout.catalog), layout))


def newest(store: RetryingStore, layout: Layout) -> Manifest | None:
    found = numbers(store, layout)
    return load(store, layout, found[-1]) if found else None


def newest_and_segments(store: RetryingStore, layout: Layout, few: int) -> tuple[int | None, Sequence[str]]:
    """The newest snapshot's number, and the segments that lie there when these are few: with the same request, so that
    who reads the snapshot need not wait for the manifest to ask for them."""
    listing = store.list(layout.catalog)
    found = list(_snapshots(listing, layout))
    folder = f"{layout.catalog}/segments/"
    names = [item.key for item in islice(listing, 2 * few) if item.key.startswith(folder)]
    return (found[-1] if found else None), (names if len(names) <= few else ())


def _snapshots(listing: Iterator[ObjectInfo], layout: Layout) -> Iterator[int]:
    for item in listing:
        if item.key > f"{layout.catalog}/:":  # behind the digits: segments and rows
            break
        number = layout.parse_snapshot(item.key)
        if number is not None:
            yield number


def load(store: RetryingStore, layout: Layout, number: int) -> Manifest:
    """Raises UserError when there is no such snapshot, ChainError when it cannot be read."""
    key = layout.snapshot_key(number)
    body = store.read(key) if 0 <= number < 10**10 else None
    if body is None:
        raise UserError(f"there is no snapshot {number}; `articles catalog list` shows those that there are")
    found = Manifest.from_json(key, body)
    if found.number != number:
        raise ChainError(f"{key} says that it is snapshot {found.number}")
    return found


def _segment_to_json(segment: Segment) -> dict[str, object]:
    rows = f"catalog/rows/{segment.name}.avro" if segment.rows_digest else None
    return {"key": f"catalog/segments/{segment.name}.avro", "rows": rows, **asdict(segment)}


def _segment(said: Mapping[str, Any]) -> Segment:
    return Segment(**{name: said[name] for name in Segment.__dataclass_fields__})


def _chain(key: str, said: Mapping[str, Any]) -> tuple[ShardName, ChainEnd]:
    shard = ShardName(said["stream"], said["created"], said["shard"])
    root = Root.from_json(key, shard, json.dumps(said).encode())
    group = Group.from_json(said["totals"])
    return shard, ChainEnd(root, State.parse(said["state"]), group, float(said["covered"]))
