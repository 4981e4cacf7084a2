"""Judges every object in the moment it is written, against what was put to the stream.

Each chain is followed as its objects appear. A link that does not follow the last one, leaves out a record that is
owed, holds one twice or says something else than what it holds, is seen at once, and so is an object that is replaced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any

from articles import schema
from articles.chain import END, Root
from articles.keys import Layout
from tests.simulation import files
from tests.simulation.stream import At, StreamShard
from tests.simulation.violation import Violation

LAYOUT = Layout("p")
EPOCH = date(1970, 1, 1).toordinal()


@dataclass(slots=True, eq=False)
class Line:
    """A shard's chain as far as its objects tell. `ends` are the positions that may be checkpointed; `by_worker` counts
    (objects, good, rejected, words)."""

    shard: StreamShard
    begun: bool = False
    first_page: str = ""
    page: str = ""
    at: At = (0, 0)
    sequence: str = "0"
    ended: bool = False
    ends: set[At] = field(default_factory=set)
    held: set[At] = field(default_factory=set)
    by_worker: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def next_key(self) -> str:
        number, sub = self.at
        return f"p/data/dt={self.page}/{self.shard.key}-{number:056d}-{sub:010d}.avro"


class Chains:
    """`clocks_jumped`: then a page may have been turned too early."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.links: dict[str, Mapping[str, str]] = {}
        self.dead_letters: dict[str, bytes] = {}
        self.named: set[str] = set()
        self.words = 0
        self.good = 0
        self.clocks_jumped = False

    def line(self, shard: StreamShard) -> Line:
        line = self.lines.get(shard.key)
        if line is None:
            line = self.lines[shard.key] = Line(shard)
        return line

    def written(self, key: str, body: bytes, attributes: Mapping[str, str], replaced: bool) -> None:
        if replaced:
            raise Violation(7, f"{key} was written again")
        if key.startswith("p/data/"):
            self._link(key, body, attributes)
        elif key.startswith("p/chain/"):
            self._root(key, body)
        else:
            self.dead_letters[key] = body

    def _root(self, key: str, body: bytes) -> None:
        parsed = LAYOUT.parse_root(key)
        line = self.lines.get(str(parsed.shard)) if parsed else None
        if line is None or line.begun:
            raise Violation(2, f"{key} is no shard's first root")
        self._after_its_parents(line)
        line.begun = True
        line.page = line.first_page = Root.from_json(key, line.shard.name, body).page

    def _after_its_parents(self, line: Line) -> None:
        for parent in line.shard.parents:
            if not self.line(parent).ended:
                raise Violation(8, f"{line.shard.key} has an object, and its parent's chain {parent.key} no end")

    def _link(self, key: str, body: bytes, attributes: Mapping[str, str]) -> None:
        line = self.lines.get(key[21:-73])
        if line is None or line.ended or not line.begun or line.next_key != key:
            expected = "nothing" if line is None or line.ended or not line.begun else line.next_key
            raise Violation(2, f"{key} was written where {expected} can follow")
        file = files.articles(key, body)
        good, words, arrivals = self._articles(line, key, file.records)
        dead, more = self._dead_letters(line, key, file.said)
        inside = sorted(good + dead)
        self._complete(line, key, inside, file.said["after"])
        arrivals += more
        number, sub = inside[-1] if inside else line.at
        sequence = line.shard.known[inside[-1]].record.position.sequence if inside else line.sequence
        page = file.said["after"].rpartition(":")[2]
        first = line.shard.known[inside[0]].record.position if inside else ""
        summary = {
            "after": f"{sequence}:{sub}:{page}",
            "records": str(len(inside)),
            "good": str(len(good)),
            "rejected": str(len(dead)),
            "words": str(words),
            "digest": file.digest,
            "worker": attributes["worker"],
            "enrichment": attributes["enrichment"],
        }
        header = summary | {
            "stream": line.shard.name.stream,
            "created": str(line.shard.name.created),
            "shard": line.shard.name.shard,
            "before": f"{line.sequence}:{line.at[1]}:{line.page}",
            "first": str(first),
            "last": f"{sequence}:{sub}" if inside else "",
            "first_arrival": str(min(arrivals, default="")),
            "last_arrival": str(max(arrivals, default="")),
            "schema": str(schema.VERSION),
            "blocks": str([list(block) for block in file.blocks]).replace(" ", ""),
        }
        _equal(key, "object metadata", summary, attributes)
        _equal(key, "header", header, file.said)
        if page <= line.page and not (page == line.page and inside):
            raise Violation(2, f"{key} leads from {line.at} on {line.page} to {number}:{sub} on {page}")
        self._after_its_parents(line)
        self.links[key] = attributes
        line.held.update(inside)
        line.ends.add((number, sub))
        line.at, line.sequence, line.page, line.ended = (number, sub), sequence, page, page == END
        self.good += len(good)
        self.words += words
        count = line.by_worker.setdefault(attributes["worker"], Counter())
        count.update(objects=1, records=len(good), rejected=len(dead), words=words)

    def _articles(self, line: Line, key: str, records: Iterable[dict[str, Any]]) -> tuple[list[At], int, list[int]]:
        """Positions, words as the stream knows them, known arrivals."""
        positions: list[At] = []
        arrivals: list[int] = []
        total = 0
        last = line.at
        page = date.fromisoformat(line.page).toordinal() - EPOCH
        known = line.shard.known
        excused = self.clocks_jumped or line.page == line.first_page
        for record in records:
            at = (int(record["sequence_number"]), record["sub_sequence_number"])
            if at <= last:
                what = "is stored again" if at in line.held else "is out of order"
                raise Violation(1 if at in line.held else 3, f"{at} {what} in {key}", repeated=at in line.held)
            last = at
            put = known.get(at)
            if put is None or put.record.position.sequence != record["sequence_number"]:
                raise Violation(1, f"{at} in {key} was never put")
            payload = put.payload
            if payload.words is None or (record["content"], record["word_count"]) != (payload.content, payload.words):
                raise Violation(5, f"{at} in {key} is not what was put")
            arrival = record["arrival_timestamp"]
            if arrival != put.record.arrival:
                raise Violation(5, f"{at} in {key} arrived at {put.record.arrival}, not at {arrival}")
            late = put.newest < page and not excused and at not in line.shard.excused
            if put.day is not None and (put.day > page or late):
                raise Violation(10, f"{at} of day {put.day} lies on the page of day {page}, {key}")
            if arrival is not None:
                arrivals.append(arrival)
            total += payload.words
            positions.append(at)
        return positions, total, arrivals

    def _dead_letters(self, line: Line, key: str, said: Mapping[str, str]) -> tuple[list[At], list[int]]:
        named = said["dead_letter_key"]
        if not named:
            return [], []
        body = self.dead_letters.get(named)
        if body is None or named in self.named:
            raise Violation(1, f"{key} names {named}, which is not there or another's")
        self.named.add(named)
        file = files.dead_letters(named, body)
        if file.digest != said["dead_letter_digest"] or file.digest[:16] not in named:
            raise Violation(5, f"{named} is not what {key} names")
        positions, arrivals = [], []
        last = line.at
        for letter in file.records:
            at = (int(letter["sequence_number"]), letter["sub_sequence_number"])
            if at <= last:
                raise Violation(1 if at in line.held else 3, f"{at} in {named}", repeated=at in line.held)
            last = at
            put = line.shard.known.get(at)
            if put is None or put.payload.words is not None or put.payload.data != letter["payload"]:
                raise Violation(1, f"{at} in {named} was not put so")
            if letter["arrival_timestamp"] is not None:
                arrivals.append(letter["arrival_timestamp"])
            positions.append(at)
        return positions, arrivals

    def _complete(self, line: Line, key: str, inside: list[At], after: str) -> None:
        """No record that is owed may lie between the link's ends and not in it."""
        shard = line.shard
        if len(set(inside)) != len(inside):
            raise Violation(1, f"{key} holds a record as an article and as a dead letter", repeated=1)
        number, sub = after.split(":")[:2]
        passed = shard.at[shard.after(line.at) : shard.after((int(number), int(sub)))]
        if len(passed) != len(inside):
            lost = set(passed).difference(inside, shard.excused)
            if lost:
                raise Violation(1, f"{min(lost)} is not in {key}, which leads past it", lost=len(lost))

    # After a schedule

    @property
    def average(self) -> Fraction | None:
        """Of what was put and is stored, never of what the files say."""
        return Fraction(self.words, self.good) if self.good else None

    def check_all_stored(self, waiting: set[str]) -> None:
        """Nothing that is owed lies past a chain's end; `waiting` are shards that only an operator can let go on."""
        for line in self.lines.values():
            owed = set(line.shard.at[line.shard.after(line.at) :]) - line.shard.excused
            if owed and line.shard.key not in waiting:
                what = f"{len(owed)} records of {line.shard.key} from {min(owed)} on are not stored"
                raise Violation(1, what, lost=len(owed))


def _equal(key: str, what: str, counted: Mapping[str, str], said: Mapping[str, str]) -> None:
    for name, value in counted.items():
        if said.get(name) != value:
            raise Violation(5, f"the {what} of {key} says {name} {said.get(name)!r}, it is {value!r}")
