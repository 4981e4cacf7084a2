"""The first half of an export: records go from the snapshot's blocks into buckets on a local disk.

A bucket is a part of a file's range of keys that fits into memory. Each process appends to files of its own; how many
buckets there are decides how much memory the second half takes, never what comes out.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from articles.errors import ChainError
from articles.export.order import file_of, key_at, place, split_of
from articles.export.plan import Plan, Reading
from articles.export.records import Record, records
from articles.training.ahead import ahead
from articles.training.blocks import Block, Damage, Groups, Source

GROUP: Final = 8
"""Blocks that are fetched at once."""
GROUP_BYTES: Final = GROUP * (100 << 10)
"""A fetched group, compressed and not."""
THREADS: Final = 16
_ENTRY: Final = struct.Struct(">16sII")
"""Key, words, size of the record that follows."""

Entry = tuple[bytes, bytes, int]
"""Key, record, words."""
Lost = tuple[str, str, int]
"""Key of a file that cannot be read, why, and how many records that takes."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """`each` buckets a part, below `folder`; only those of the parts `wanted` are filled."""

    folder: Path
    each: int
    wanted: Set[int]

    def file(self, bucket: int, writer: int) -> Path:
        return self.folder / f"{bucket}-{writer}"

    def load(self, bucket: int, writers: int) -> Iterable[Entry]:
        """What all writers put there, in the order of keys."""
        found: list[Entry] = []
        for writer in range(writers):
            file = self.file(bucket, writer)
            if file.exists():
                found += _entries(file.read_bytes())
        found.sort()
        return found

    def size(self, part: int, writers: int) -> int:
        """Bytes that lie there for a part."""
        buckets = range(part * self.each, (part + 1) * self.each)
        files = (self.file(bucket, writer) for bucket in buckets for writer in range(writers))
        return sum(file.stat().st_size for file in files if file.exists())

    def delete(self, part: int, writers: int) -> None:
        """Whatever there is of a part that is done."""
        for bucket in range(part * self.each, (part + 1) * self.each):
            for writer in range(writers):
                self.file(bucket, writer).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Spilled:
    """Of a reading: how many records it had, and what could not be read."""

    records: int
    lost: list[Lost]


def spill(plan: Plan, reading: Reading, source: Source, buckets: Buckets, writer: int, memory: int) -> Spilled:
    """Read it all, in `memory` bytes. Raises StoreUnavailable, StoreRefused, OSError."""
    out = _Writer(buckets, writer, memory // 2)
    goes = _Places(plan, buckets.each)
    lost: list[Lost] = []
    ordinal = reading.ordinal
    for key, block in _blocks(reading, source, memory // 4):
        if isinstance(block, Block):
            count = block.count if block.kept is None else len(block.kept)
            try:
                # Damage that only decoding finds leaves out all of the block.
                found = [*records(block)]
            except ChainError as error:
                lost.append((key, str(error), count))
            else:
                for number, record in enumerate(found, ordinal):
                    if record.identity not in plan.erased:
                        out.add(*goes.of(record, number), record)
        else:
            count = block.samples
            lost.append((key, block.reason, count))
        ordinal += count
    out.flush()
    return Spilled(ordinal - reading.ordinal, lost)


class _Places:
    def __init__(self, plan: Plan, each: int) -> None:
        self._plan = plan
        self._first = [first * each for first in plan.firsts()]
        self._buckets = [split.files * each for split in plan.splits]

    def of(self, record: Record, ordinal: int) -> tuple[int, bytes]:
        """Its bucket, and its key."""
        seed = self._plan.options.seed
        if seed is None:
            key = key_at(ordinal, self._plan.records)
        else:
            key = place(seed, record.shard_id, record.sequence_number, record.sub_sequence_number)
        split = split_of(record.identity, self._plan.bounds)
        return self._first[split] + file_of(key, self._buckets[split]), key


def _blocks(reading: Reading, source: Source, memory: int) -> Iterator[tuple[str, Block | Damage]]:
    groups = Groups(reading.files, GROUP)
    window = max(1, memory // GROUP_BYTES)

    def fetch(group: int) -> list[Block | Damage]:
        return groups.fetch(source, group)

    for number, found in enumerate(ahead(fetch, range(len(groups)), min(THREADS, window), window)):
        for block in found:
            yield groups[number].file.file.key, block


class _Writer:
    """Collects up to `memory` bytes."""

    def __init__(self, buckets: Buckets, writer: int, memory: int) -> None:
        self._buckets, self._writer, self._memory = buckets, writer, memory
        self._held: dict[int, bytearray] = {}
        self._size = 0

    def add(self, bucket: int, key: bytes, record: Record) -> None:
        if bucket // self._buckets.each not in self._buckets.wanted:
            return
        held = self._held.setdefault(bucket, bytearray())
        held += _ENTRY.pack(key, record.words, len(record.data))
        held += record.data
        self._size += _ENTRY.size + len(record.data)
        if self._size >= self._memory:
            self.flush()

    def flush(self) -> None:
        for bucket, held in self._held.items():
            with self._buckets.file(bucket, self._writer).open("ab", 0) as file:
                left = memoryview(held)
                while left:
                    left = left[os.write(file.fileno(), left) :]
        self._held.clear()
        self._size = 0


def _entries(data: bytes) -> Iterator[Entry]:
    at = 0
    while at < len(data):
        key, words, size = _ENTRY.unpack_from(data, at)
        at += _ENTRY.size
        yield key, data[at : at + size], words
        at += size
