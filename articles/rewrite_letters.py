"""Which articles a dead letter may be: it is no valid article, so its id is looked for wherever it may stand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from articles import tombstones

Unpack = Callable[[bytes], bytes]
"""Of a payload as it was sent; raises ValueError."""

_ID: Final = re.compile(rb'"article_id"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)
"""Also in JSON that is cut short."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is left out: articles whose article_id has one of the digests `erased`, also in dead letters, and without
    `unclear` the dead letters of which nobody can tell what article they were."""

    erased: Set[bytes]
    unclear: bool
    unpack: Unpack

    def keeps(self, payload: bytes) -> bool | None:
        """Of a dead letter; None: it stays, and nobody can tell what article it was."""
        ids = ids_in(payload, self.unpack)
        if not ids:
            return None if self.unclear else False
        return self.erased.isdisjoint(tombstones.digest(one) for one in ids)


def ids_in(payload: bytes, unpack: Unpack) -> Collection[str]:
    """Every article_id that can be made out in a dead letter's payload, however deep or damaged its JSON is."""
    found: list[str] = []

    def look(members: list[tuple[str, Any]]) -> None:
        found.extend(str(value) for name, value in members if name == "article_id" and isinstance(value, str | int))

    try:
        payload = unpack(payload)
        found.extend(_texts(_ID.findall(payload)))
        json.loads(payload, object_pairs_hook=look)
    except (ValueError, RecursionError):
        pass  # what was found before counts
    return {one for one in found if one == one.encode("utf-8", "replace").decode()}  # lone surrogates have no tombstone


def _texts(literals: Sequence[bytes]) -> Iterator[str]:
    for literal in literals:
        try:
            yield json.loads(literal, strict=False)
        except ValueError:
            continue
