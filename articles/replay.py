"""Puts dead letters back into the stream, each once.

    <prefix>/replayed/dt=<page>/s-<…>-<position>-<attempt>.claimed    created first
    <prefix>/replayed/dt=<page>/s-<…>-<position>-<attempt>.put        created last; where in the stream it is now

The claim comes first, and only one can create it, so of two who replay at a time one does. A claim alone says that
somebody ended in between: whether the record is on the stream, nobody knows. It is put again only on request, with a
claim of its own. What was put is never put again: should it be rejected once more, it is another dead letter.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from articles.clock import Clock
from articles.dead_letters import DeadLetter
from articles.errors import StoreError, UserError
from articles.keys import Layout
from articles.put_records import CutShort, Outgoing, Placed
from articles.retry import RetryingStore
from articles.scan import many

BATCH_RECORDS: Final = 100
"""As many are in doubt, at most, after a crash."""
BATCH_BYTES: Final = 5 << 20
RECORD_BYTES: Final = 1 << 20
"""What a record may have, with its partition key."""
KEY_CHARACTERS: Final = 256
AGGREGATE: Final = b"\xf3\x89\x9a\xc2"
"""What begins so is taken apart by the daemon, and dropped where that fails."""
_MARK: Final = re.compile(r"(?P<record>.+)-(?P<attempt>\d+)\.(?P<what>claimed|put)", re.ASCII)


class What(Enum):
    PUT = "put"
    WOULD_PUT = "would put"
    REPLAYED = "replayed before"
    IN_DOUBT = "in doubt"
    SKIPPED = "skipped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`why` tells of what was not put, `placed` where it is now."""

    letter: DeadLetter
    what: What
    why: str = ""
    placed: Placed | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """`attempts` is how often a record was claimed."""

    attempts: int = 0
    put: bool = False


class Marks:
    """What was replayed before, as it stood when its page was first asked for: claims are what decides."""

    def __init__(self, store: RetryingStore, layout: Layout, clock: Clock) -> None:
        self._store, self._layout, self._clock = store, layout, clock
        self._run = secrets.token_hex(8)
        self._page = ""
        self._marks: dict[str, Mark] = {}

    def of(self, letter: DeadLetter) -> Mark:
        if letter.page != self._page:
            self._page, self._marks = letter.page, self._read(letter.page)
        return self._marks.get(self._key(letter), Mark())

    def claim(self, letter: DeadLetter, attempt: int) -> bool:
        """False when somebody else has claimed it, meanwhile."""
        key = f"{self._key(letter)}-{attempt}.claimed"
        body = self._body(letter)
        if self._store.create(key, body, {}) is None:
            return True
        return self._store.read(key) == body  # it was ours, and the answer got lost

    def done(self, letter: DeadLetter, attempt: int, placed: Placed) -> None:
        said = {"shard": placed.shard, "sequence_number": placed.sequence_number}
        self._store.create(f"{self._key(letter)}-{attempt}.put", self._body(letter, said), {})

    def _read(self, page: str) -> dict[str, Mark]:
        marks: dict[str, Mark] = {}
        for item in self._store.list(f"{self._layout.replayed}/dt={page}"):
            if match := _MARK.fullmatch(item.key):
                before = marks.get(match["record"], Mark())
                marks[match["record"]] = Mark(
                    max(before.attempts, int(match["attempt"])), before.put or match["what"] == "put"
                )
        return marks

    def _key(self, letter: DeadLetter) -> str:
        return self._layout.replayed_key(letter.page, letter.shard, letter.position)

    def _body(self, letter: DeadLetter, said: Mapping[str, object] | None = None) -> bytes:
        fields = {"dead_letter": letter.key, "position": str(letter.position), "run": self._run}
        return json.dumps(fields | {"time": int(self._clock.wall() * 1000)} | dict(said or {})).encode()


@dataclass(frozen=True, slots=True)
class _Item:
    letter: DeadLetter
    record: Outgoing
    attempt: int


@dataclass(frozen=True, slots=True)
class Replay:
    """`mend` gives the payload to put, or raises UserError for a record to skip; `put` puts what it is handed, and
    answers for each record: where it is now, or why it was refused. It raises CutShort."""

    marks: Marks
    mend: Callable[[DeadLetter], bytes]
    put: Callable[[Sequence[Outgoing]], Sequence[Placed | str]]
    again: bool = False
    dry_run: bool = False

    def run(self, letters: Iterable[DeadLetter]) -> Iterator[Outcome]:
        """What became of each record. Raises UserError when a call failed as a whole: what it held is in doubt."""
        batch: list[_Item] = []
        for letter in letters:
            judged = self._judge(letter)
            if isinstance(judged, Outcome):
                yield judged
                continue
            size = sum(item.record.size for item in batch) + judged.record.size
            if len(batch) == BATCH_RECORDS or size > BATCH_BYTES:
                yield from self._put(batch)
                batch = []
            batch.append(judged)
        if batch:
            yield from self._put(batch)

    def _judge(self, letter: DeadLetter) -> _Item | Outcome:
        mark = self.marks.of(letter)
        if mark.put:
            return Outcome(letter, What.REPLAYED)
        if mark.attempts and not self.again:
            said = "it was claimed by a replay that was cut short, or is at it now; --again puts it once more"
            return Outcome(letter, What.IN_DOUBT, said)
        try:
            data = self.mend(letter)
        except UserError as error:
            return Outcome(letter, What.SKIPPED, str(error))
        if data.startswith(AGGREGATE):
            return Outcome(letter, What.SKIPPED, "the payload begins like a KPL aggregate, and would be taken apart")
        record = Outgoing(data, partition_key(letter))
        if record.size > RECORD_BYTES:
            return Outcome(letter, What.SKIPPED, f"{record.size:,} bytes are more than a record may have")
        return Outcome(letter, What.WOULD_PUT) if self.dry_run else _Item(letter, record, mark.attempts + 1)

    def _put(self, batch: Sequence[_Item]) -> Iterator[Outcome]:
        ours = list(many(self._claim, batch))
        claimed = [item for item, is_ours in zip(batch, ours, strict=True) if is_ours]
        cut: CutShort | None = None
        answers: Sequence[Placed | str | None] = []
        try:
            answers = self.put([item.record for item in claimed]) if claimed else []
        except CutShort as error:
            cut, answers = error, error.answers
        known = [(item, answer) for item, answer in zip(claimed, answers, strict=True) if answer is not None]
        try:
            outcomes = list(many(self._done, known))
        except StoreError as error:
            raise _in_doubt(error, len(claimed)) from error
        yield from outcomes
        if cut:
            raise _in_doubt(cut, len(claimed) - len(known)) from cut
        for item, is_ours in zip(batch, ours, strict=True):
            if not is_ours:
                yield Outcome(item.letter, What.IN_DOUBT, "somebody else has claimed it just now")

    def _claim(self, item: _Item) -> bool:
        return self.marks.claim(item.letter, item.attempt)

    def _done(self, answered: tuple[_Item, Placed | str]) -> Outcome:
        item, answer = answered
        if isinstance(answer, str):
            return Outcome(item.letter, What.REFUSED, f"the stream refused it ({answer}); --again tries once more")
        self.marks.done(item.letter, item.attempt, answer)
        return Outcome(item.letter, What.PUT, placed=answer)


def _in_doubt(error: Exception, records: int) -> UserError:
    return UserError(
        f"{error}. Whether {records} records got onto the stream is not known: `articles dead-letters list` shows them "
        "in doubt, and --again puts them once more"
    )


def partition_key(letter: DeadLetter) -> str:
    """The record's own; where it has none that Kinesis takes, its position: any key will do."""
    key = letter.partition_key
    return key if key and len(key) <= KEY_CHARACTERS else str(letter.position)
