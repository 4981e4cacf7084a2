"""Groups of blocks, read and opened: by compiled code where there is any and they are what it knows, else in Python,
which takes several times as long and says what is wrong with what is damaged.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from articles import schema
from articles.training.blocks import Block, Damage, Group, Groups, Source

Opened = Sequence[dict[str, Any]] | list[Block | Damage]
"""The wanted records of a group; a list: its blocks, to be decoded yet, and what is damaged."""

open_groups: Callable[..., list[Sequence[dict[str, Any]] | None]] | None = None
with contextlib.suppress(ImportError):  # nothing compiled it
    from articles.training import _native

    open_groups = _native.open_groups

COLUMNS: Final = ("article_id", "title", "author", "publish_date", "content", "word_count")
"""The fields that a sample has unless others are asked for."""
UNKNOWN: Final = "?"
_NAMES: Final = tuple(field["name"] for field in schema.ARTICLE["fields"])


def _type(kind: Any) -> str:
    """A field's type as compiled code knows it: s for a string, n for a number, S and N where it may be null."""
    match kind:
        case ["null", other]:
            return _type(other).upper()
        case {"type": other}:
            return _type(other)
    return {"string": "s", "int": "n", "long": "n"}.get(kind, UNKNOWN)


_TYPES: Final = "".join(_type(field["type"]) for field in schema.ARTICLE["fields"])
TYPES: Final = {version: _TYPES[:fields] for version, fields in schema.FIELDS.items()}
"""Of the fields of each version's records."""


@dataclass(frozen=True, slots=True)
class Place:
    """`folder` is where keys lie as files of this machine: compiled code then reads them itself."""

    source: Source
    folder: str | None

    def open(self, groups: Groups, numbers: Sequence[int], fields: tuple[str, ...]) -> list[Opened]:
        """The groups with these numbers, each record with these fields, all in one call: with each one the
        interpreter's lock goes to another thread, and takes its time to come back. Raises StoreUnavailable or
        StoreRefused."""
        requests = [self._request(groups[number]) for number in numbers]
        known = tuple(request for request in requests if request)
        opened = iter(open_groups(known, fields, bytes(map(_NAMES.index, fields))) if open_groups and known else ())
        found = [next(opened, None) if request else None for request in requests]
        return [
            groups.fetch(self.source, number) if records is None else records
            for number, records in zip(numbers, found, strict=True)
        ]

    def _request(self, group: Group) -> tuple[Any, ...] | None:
        """What compiled code asks for; None for what it does not know."""
        file, first, after = group.file, group.first, group.after
        said = file.file
        types = TYPES.get(said.schema, UNKNOWN)
        if open_groups is None or said.codec != "deflate" or UNKNOWN in types:
            return None
        where: tuple[bytes | str, int, int] = f"{self.folder}/{said.key}", group.start, group.size
        if self.folder is None:
            stored = self.source.read(said.key, group.start, group.size)
            if stored is None:
                return None
            where = stored, 0, len(stored)
        crcs = said.crcs[first:after] if said.crcs else None
        return *where, said.sync, types, said.counts[first:after], crcs, file.kept_of(first, after)
