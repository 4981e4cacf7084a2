"""The port to the object store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """`attributes` is the object's own metadata; empty in listings, which do not carry it. `modified` is when the
    store took it (a copy: when it was copied), in epoch seconds; 0 where that is not known."""

    key: str
    size: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    modified: float = 0.0


SMALL_BYTES: Final = 1 << 20
SMALL_SECONDS: Final = 15.0
SLOWEST: Final = 512 << 10
"""Bytes a second below which a link to the store counts as broken."""


def seconds_for(size: int) -> float:
    """How long one request may take that moves so many bytes."""
    return SMALL_SECONDS if size <= SMALL_BYTES else 2 * SMALL_SECONDS + size / SLOWEST


class ObjectStore(Protocol):
    """Every method may raise StoreUnavailable (it may have taken effect all the same) or StoreRefused."""

    def create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        """Create the object; False when the store says that there is one, or that one is being made (409 or 412)."""
        ...

    def head(self, key: str) -> ObjectInfo | None: ...

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes | None:
        """The object's bytes, or what there is of that range of them; None when there is no such object."""
        ...

    def read_ranges(self, key: str, starts: Sequence[int], lengths: Sequence[int]) -> Sequence[bytes] | None:
        """Several ranges of one object, of at least a byte each, in the order asked for; in as few requests as pays,
        several at a time. None when there is no such object; what lies behind its end is missing from a range."""
        ...

    def list(self, folder: str, after: str = "") -> Iterator[ObjectInfo]:
        """All objects below the folder with keys greater than `after`, in the order of their keys."""
        ...

    def folders(self, folder: str) -> Sequence[str]:
        """The names of the folders right below."""
        ...
