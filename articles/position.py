"""Positions in a shard: (sequence number, sub-sequence number).

Sequence numbers are decimal strings of any length: they are compared as integers, padded to 56 digits in keys, and
handed back to the checkpoint exactly as they were delivered (an emulator with leading zeros finds nothing under its
own number without them). Sub-sequence numbers count the records inside one KPL-aggregated record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from articles.errors import ChainError

SEQUENCE_DIGITS: Final = 56
SUB_DIGITS: Final = 10


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Ordered by number, then sub; `sequence` is the string as delivered and takes no part in comparisons."""

    number: int
    sub: int
    sequence: str = field(compare=False)

    @classmethod
    def of(cls, sequence: str, sub: int | None = 0) -> Position:
        """Read a delivered sequence number; a sub-sequence number of None means 0.

        Raises ChainError for anything but 1 to 56 decimal digits (56 is what a key holds) or a sub-sequence number
        outside 0 to 9,999,999,999.
        """
        sub = sub or 0
        if not (sequence.isascii() and sequence.isdecimal()):
            raise ChainError(f"sequence number {sequence[:80]!r} is not decimal digits")
        if len(sequence) > SEQUENCE_DIGITS or not 0 <= sub < 10**SUB_DIGITS:
            raise ChainError(f"position {sequence[:80]}:{sub} does not fit a key of {SEQUENCE_DIGITS} digits")
        return cls(int(sequence), sub, sequence)

    @classmethod
    def parse(cls, text: str) -> Position:
        """The inverse of `str()`; raises ChainError."""
        sequence, colon, sub = text.partition(":")
        if not colon or not (sub.isascii() and sub.isdecimal()) or len(sub) > SUB_DIGITS:
            raise ChainError(f"{text[:80]!r} is not a position (sequence number:sub-sequence number)")
        return cls.of(sequence, int(sub))

    def __str__(self) -> str:
        return f"{self.sequence}:{self.sub}"

    @property
    def padded(self) -> str:
        """As it stands in a key; sorts as the position does."""
        return f"{self.number:0{SEQUENCE_DIGITS}d}-{self.sub:0{SUB_DIGITS}d}"


ZERO: Final = Position(0, 0, "0")
"""Before every record of a shard: where a chain starts."""
