"""A shard's chain: what its root and its links say, and the rules that a step must keep. No I/O.

The chain's state is (E, D): E, the last position stored; D, the open page, a UTC date, or END. A link moves the state
from `before` to `after`; its key is a function of `before` alone, and the store creates a key only once, so from any
state there is one next link, whoever writes it. By induction the links form one line of disjoint ranges.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from articles.errors import ChainError, UserError
from articles.position import ZERO, Position

END: Final = "END"
"""The page of a chain that nothing follows. It sorts after every date."""

OPERATOR: Final = "start-chain-here"
"""Stands as the worker of a link that jumps."""

_SHARD_ID: Final = re.compile(r"shardId-[0-9]{1,20}")
_STREAM: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")


@dataclass(frozen=True, slots=True, order=True)
class ShardName:
    """Whose chain it is. `created` is the stream's creation time, floor of epoch seconds: a stream that was made
    again under the same name has chains of its own."""

    stream: str
    created: int
    shard: str

    def __post_init__(self) -> None:
        if not _STREAM.fullmatch(self.stream) or not _SHARD_ID.fullmatch(self.shard) or self.created < 0:
            raise UserError(f"stream {self.stream!r} or shard {self.shard!r} has a name that no key can hold")

    def __str__(self) -> str:
        return f"s-{self.stream}-{self.created}-{self.shard}"


@dataclass(frozen=True, slots=True)
class State:
    position: Position
    page: str

    def __str__(self) -> str:
        return f"{self.position}:{self.page}"

    @classmethod
    def parse(cls, text: str) -> State:
        position, _, page = text.rpartition(":")
        if page != END and not is_date(page):
            raise ChainError(f"{text[:120]!r} is not a state (sequence number:sub-sequence number:date or END)")
        return cls(Position.parse(position), page)

    @property
    def ended(self) -> bool:
        return self.page == END


def is_date(text: str) -> bool:
    """Whether it is a page's name, YYYY-MM-DD."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def check_step(before: State, after: State) -> None:
    """E and D never go back, and one of them moves; raises ChainError."""
    if after.position < before.position or after.page < before.page or after == before:
        raise ChainError(f"a link leads from {before} to {after}, which is not forward")


@dataclass(frozen=True, slots=True)
class Totals:
    """What adds up exactly over links: counts of records and the sum of their words."""

    good: int = 0
    rejected: int = 0
    words: int = 0

    @property
    def records(self) -> int:
        return self.good + self.rejected

    def __add__(self, other: Totals) -> Totals:
        return Totals(self.good + other.good, self.rejected + other.rejected, self.words + other.words)

    def __sub__(self, other: Totals) -> Totals:
        return Totals(self.good - other.good, self.rejected - other.rejected, self.words - other.words)

    def to_json(self) -> dict[str, int]:
        return {"good": self.good, "rejected": self.rejected, "words": self.words}

    @classmethod
    def from_json(cls, said: Mapping[str, int]) -> Totals:
        return cls(int(said["good"]), int(said["rejected"]), int(said["words"]))


@dataclass(frozen=True, slots=True)
class Erasure:
    """What a rewrite into another prefix left out of a link: its digests and counts before, and what of these went."""

    digest: str
    dead_letter_digest: str
    before: Totals
    erased: Totals

    def to_json(self) -> dict[str, object]:
        return {
            "digest": self.digest,
            "dead_letter_digest": self.dead_letter_digest,
            "before": self.before.to_json(),
            "erased": self.erased.to_json(),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Erasure:
        counts = Totals.from_json(said["before"]), Totals.from_json(said["erased"])
        return cls(str(said["digest"]), str(said["dead_letter_digest"]), *counts)


@dataclass(frozen=True, slots=True)
class Root:
    """A shard's root object: its chain starts at position zero, on `page`. `mode` is where the consumer started,
    `TRIM_HORIZON` or `AT_TIMESTAMP <time>`; `written` is in epoch milliseconds."""

    shard: ShardName
    page: str
    mode: str
    stream_arn: str
    starting_sequence_number: str | None
    written: int
    software: str

    @property
    def state(self) -> State:
        return State(ZERO, self.page)

    def to_json(self) -> bytes:
        fields = {
            "stream": self.shard.stream,
            "created": self.shard.created,
            "shard": self.shard.shard,
            "page": self.page,
            "mode": self.mode,
            "stream_arn": self.stream_arn,
            "starting_sequence_number": self.starting_sequence_number,
            "written": self.written,
            "software": self.software,
        }
        return json.dumps(fields, indent=1).encode()

    @classmethod
    def from_json(cls, key: str, shard: ShardName, body: bytes) -> Root:
        """Raises ChainError when the root cannot be read or speaks of another shard."""
        try:
            said = json.loads(body)
            if (said["stream"], said["created"], said["shard"]) != (shard.stream, shard.created, shard.shard):
                raise ChainError(f"the root {key} speaks of another shard: {said['stream']} {said['shard']}")
            page = State.parse(f"{ZERO}:{said['page']}").page
            if page == END:
                raise ChainError(f"the root {key} opens no page")
            return cls(
                shard,
                page,
                str(said["mode"]),
                str(said["stream_arn"]),
                said["starting_sequence_number"],
                int(said["written"]),
                str(said["software"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ChainError(f"the root {key} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Summary:
    """What a HEAD of a link answers, kept as object metadata (under 2 KB)."""

    after: State
    totals: Totals
    worker: str
    digest: str
    enrichment: str

    def to_attributes(self) -> dict[str, str]:
        return {
            "after": str(self.after),
            "records": str(self.totals.records),
            "good": str(self.totals.good),
            "rejected": str(self.totals.rejected),
            "words": str(self.totals.words),
            "worker": self.worker,
            "digest": self.digest,
            "enrichment": self.enrichment,
        }

    @classmethod
    def from_attributes(cls, said: Mapping[str, str]) -> Summary | None:
        """None where a copy of the object has lost its metadata (the header answers then)."""
        try:
            totals = Totals(int(said["good"]), int(said["rejected"]), int(said["words"]))
            return cls(State.parse(said["after"]), totals, said["worker"], said["digest"], said["enrichment"])
        except (KeyError, ValueError, ChainError):
            return None


@dataclass(frozen=True, slots=True)
class Link:
    """What a link's header says. Arrivals are epoch milliseconds; `blocks` holds (records, bytes) of each block.

    After an erasure states, first and last position and arrivals stay those of the whole; totals and blocks are of what
    is left."""

    shard: ShardName
    before: State
    after: State
    first: Position | None
    last: Position | None
    first_arrival: int | None
    last_arrival: int | None
    totals: Totals
    worker: str
    digest: str
    dead_letter_key: str
    dead_letter_digest: str
    schema: int
    enrichment: str
    software: str
    blocks: tuple[tuple[int, int], ...]
    erasures: tuple[Erasure, ...] = ()

    @property
    def original(self) -> Totals:
        """The totals before anything was erased."""
        return self.erasures[0].before if self.erasures else self.totals

    @property
    def jumps(self) -> bool:
        """Whether an operator let the chain go on further up: it leads past records without holding any."""
        return self.worker == OPERATOR and self.original.records == 0 and self.after.position > self.before.position

    @property
    def summary(self) -> Summary:
        return Summary(self.after, self.totals, self.worker, self.digest, self.enrichment)

    def to_metadata(self) -> dict[str, bytes]:
        """The container header's entries, in a fixed order: the same link gives the same bytes."""
        said: dict[str, object] = {
            "stream": self.shard.stream,
            "created": self.shard.created,
            "shard": self.shard.shard,
            "before": self.before,
            "after": self.after,
            "first": _text(self.first),
            "last": _text(self.last),
            "first_arrival": _text(self.first_arrival),
            "last_arrival": _text(self.last_arrival),
            "records": self.totals.records,
            "good": self.totals.good,
            "rejected": self.totals.rejected,
            "words": self.totals.words,
            "worker": self.worker,
            "digest": self.digest,
            "dead_letter_key": self.dead_letter_key,
            "dead_letter_digest": self.dead_letter_digest,
            "schema": self.schema,
            "enrichment": self.enrichment,
            "software": self.software,
            "blocks": json.dumps(self.blocks, separators=(",", ":")),
        }
        if self.erasures:
            said["erasures"] = json.dumps([erasure.to_json() for erasure in self.erasures])
        return {f"articles.{name}": str(value).encode() for name, value in said.items()}

    @classmethod
    def from_metadata(cls, key: str, metadata: Mapping[str, bytes]) -> Link:
        """Raises ChainError when an entry is missing or makes no sense."""
        try:
            said = {n.removeprefix("articles."): v.decode() for n, v in metadata.items() if n.startswith("articles.")}
            totals = Totals(int(said["good"]), int(said["rejected"]), int(said["words"]))
            if totals.records != int(said["records"]):
                raise ValueError(f"{said['records']} records are not {said['good']} and {said['rejected']}")
            return cls(
                ShardName(said["stream"], int(said["created"]), said["shard"]),
                State.parse(said["before"]),
                State.parse(said["after"]),
                Position.parse(said["first"]) if said["first"] else None,
                Position.parse(said["last"]) if said["last"] else None,
                int(said["first_arrival"]) if said["first_arrival"] else None,
                int(said["last_arrival"]) if said["last_arrival"] else None,
                totals,
                said["worker"],
                said["digest"],
                said["dead_letter_key"],
                said["dead_letter_digest"],
                int(said["schema"]),
                said["enrichment"],
                said["software"],
                tuple((int(count), int(size)) for count, size in json.loads(said["blocks"])),
                tuple(Erasure.from_json(erasure) for erasure in json.loads(said.get("erasures", "[]"))),
            )
        except (UserError, KeyError, ValueError, TypeError, RecursionError) as error:
            raise ChainError(f"the header of {key} is not a link's: {error!r}") from error


def _text(value: object | None) -> str:
    return "" if value is None else str(value)
