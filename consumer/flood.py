"""Keeps what happens to records one by one from flooding the log: the first of each kind in a file gets a line of its
own, the others are counted until the file is sealed. Pure."""

from __future__ import annotations

from collections import Counter


class Flood:
    """Of one open file. A kind is whatever makes lines alike, such as a reason: there are only a few."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def is_first(self, kind: str) -> bool:
        """Whether this one is to be logged; it is counted either way."""
        self._seen[kind] += 1
        return self._seen[kind] == 1

    def close(self) -> dict[str, int]:
        """How many of each kind there were that got no line; then starts anew."""
        counts = {kind: count - 1 for kind, count in self._seen.items() if count > 1}
        self._seen.clear()
        return counts
