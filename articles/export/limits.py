"""How memory is divided among the processes of an export."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from articles.errors import UserError
from articles.export.options import MIB, Options

BASE: Final = {"avro": 56 * MIB, "parquet": 230 * MIB}
"""Resident in each process beside what it works with: the interpreter and the store's client; for Parquet pyarrow, and
a row group in Python, in Arrow and compressed."""
LEAST: Final = 40 * MIB
"""What a process needs to work with: a bucket, blocks, the compressor's tables."""
ROOMY: Final = 96 * MIB
"""With so much for each, what is left lets more files be stored at a time."""
ROOM: Final = 1.1
"""Of a file's size for one that is stored, or checked: some are larger than others."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`each` is what a process works with beside BASE; `slots` of them hold a whole file at a time."""

    processes: int
    each: int
    slots: int


def divide(memory: int, processes: int, options: Options) -> Limits:
    """At most so many processes, one more when they are several: the one that leads. Raises UserError when it is not
    enough for one."""
    base = BASE[options.format]
    file = int(options.file_size * ROOM)
    for number in range(processes, 0, -1):
        left = memory - base * (number + (number > 1)) - file
        if left >= LEAST * number:
            more = max(0, left - ROOMY * number) // file
            slots = min(number, 1 + more)
            return Limits(number, (left - (slots - 1) * file) // number, slots)
    least = -(-(base + file + LEAST) // MIB)
    raise UserError(
        f"--memory {memory // MIB:,}MiB is too little for files of {options.file_size // MIB:,} MiB in "
        f"{options.format}: give {least:,}MiB or more, or a smaller --file-size"
    )
