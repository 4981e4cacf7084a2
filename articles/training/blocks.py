"""Groups of neighbouring blocks: where they lie, which of their records are wanted, and fetching them."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final, Protocol

from isal import igzip_lib, isal_zlib

from articles import schema
from articles.catalog import CatalogFile
from articles.container import BLOCK_BYTES, SYNC_BYTES, decompress, framed_size, read_header
from articles.errors import ChainError
from articles.training.decode import FIELDS, by_name, decode

USUAL_BYTES: Final = BLOCK_BYTES + (8 << 10)


class Source(Protocol):
    """Where bytes come from; called from many threads at a time. Raises StoreUnavailable or StoreRefused."""

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Block:
    """`data` is uncompressed; `kept` holds the numbers of the records that are wanted, None for all of them. `written`
    is the schema that it was written with, where that is needed: see `decode`."""

    data: bytes
    count: int
    kept: Sequence[int] | None
    version: int
    written: bytes | None

    def records(self, fields: Sequence[str]) -> list[dict[str, Any]]:
        """Those fields of all its records. Raises ChainError."""
        return decode(self.data, self.count, fields, self.version, self.written)


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

    def kept_of(self, block: int) -> Sequence[int] | None:
        if self.kept is None:
            return None
        low, high = self._range(block, block + 1)
        start = self._records[block]
        return [number - start for number in self.kept[low:high]]

    def _range(self, first: int, after: int) -> tuple[int, int]:
        assert self.kept is not None  # noqa: S101 - the callers look
        if not self._records:
            self._records = array("L", accumulate(self.file.counts, initial=0))
        return bisect_left(self.kept, self._records[first]), bisect_left(self.kept, self._records[after])


@dataclass(frozen=True, slots=True)
class Packed:
    """A block as it is stored: its number in the file, and its compressed data."""

    file: File
    block: int
    data: memoryview


class Groups:
    """All groups of some files, `several` blocks each at most, in the files' order. Groups of which no record is wanted
    are left out. `samples` holds how many are, group by group. `fields` are those that will be decoded."""

    def __init__(self, files: Sequence[File], several: int = 1, fields: Sequence[str] = FIELDS) -> None:
        self.several = several
        self._files = files
        self._fields = fields
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

    def key(self, group: int) -> str:
        """The key of its file."""
        return self._files[self._places[0][group]].file.key

    def fetch(self, source: Source, group: int) -> list[Block | Damage]:
        """Read, check and inflate it. Raises StoreUnavailable or StoreRefused."""
        return inflated(self.read(source, group))

    def read(self, source: Source, group: int) -> list[Packed | Damage]:
        """Its blocks as they are stored, checked. Raises StoreUnavailable or StoreRefused."""
        number, first, after = (place[group] for place in self._places)
        file = self._files[number]
        start, end = file.bounds[first], file.bounds[after]
        data = source.read(file.file.key, start, end - start)
        try:
            if data is None:
                raise ChainError("it is gone")
            self._learn_schema(source, file)
        except ChainError as error:
            return [Damage(file.file.key, str(error), self.samples[group])]
        whole = memoryview(data)
        return [_cut(file, whole, start, block) for block in range(first, after)]

    def _learn_schema(self, source: Source, file: File) -> None:
        """Only of files of another version: a request more for each."""
        said = file.file
        if said.schema == schema.VERSION or file.written is not None or not by_name(said.schema, self._fields):
            return
        header = source.read(said.key, 0, said.header)
        if header is None:
            raise ChainError("it is gone")
        written = read_header(header).metadata.get("avro.schema", b"")
        file.written = self._schemas.setdefault(written, written)


def inflated(blocks: Sequence[Packed | Damage]) -> list[Block | Damage]:
    return [block if isinstance(block, Damage) else _unpack(block) for block in blocks]


def _cut(file: File, data: memoryview, start: int, block: int) -> Packed | Damage:
    """A block out of `data`, the bytes of its file from `start` on."""
    said = file.file
    end = file.bounds[block + 1] - SYNC_BYTES
    packed = data[end - said.sizes[block] - start : end - start]
    # A file that was cut short has no sync marker there.
    if data[end - start :][:SYNC_BYTES] != said.sync or (said.crcs and isal_zlib.crc32(packed) != said.crcs[block]):
        return _damage(file, block, "it is not as it was catalogued")
    return Packed(file, block, packed)


def _unpack(packed: Packed) -> Block | Damage:
    file, said, block = packed.file, packed.file.file, packed.block
    try:
        plain = _inflate(packed.data) if said.codec == "deflate" else decompress(said.codec, packed.data)
    except ChainError as error:
        return _damage(file, block, str(error))
    return Block(plain, said.counts[block], file.kept_of(block), said.schema, file.written)


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
