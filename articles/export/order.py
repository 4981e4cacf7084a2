"""Where a record goes in an export: functions of the record, of its place in the snapshot and of the options alone, so
that any number of processes, in any order, and Spark, come to the same. Pure, of the standard library alone.

Shuffled, a record's key is `place()`: files are ranges of the key, and in a file records are sorted by key, shard id,
sequence number as a number, sub-sequence number. Otherwise its key is its `ordinal`, from 0, among the articles that
are exported, in the snapshot's order (keys of links, then records), of all splits and before tombstones: `key_at()`
spreads the ordinals evenly, so the same `file_of` cuts them.

Of several articles with one id the newest stays, by arrival and then by the snapshot's order; that is decided first.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Final

KEY_BYTES: Final = 16
SPLITS: Final = ("train", "validation", "test")
"""The folders of a split export, in order."""
_ALL: Final = 1 << 8 * KEY_BYTES


def place(seed: int, shard_id: str, sequence_number: str, sub_sequence_number: int) -> bytes:
    """The sort key of a record in a shuffled export; of the seed the decimal digits count, at most 64."""
    said = f"{shard_id}/{sequence_number}/{sub_sequence_number}".encode()
    return blake2b(said, digest_size=KEY_BYTES, key=str(seed).encode()).digest()


def key_at(ordinal: int, records: int) -> bytes:
    """The sort key of an unshuffled export's record `ordinal` of `records`: the least with which `file_of(…, files)`
    is ordinal * files // records for any number of files."""
    return (-(-ordinal * _ALL // records)).to_bytes(KEY_BYTES, "big")


def file_of(key: bytes, files: int) -> int:
    """Which of the files, from 0, each an equal part of all keys."""
    return int.from_bytes(key, "big") * files // _ALL


def identity(article_id: str) -> bytes:
    """Of an article, in 16 bytes; what the catalogue's rows hold."""
    return blake2b(article_id.encode(), digest_size=KEY_BYTES).digest()


def bound(part: float) -> bytes:
    """Identities below it are that part of all."""
    return int(part * _ALL).to_bytes(KEY_BYTES, "big") if part < 1 else b"\xff" * (KEY_BYTES + 1)


def split_of(identity: bytes, bounds: Sequence[bytes]) -> int:
    """How many of the ascending bounds are not above it: with the bounds of .98 and .99, 0 for an article of the first
    98 %, 1 for one of the next hundredth, 2 for the rest."""
    return bisect_right(bounds, identity)


def parse_split(text: str) -> Sequence[float]:
    """The inner bounds of shares such as 0.98/0.01/0.01, here .98 and .99: those to give to `ArticleDataset` for the
    same parts. Raises ValueError, saying what is wrong."""
    wrong = f"{text!r} is no split: two or three shares above 0 that add up to 1, such as 0.98/0.01/0.01"
    try:
        shares = [Decimal(share) for share in text.split("/")]
        fits = 2 <= len(shares) <= len(SPLITS) and all(share > 0 for share in shares) and sum(shares) == 1
    except InvalidOperation as error:
        raise ValueError(wrong) from error
    if not fits:
        raise ValueError(wrong)
    return [float(sum(shares[:number])) for number in range(1, len(shares))]
