"""Which files an export has and what goes into each: a function of the snapshot, the tombstones and the options."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

from articles import __version__, schema
from articles.catalog.snapshot import Snapshot
from articles.errors import UserError
from articles.export.options import MIB, SOURCE_SIZES, Options
from articles.export.order import SPLITS, bound, parse_split
from articles.training.blocks import File
from articles.training.selection import Choice, choose

FORMAT: Final = 1
TASK_BYTES: Final = 64 * MIB
"""Compressed bytes of the source that a process reads at a time: by so many progress advances."""


@dataclass(frozen=True, slots=True)
class Split:
    """`folder` is empty where all is in one; a file has about `raw` bytes of uncompressed records."""

    folder: str
    files: int
    raw: int


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the export: `number` counts all files, `place` those of its split."""

    number: int
    split: str
    place: int
    files: int
    suffix: str

    @property
    def name(self) -> str:
        """Below where the export goes."""
        name = f"part-{self.place:05d}-of-{self.files:05d}.{self.suffix}"
        return f"{self.split}/{name}" if self.split else name


@dataclass(frozen=True, slots=True)
class Reading:
    """What a process reads at a time. `ordinal` is that of the first record."""

    files: Sequence[File]
    ordinal: int


@dataclass(frozen=True, slots=True)
class Plan:
    """`fingerprint` names all that decides the bytes. `records` are to be read, after duplicates were dropped; `erased`
    are the digests of tombstones."""

    options: Options
    snapshot: int
    fingerprint: str
    splits: Sequence[Split]
    bounds: Sequence[bytes]
    records: int
    erased: Set[bytes]

    def parts(self) -> list[Part]:
        places = ((split, place) for split in self.splits for place in range(split.files))
        return [
            Part(number, split.folder, place, split.files, self.options.format)
            for number, (split, place) in enumerate(places)
        ]

    def firsts(self) -> list[int]:
        """The number of each split's first part."""
        return list(accumulate((split.files for split in self.splits[:-1]), initial=0))


Choose = Callable[[Snapshot, bool], list[File]]
"""The files to read, in the snapshot's order; with True without the records that newer ones supersede."""


def chosen(snapshot: Snapshot, deduplicate: bool) -> list[File]:
    return choose(snapshot.files(), Choice(deduplicate=deduplicate), snapshot.rows)


def make_plan(
    snapshot: Snapshot, options: Options, erased: Set[bytes], choose: Choose = chosen
) -> tuple[Plan, list[File]]:
    """And the files to read. Raises UserError for a snapshot that cannot be exported so."""
    files = choose(snapshot, options.deduplicate)
    for one in files:
        if one.file.schema > schema.VERSION:
            raise UserError(
                f"{one.file.key} has schema version {one.file.schema}, this software writes {schema.VERSION} and would "
                "leave out what it does not know: export with a newer version"
            )
    records = sum(wanted(file) for file in files)
    if not records:
        raise UserError(f"snapshot {snapshot.number} holds no articles: there is nothing to export")
    raw = sum(_raw(file) for file in files)
    inner = parse_split(options.split) if options.split else []
    edges = [0.0, *inner, 1.0]
    folders = SPLITS if inner else ("",)
    splits = []
    for folder, low, high in zip(folders, edges, edges[1:], strict=False):
        number = max(1, round(raw * (high - low) * options.chosen.size / options.file_size))
        splits.append(Split(folder, number, int(raw * (high - low)) // number))
    fingerprint = _fingerprint(snapshot, options, splits, erased)
    bounds = [bound(part) for part in inner]
    return Plan(options, snapshot.number, fingerprint, splits, bounds, records, erased), files


def wanted(file: File) -> int:
    return file.wanted(0, len(file.file.counts))


def readings(files: Sequence[File]) -> Iterator[Reading]:
    """All of them, in parts for a process to read."""
    held: list[File] = []
    size = ordinal = first = 0
    for file in files:
        held.append(file)
        size += file.file.size
        ordinal += wanted(file)
        if size >= TASK_BYTES:
            yield Reading(held, first)
            held, size, first = [], 0, ordinal
    if held:
        yield Reading(held, first)


def _raw(file: File) -> int:
    said = file.file
    return int(sum(said.sizes) * wanted(file) / max(1, sum(said.counts)) / SOURCE_SIZES.get(said.codec, 1.0))


def _fingerprint(snapshot: Snapshot, options: Options, splits: Sequence[Split], erased: Set[bytes]) -> str:
    said: dict[str, Any] = {
        "format": FORMAT,
        "software": __version__,
        "schema": schema.VERSION,
        "snapshot": [(one.name, one.digest, one.rows_digest) for one in snapshot.manifest.segments],
        "number": snapshot.number,
        "damaged": sorted(one.key for one in snapshot.manifest.damaged),
        "options": options.to_json(),
        "files": [split.files for split in splits],
        "tombstones": hashlib.sha256(b"".join(sorted(erased))).hexdigest(),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
