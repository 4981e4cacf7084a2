"""Gives free memory back to the system.

A call of the daemon takes several times its size while it is decoded and encoded. glibc keeps that for the next call:
5 MB a child after 1,000 records of 3 KB, 9 after 2,000, which a hundred resting children would hold for nothing.
"""

from __future__ import annotations


def release() -> None:
    """Takes a millisecond, and up to ten until as much memory is taken anew: for children that rest."""
    import ctypes  # 2 ms and 0.2 MB: for children that have stored something

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl and macOS do not
    if trim is not None:
        trim(0)
