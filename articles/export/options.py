"""What an export is to be: everything that decides its bytes, but for the snapshot and the tombstones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from articles.errors import UserError
from articles.export.order import parse_split

MIB: Final = 1 << 20
LARGEST_FILE: Final = 4096 * MIB
"""One request creates a file, and S3 takes 5 GB at once."""


@dataclass(frozen=True, slots=True)
class Profile:
    """`size` is of the uncompressed records: what English text comes to, measured in `docs/export.md`."""

    codec: str
    level: int
    size: float


PROFILES: Final = {
    ("avro", "compatible"): Profile("deflate", 6, 0.36),
    ("avro", "dense"): Profile("zstandard", 19, 0.30),
    ("parquet", "compatible"): Profile("zstd", 3, 0.335),
    ("parquet", "dense"): Profile("zstd", 9, 0.315),
}
FORMATS: Final = ("avro", "parquet")
NAMES: Final = ("compatible", "dense")
SOURCE_SIZES: Final = {"deflate": 0.41, "zstandard": 0.385, "null": 1.0}
"""Of the uncompressed records, in the files of the pipeline, by codec."""


@dataclass(frozen=True, slots=True)
class Options:
    """`file_size` is about how many bytes a file has; `seed` is None for the snapshot's order; `split` shares such as
    0.98/0.01/0.01, or empty. Raises UserError for what makes no sense."""

    format: str = "avro"
    profile: str = "compatible"
    file_size: int = 128 * MIB
    seed: int | None = None
    deduplicate: bool = False
    split: str = ""

    def __post_init__(self) -> None:
        if (self.format, self.profile) not in PROFILES:
            raise UserError(f"format {self.format!r}, profile {self.profile!r}: {FORMATS} and {NAMES} are there")
        if not 0 < self.file_size <= LARGEST_FILE:
            raise UserError(f"files of {self.file_size:,} bytes: between 1 and {LARGEST_FILE:,}")
        if self.seed is not None and not 0 <= self.seed < 1 << 63:
            raise UserError(f"seed {self.seed} is not between 0 and 2^63")
        if self.split:
            try:
                parse_split(self.split)
            except ValueError as error:
                raise UserError(str(error)) from error

    @property
    def chosen(self) -> Profile:
        return PROFILES[self.format, self.profile]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": self.format,
            "profile": self.profile,
            "codec": self.chosen.codec,
            "level": self.chosen.level,
            "file_size": self.file_size,
            "shuffle": self.seed is not None,
            "seed": self.seed,
            "deduplicate": self.deduplicate,
            "split": self.split or None,
        }
