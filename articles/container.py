"""Avro object container files, assembled by hand: blocks first, the header last and put in front.

The format is the one of the Avro specification, "Object Container Files". Own framing, because the header holds what
is known only at the end (totals, block index), and because the same blocks give the same bytes: the sync marker is
derived from the object's key.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from isal import igzip_lib

from articles.errors import ChainError

MAGIC: Final = b"Obj\x01"
CODECS: Final = ("deflate", "zstandard", "null")
BLOCK_BYTES: Final = 64 << 10
"""Uncompressed size at which a block is closed: where ISA-L's deflate is as small as zlib's at 16 KiB."""
SYNC_BYTES: Final = 16
MAX_BLOCK_BYTES: Final = 256 << 20
HEADER_GUESS: Final = 64 << 10
"""How much of an object to read first to have its header; a longer one asks for more."""


@dataclass(frozen=True, slots=True)
class Block:
    """A compressed block and the number of records in it."""

    count: int
    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Header:
    """`size` is where the first block starts."""

    metadata: Mapping[str, bytes]
    sync: bytes
    size: int

    @property
    def codec(self) -> str:
        return self.metadata.get("avro.codec", b"null").decode()


class Truncated(ChainError):
    """The bytes end inside the header or a block."""


def compress(codec: str, data: bytes) -> bytes:
    if codec == "deflate":
        # ISA-L level 2: a fifth of zlib's time at the same size. Its bytes may differ from call to call: when a stream
        # begins, it looks for a repetition with what happens to be in a register (igzip_icf_body_h1_gr_bt.asm).
        return igzip_lib.compress(data, level=2, flag=igzip_lib.COMP_DEFLATE)
    if codec == "zstandard":
        compressed: bytes = zstd().compress(data, level=3)
        return compressed
    return data


def zstd() -> Any:
    """Loaded where it is asked for: children that write deflate need none of it."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def decompress(codec: str, data: bytes | memoryview) -> bytes:
    """Raises ChainError for data that is not of that codec or unpacks to more than MAX_BLOCK_BYTES."""
    if codec == "null":
        return bytes(data)
    if codec not in CODECS:
        raise ChainError(f"codec {codec!r} is not one of {', '.join(CODECS)}")
    if codec == "deflate":
        from isal import isal_zlib  # less than half of zlib's time; a child that only writes does without

        unpacker: Any = isal_zlib.decompressobj(-15)
        damage: Any = igzip_lib.IsalError
    else:
        unpacker, damage = zstd().ZstdDecompressor(), zstd().ZstdError
    try:
        plain: bytes = unpacker.decompress(data, MAX_BLOCK_BYTES)
    except damage as error:
        raise ChainError(f"a block is not {codec} data: {error}") from error
    if not unpacker.eof:
        raise ChainError(f"a block's {codec} data is cut short or too large")
    return plain


def sync_marker(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()[:SYNC_BYTES]


def digest(blocks: Iterable[Block]) -> str:
    """SHA-256 over the blocks as stored, without sync markers: the same for the same records under another key."""
    total = hashlib.sha256()
    for block in blocks:
        total.update(encode_long(block.count) + encode_long(len(block.data)))
        total.update(block.data)
    return total.hexdigest()


def assemble(
    key: str, schema: Mapping[str, Any], codec: str, metadata: Mapping[str, bytes], blocks: Iterable[Block]
) -> bytes:
    """The whole file. One without blocks says codec `null`: Polars takes an empty file of another one for damaged."""
    blocks = list(blocks)
    named = codec if blocks else "null"
    return join(key, {"avro.schema": json.dumps(schema).encode(), "avro.codec": named.encode(), **metadata}, blocks)


def join(key: str, entries: Mapping[str, bytes], blocks: Iterable[Block]) -> bytes:
    """The whole file, from all of its header's entries."""
    sync = sync_marker(key)
    parts: list[bytes | memoryview] = [MAGIC, encode_long(len(entries))]
    for name, value in entries.items():
        parts += [encode_long(len(name.encode())), name.encode(), encode_long(len(value)), value]
    parts += [encode_long(0), sync]
    for block in blocks:
        parts += [encode_long(block.count), encode_long(len(block.data)), block.data, sync]
    return b"".join(parts)


def framed_size(count: int, size: int) -> int:
    """Bytes that a block of `count` records and `size` bytes of data takes in a file."""
    return len(encode_long(count)) + len(encode_long(size)) + size + SYNC_BYTES


def read_header(data: bytes) -> Header:
    """Raises Truncated when `data` ends inside the header, ChainError when it is not a container file."""
    if data[:4] != MAGIC[: len(data[:4])]:
        raise ChainError("not an Avro object container file")
    source = io.BytesIO(data)
    _take(source, 4)
    metadata: dict[str, bytes] = {}
    while count := _read_long(source):
        if count < 0:  # a map block may be written with its size
            count = -count
            _read_long(source)
        for _ in range(count):
            name = _take(source, _read_long(source)).decode("utf-8", "replace")
            metadata[name] = _take(source, _read_long(source))
    sync = _take(source, SYNC_BYTES)
    return Header(metadata, sync, source.tell())


def read_blocks(data: bytes, header: Header) -> Iterator[Block]:
    """The blocks as stored, views of `data`; raises ChainError when one is cut short or its sync marker is not the
    header's."""
    source, whole = io.BytesIO(data), memoryview(data)
    source.seek(header.size)
    while (where := source.tell()) < len(data):
        count, size = _read_long(source), _read_long(source)
        start = source.tell()
        if not 0 <= size <= len(data) - start:
            raise Truncated(f"the file ends inside a block of {size} bytes at byte {start}")
        source.seek(start + size)
        if _take(source, SYNC_BYTES) != header.sync:
            raise ChainError(f"the block at byte {where} does not end in the file's sync marker")
        yield Block(count, whole[start : start + size])


def encode_long(value: int) -> bytes:
    """Avro's variable-length zig-zag coding of an int or long."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_long(data: bytes, at: int) -> tuple[int, int]:
    """The int or long at that place, and the place behind it. Raises IndexError where the bytes end inside it."""
    byte = data[at]
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at + 1
    value, shift = byte & 0x7F, 7
    while byte >= 0x80:
        at += 1
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift += 7
    return (value >> 1) ^ -(value & 1), at + 1


def _read_long(source: io.BytesIO) -> int:
    value = shift = 0
    while True:
        byte = _take(source, 1)[0]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1)
        shift += 7
        if shift > 63:
            raise ChainError(f"a number at byte {source.tell()} is longer than a long")


def _take(source: io.BytesIO, size: int) -> bytes:
    if not 0 <= size < 1 << 62:
        raise ChainError(f"an impossible size, {size}, at byte {source.tell()}")
    data = source.read(size)
    if len(data) < size:
        raise Truncated(f"the file ends inside a value at byte {source.tell()}")
    return data
