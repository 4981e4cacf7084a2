"""Groups of neighbouring blocks: where they lie, which of their records are wanted, and fetching them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final, Protocol

from isal import igzip_lib, isal_zlib

from articles import avro, schema
from articles.catalog import CatalogFile
from articles.container import BLOCK_BYTES, SYNC_BYTES, decompress, framed_size, read_header
from articles.errors import ChainError

USUAL_BYTES: Final = BLOCK_BYTES + (8 << 10)


class Source(Protocol):
    """Where bytes come from; called from many threads at a time. Raises StoreUnavailable or StoreRefused."""

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Block:
    """`data` is uncompressed; `kept` holds the numbers of the records that are wanted, None for all of them. `written`
    is the schema that it was written with, None where that is today's."""

    data: bytes
    count: int
    kept: Sequence[int] | None
    version: int
    written: bytes | None

    def records(self, fields: Sequence[str]) -> list[dict[str, Any]]:
        """Those fields of the wanted ones. Raises ChainError."""
        try:
            decoded = avro.decode_articles(self.data, self.count, self.written)
            found = [{name: record[name] for name in fields} for record in decoded]
        except (IndexError, UnicodeDecodeError, EOFError, ValueError) as error:
            raise ChainError(f"a block of {self.count} records cannot be decoded: {error!r}") from error
        return found if self.kept is None else [found[number] for number in self.kept]


@dataclass(frozen=True, slots=True)
class Damage:
    """Why a block, or all of a group, cannot be read, and how many records are missed."""

    key: str
    reason: str
    samples: int


@dataclass(slots=True)
class File:
    """`kept` holds the numbers in the file of the records that are wanted, ascending; None for all of them."""

    file: CatalogFile
    kept: Sequence[int] | None = None
    written: bytes | None = field(default=None, repr=False)
    """The schema in its header, once that was read."""
    _bounds: Sequence[int] = field(default=(), repr=False)
    _records: Sequence[int] = field(default=(), repr=False)

    @property
    def bounds(self) -> Sequence[int]:
        """Where each block starts, and the file's end."""
        if not self._bounds:
            framed = map(framed_size, self.file.counts, self.file.sizes)
            self._bounds = array("Q", accumulate(framed, initial=self.file.header))
        return self._bounds

    def wanted(self, first: int, after: int) -> int:
        """How many records of these blocks are wanted."""
        if self.kept is None:
            return sum(self.file.counts[first:after])
        low, high = self._range(first, after)
        return high - low

    def kept_of(self, first: int, after: int) -> array[int] | None:
        """The wanted records of these blocks, counted from their first one; None for all."""
        if self.kept is None:
            return None
        low, high = self._range(first, after)
        start = self._records[first]
        return array("I", (number - start for number in self.kept[low:high]))

    def _range(self, first: int, after: int) -> tuple[int, int]:
        assert self.kept is not None  # noqa: S101 - the callers look
        if not self._records:
            self._records = array("L", accumulate(self.file.counts, initial=0))
        return bisect_left(self.kept, self._records[first]), bisect_left(self.kept, self._records[after])


@dataclass(frozen=True, slots=True)
class Group:
    """The blocks of a file from `first` up to `after`."""

    file: File
    first: int
    after: int

    @property
    def start(self) -> int:
        """Where it lies in its file."""
        return self.file.bounds[self.first]

    @property
    def size(self) -> int:
        """Bytes, with the framing."""
        return self.file.bounds[self.after] - self.start


class Groups:
    """All groups of some files, `several` blocks each at most, in the files' order. Groups of which no record is wanted
    are left out. `samples` holds how many are, group by group."""

    def __init__(self, files: Sequence[File], several: int = 1) -> None:
        self.several = several
        self._files = files
        self._schemas: dict[bytes, bytes] = {}
        """Each once, however many files were written with it."""
        self._places: list[array[int]] = [array("L"), array("L"), array("L")]
        """Of each group its file, its first block, and the block behind its last one."""
        self.samples = array("L")
        self.bytes = 0
        for number, file in enumerate(files):
            blocks = len(file.file.counts)
            for first in range(0, blocks, several):
                after = min(first + several, blocks)
                if wanted := file.wanted(first, after):
                    for place, value in zip(self._places, (number, first, after), strict=True):
                        place.append(value)
                    self.samples.append(wanted)
                    self.bytes += sum(file.file.sizes[first:after])

    def __len__(self) -> int:
        return len(self.samples)

    def within(self, size: int) -> int:
        """How many groups take about so many compressed bytes, at least one."""
        return max(1, round(size * len(self) / max(1, self.bytes)))

    def __getitem__(self, number: int) -> Group:
        file, first, after = (place[number] for place in self._places)
        return Group(self._files[file], first, after)

    def fetch(self, source: Source, number: int) -> list[Block | Damage]:
        """Read, check and inflate it. Raises StoreUnavailable or StoreRefused."""
        group = self[number]
        file = group.file
        data = source.read(file.file.key, group.start, group.size)
        try:
            if data is None:
                raise ChainError("it is gone")
            self._learn_schema(source, file)
        except ChainError as error:
            return [Damage(file.file.key, str(error), self.samples[number])]
        view = memoryview(data)
        return [_unpack(file, block, view, group.start) for block in range(group.first, group.after)]

    def _learn_schema(self, source: Source, file: File) -> None:
        """Only of files of another version: a request more for each."""
        said = file.file
        if said.schema == schema.VERSION or file.written is not None:
            return
        header = source.read(said.key, 0, said.header)
        if header is None:
            raise ChainError("it is gone")
        written = read_header(header).metadata.get("avro.schema", b"")
        file.written = self._schemas.setdefault(written, written)


def _unpack(file: File, block: int, data: memoryview, start: int) -> Block | Damage:
    """A block out of `data`, the bytes of its file from `start` on."""
    said = file.file
    end = file.bounds[block + 1] - SYNC_BYTES
    packed = data[end - said.sizes[block] - start : end - start]
    # A file that was cut short has no sync marker there.
    if data[end - start :][:SYNC_BYTES] != said.sync or (said.crcs and isal_zlib.crc32(packed) != said.crcs[block]):
        return _damage(file, block, "it is not as it was catalogued")
    try:
        plain = _inflate(packed) if said.codec == "deflate" else decompress(said.codec, packed)
    except ChainError as error:
        return _damage(file, block, str(error))
    return Block(plain, said.counts[block], file.kept_of(block, block + 1), said.schema, file.written)


def _damage(file: File, block: int, reason: str) -> Damage:
    where = f"block {block}, bytes {file.bounds[block]:,} to {file.bounds[block + 1] - SYNC_BYTES:,}"
    return Damage(file.file.key, f"{reason} ({where})", file.wanted(block, block + 1))


def _inflate(packed: memoryview) -> bytes:
    """Into a buffer that usual blocks fill: one that grows takes a tenth longer."""
    try:
        plain: bytes = isal_zlib.decompress(packed, -15, USUAL_BYTES)
    except igzip_lib.IsalError as error:  # type: ignore[misc]  # its stub says instance, it is a class
        raise ChainError(f"a block is not deflate data: {error}") from error
    return plain
