"""Payloads that come compressed: gzip and zstd are recognised by their first bytes."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable
from typing import Final, Protocol

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
UNPACKED_BYTES: Final = 4 << 20
"""Bound on an unpacked payload: more than any article, and what a child's memory can bear in its worst form (as JSON of
nothing but empty lists it takes 25 times its size)."""
RATIO: Final = 100
SMALL_BYTES: Final = 256 << 10
"""Text packs to a tenth. What unpacks to a hundred times its size, and to more than this, is a bomb: a batch of 10 MiB
full of them would take longer than the daemon waits for its answer, again and again."""
MEMBERS: Final = 256
"""Bound on the members put together: each one costs a copy of what is left, and 1 MiB holds 100,000 empty ones."""


class BadPayload(ValueError):
    """The payload cannot be unpacked; the message says why."""


def unpack(data: bytes) -> bytes:
    """The payload itself, or what it unpacks to; raises BadPayload."""
    if data.startswith(GZIP):
        return _gunzip(data)
    if data.startswith(ZSTD):
        return _unzstd(data)
    return data


def _gunzip(data: bytes) -> bytes:
    try:
        return _join("gzip", data, lambda: zlib.decompressobj(wbits=31))
    except zlib.error as error:
        raise BadPayload(f"gzip data is damaged: {error}") from error


def _unzstd(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd  # here, so that children without such payloads do not load it

    # A frame may demand a window of gigabytes; 2**27 is what every decoder accepts by default.
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 27}
    try:
        return _join("zstd", data, lambda: zstd.ZstdDecompressor(options=options))
    except zstd.ZstdError as error:
        raise BadPayload(f"zstd data is damaged: {error}") from error


class _Unpacker(Protocol):
    """What zlib's and zstd's decompressors have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _join(kind: str, data: bytes, unpacker: Callable[[], _Unpacker]) -> bytes:
    """What all members of `data` unpack to."""
    parts: list[bytes] = []
    left = bound = min(UNPACKED_BYTES, max(SMALL_BYTES, RATIO * len(data)))
    while data:
        if len(parts) == MEMBERS:
            raise BadPayload(f"{kind} data has more than {MEMBERS} members")
        member = unpacker()
        parts.append(member.decompress(data, left + 1))  # never 0, which would mean no bound
        left -= len(parts[-1])
        if left < 0:
            raise BadPayload(f"{kind} data unpacks to more than {bound} bytes")
        if not member.eof:
            raise BadPayload(f"{kind} data is cut short")
        data = member.unused_data
    return b"".join(parts)
