"""What libFuzzer calls, under atheris; `python -m tests.fuzz` runs it."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["consumer.decode", "consumer.payload", "tests.fuzz"]):
    from tests.fuzz.corpus import PACKERS, seeds
    from tests.fuzz.laws import check_decoded, check_stored

SHARE_STORED = 32
"""One payload in so many goes through the whole consumer too, which takes ten times as long."""


def payload(data: bytes) -> bytes:
    """The first byte says whether the rest is packed, so that what is packed can be mutated."""
    if not data:
        return data
    kind, rest = data[0], data[1:]
    return PACKERS[kind - 1](rest) if 1 <= kind <= len(PACKERS) else rest


def look(data: bytes) -> None:
    data = payload(data)
    check_decoded(data)
    if zlib.crc32(data) % SHARE_STORED == 0:
        check_stored(data)


def main() -> None:
    """Arguments: a folder to put the seeds into, then libFuzzer's own options."""
    folder = Path(sys.argv[1])
    for number, seed in enumerate(seeds()):
        for kind in range(len(PACKERS) + 1):
            (folder / f"seed-{number}-{kind}").write_bytes(bytes([kind]) + seed)
    atheris.Setup([sys.argv[0], *sys.argv[2:], str(folder)], look)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
