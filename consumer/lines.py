"""The daemon's lines, read from its pipe."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from typing import Final

PIPE_BYTES: Final = 1 << 20
"""What the pipe is asked to hold: sixteen times as much as by default, so that a call of megabytes is read in few turns
with the daemon: 0.7 µs a record of 3 KB."""
SMALL: Final = 1 << 16
LARGE: Final = 1 << 19
"""Bytes of buffer that a child which rests keeps."""


class Lines:
    """Reads straight into a buffer that is used again for every line: in half of the time of a buffered file, which
    copies a line of megabytes twice more, to memory that is new each time (2 µs a record of 3 KB)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray(SMALL)
        self._rest = b""
        with suppress(AttributeError, OSError):  # macOS has no such thing, some users are not allowed as much
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def fileno(self) -> int:
        return self._descriptor

    def read(self) -> memoryview | None:
        """The next line without its end, which must be released before the next call; None when there are no more."""
        buffer, end = self._buffer, len(self._rest)
        buffer[:end] = self._rest
        line_end = buffer.find(b"\n", 0, end)
        while line_end < 0:
            if end == len(buffer):
                buffer += bytes(end)
            with memoryview(buffer) as whole, whole[end:] as free:
                size = os.readv(self._descriptor, (free,))
            if not size:
                return None
            line_end = buffer.find(b"\n", end, end + size)
            end += size
        self._rest = bytes(buffer[line_end + 1 : end])
        return memoryview(buffer)[:line_end]

    @property
    def large(self) -> bool:
        return len(self._buffer) > LARGE

    def shrink(self) -> None:
        """Give a large buffer back."""
        if self.large:
            self._buffer = bytearray(SMALL)
