"""Where records may have expired before they were read. What is gone cannot be seen; where it may have gone, can.

A consumer that goes on from a position whose last record is older than the stream's retention may have missed what
came in between. When it read is told by when its link was stored, unless the object is a copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from articles.chain import END, Link, Root
from articles.verify_report import WARNING, Finding, shard_text

SECONDS_AN_HOUR: Final = 3600
_DAY: Final = 24 * SECONDS_AN_HOUR
_MARGIN: Final = SECONDS_AN_HOUR
"""A link is stored some minutes after its records were read."""


@dataclass(slots=True)
class Watch:
    """Follows one chain, link by link. `covered` is up to when (epoch seconds) all was surely read."""

    root: Root
    retention: int
    covered: float = field(init=False)

    def __post_init__(self) -> None:
        self.covered = self.root.written / 1000

    def look(self, key: str, link: Link, modified: float) -> Iterator[Finding]:
        """`modified` is when the object was stored, in epoch seconds, or 0."""
        read = self._read_at(link, modified)
        if read is not None and read - self.covered > self.retention:
            hours = (read - self.covered) / SECONDS_AN_HOUR
            said = (
                f"{hours:.0f} h lie between the last record before this link and its being read, more than the "
                f"{self.retention // SECONDS_AN_HOUR} h that the stream keeps: records in between may have expired"
            )
            yield Finding("possible_loss", said, WARNING, shard_text(self.root.shard), str(link.before.position), key)
        if link.last_arrival is not None:
            self.covered = max(self.covered, link.last_arrival / 1000)
        elif read is not None and not link.totals.records:
            # The consumer turned a page: it was there, and read on from where the chain stood.
            self.covered = max(self.covered, read)

    def _read_at(self, link: Link, modified: float) -> float | None:
        """When the link's records were read, as nearly as can be told; None when it cannot."""
        if link.first_arrival is not None and link.last_arrival is not None:
            late = modified - link.last_arrival / 1000
            # Nobody reads a record after the retention: an object that young beside its records is a copy.
            return modified if modified and late <= self.retention + _MARGIN else link.first_arrival / 1000
        if link.totals.records or link.after.page == END or link.after.page == link.before.page:
            return None
        turned = _midnight(link.after.page)
        if turned is None:
            return None
        return modified if modified and 0 <= modified - turned <= self.retention + _DAY else turned


def _midnight(page: str) -> float | None:
    try:
        return datetime.fromisoformat(page).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
