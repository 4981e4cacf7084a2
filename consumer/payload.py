"""Payloads that come compressed: gzip and zstd are recognised by their first bytes."""

from __future__ import annotations

import sys
import zlib
from typing import Final

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
UNPACKED_BYTES: Final = 16 << 20
"""Bound on an unpacked payload: a record of 1 MiB can unpack to a thousand times its size."""


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
    plain = b""
    try:
        while data:  # a gzip file may consist of several members
            member = zlib.decompressobj(wbits=31)
            plain += member.decompress(data, UNPACKED_BYTES + 1 - len(plain))
            if len(plain) > UNPACKED_BYTES:
                raise BadPayload(f"gzip data unpacks to more than {UNPACKED_BYTES} bytes")
            if not member.eof:
                raise BadPayload("gzip data is cut short")
            data = member.unused_data
    except zlib.error as error:
        raise BadPayload(f"gzip data is damaged: {error}") from error
    return plain


def _unzstd(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd  # here, so that children without such payloads do not load it

    plain = b""
    try:
        while data:
            # A frame may demand a window of gigabytes; 2**27 is what every decoder accepts by default.
            frame = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 27})
            plain += frame.decompress(data, UNPACKED_BYTES + 1 - len(plain))
            if len(plain) > UNPACKED_BYTES:
                raise BadPayload(f"zstd data unpacks to more than {UNPACKED_BYTES} bytes")
            if not frame.eof:
                raise BadPayload("zstd data is cut short")
            data = frame.unused_data
    except zstd.ZstdError as error:
        raise BadPayload(f"zstd data is damaged: {error}") from error
    return plain
