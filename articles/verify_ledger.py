"""What was put to the stream, held against what is stored: each record exactly once, and the same average.

A ledger is a file of JSON lines, one a record put: `shard`, `sequence_number`, `sub_sequence_number`, `words` (null for
what is no valid article), `article_id`. It is held in memory as one integer a record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from articles.chain import Link, ShardName, Totals
from articles.errors import ChainError, UserError
from articles.position import SUB_DIGITS, Position
from articles.verify_deep import Contents
from articles.verify_report import ERROR, WARNING, Finding, shard_text

REJECTED: Final = -1
_SUBS: Final = 10**SUB_DIGITS


class Ledger:
    """Records that were put and not yet found, by shard id; `found` the others."""

    def __init__(self) -> None:
        self._open: dict[str, dict[int, int]] = {}
        self._found: dict[str, set[int]] = {}
        self._put = Totals()
        self._unknown = Totals()
        self._erased = Totals()

    @classmethod
    def load(cls, path: Path) -> Ledger:
        """Raises UserError for a file that is not there or a line that is no entry."""
        ledger = cls()
        try:
            with path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        ledger._read(line, f"{path}, line {number}")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"the ledger {path} cannot be read: {error}") from error
        return ledger

    def add(self, shard: str, position: Position, words: int | None) -> None:
        """`words` is None for what is no valid article."""
        self._open.setdefault(shard, {})[_pack(position)] = REJECTED if words is None else words
        self._put += Totals(rejected=1) if words is None else Totals(1, 0, words)

    def _read(self, line: str, where: str) -> None:
        try:
            said = json.loads(line)
            position = Position.of(said["sequence_number"], said["sub_sequence_number"])
            words = said["words"]
            if words is not None and (not isinstance(words, int) or words < 0):
                raise ValueError(f"words is {words!r}")
            shard = str(said["shard"])
        except (ValueError, KeyError, TypeError, AttributeError, ChainError) as error:
            raise UserError(f"{where}: not an entry of a ledger: {error!r}") from error
        if _pack(position) in self._open.get(shard, {}):
            raise UserError(f"{where}: the ledger has {position} of {shard} twice")
        self.add(shard, position, words)

    def take(self, shard: ShardName, key: str, contents: Contents) -> Iterator[Finding]:
        """Cross off what a link holds."""
        for position, words in contents.good:
            yield from self._take(shard, key, position, words)
        for position in contents.rejected:
            yield from self._take(shard, key, position, None)

    def erase(self, link: Link) -> None:
        """Cross off what is missing from a link, after `take`, if it is as much as was erased from it."""
        put = self._open.get(link.shard.shard, {})
        span = range(_pack(link.before.position) + 1, _pack(link.after.position) + 1)
        missing = [packed for packed in put if packed in span]
        found = Totals()
        for packed in missing:
            found += Totals(rejected=1) if put[packed] == REJECTED else Totals(1, 0, put[packed])
        if found == link.original - link.totals:
            self._erased += found
            for packed in missing:
                del put[packed]

    def _take(self, shard: ShardName, key: str, position: Position, words: int | None) -> Iterator[Finding]:
        def found(code: str, message: str, severity: str = ERROR) -> Finding:
            return Finding(code, message, severity, shard_text(shard), str(position), key)

        packed = _pack(position)
        crossed = self._found.setdefault(shard.shard, set())
        put = self._open.get(shard.shard, {}).pop(packed, None)
        if put is not None:
            crossed.add(packed)
            if put == REJECTED and words is not None:
                yield found("judged", "stored as an article; the ledger says that it is not valid")
            elif put != REJECTED and words is None:
                yield found("judged", "rejected; the ledger says that it is a valid article")
            elif words is not None and put != words:
                yield found("words", f"{words} words; the ledger says {put}")
        elif packed in crossed:
            yield found("repeated", "the record is stored twice")
        else:
            self._unknown += Totals(rejected=1) if words is None else Totals(1, 0, words)
            yield found("unknown", "the ledger does not know this record", WARNING)

    def finish(self, stored: Totals) -> Iterator[Finding]:
        """What is left over, and the two averages. `stored` are the totals over all headers."""
        for shard, left in sorted(self._open.items()):
            for packed in sorted(left):
                position = f"{packed // _SUBS}:{packed % _SUBS}"
                yield Finding("lost", "put to the stream, and not stored", shard=shard, position=position)
        known = stored - self._unknown + self._erased
        good, words = known.good, known.words
        if (good, words) != (self._put.good, self._put.words):
            said = f"the headers give {words} words / {good} records, the ledger {self._put.words} / {self._put.good}"
            yield Finding("average", said)


def _pack(position: Position) -> int:
    return position.number * _SUBS + position.sub
