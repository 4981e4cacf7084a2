"""Compressors of both kinds. Whether ISA-L makes the same bytes of the same data depends on where it lies in memory."""

from __future__ import annotations

import random
import zlib
from typing import Final

from articles.container import compress

EMPTY: Final = b"\x00\x00\x00\xff\xff"
"""A deflate block without data, which may stand before others (RFC 1951, 3.2.4)."""


def restless(codec: str, data: bytes) -> bytes:
    """Often makes other bytes of the same data; when, Hypothesis decides, so that an example stays as it was."""
    made = compress(codec, data)
    return EMPTY * random.randrange(2) + made if codec == "deflate" else made


def steady(codec: str, data: bytes) -> bytes:
    """Always the same bytes."""
    if codec != "deflate":
        return compress(codec, data)
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(data) + deflate.flush()
