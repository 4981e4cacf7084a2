"""What a rewrite says of itself in the new prefix: how it began, and part by part what it has done.

    <new prefix>/rewritten/0000000000.json    where from, and which articles are left out: both for ever
    <new prefix>/rewritten/0000000001.json …  how far the chains are there, sums, and each file that lost records

All are created once. A part is created when everything that it counts is there: the next run goes on behind it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from articles.chain import Erasure, ShardName, State, Totals
from articles.errors import ChainError
from articles.keys import Layout
from articles.retry import RetryingStore

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Plan:
    """`source` is a URI; `tombstones` are digests as hex digits, sorted. `unclear`: dead letters of which nobody can
    tell what article they were stay."""

    source: str
    tombstones: Sequence[str]
    unclear: bool
    made: str
    software: str

    def to_json(self) -> bytes:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode()

    @classmethod
    def from_json(cls, key: str, body: bytes) -> Plan:
        try:
            said = _checked(body)
            tombstones = [str(one) for one in said["tombstones"]]
            return cls(str(said["source"]), tombstones, bool(said["unclear"]), str(said["made"]), str(said["software"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ChainError(f"{key} cannot be read: {error!r}") from error


@dataclass(frozen=True, slots=True)
class Unclear:
    """A dead letter of which nobody can tell what article it was: `key` of its file in the old prefix."""

    key: str
    position: str


@dataclass(frozen=True, slots=True)
class Changed:
    """A file that lost records, by its key below the prefix; what it holds now has the digests that stand first."""

    key: str
    digest: str
    dead_letter_digest: str
    left: Totals
    erasure: Erasure

    def to_json(self) -> dict[str, object]:
        now = {"key": self.key, "digest": self.digest, "dead_letter_digest": self.dead_letter_digest}
        return {**now, "left": self.left.to_json(), "erasure": self.erasure.to_json()}


@dataclass(frozen=True, slots=True)
class Sums:
    """Of links: what they held, what was erased, what is left. `files` were looked at, `changed` lost records."""

    before: Totals = field(default_factory=Totals)
    erased: Totals = field(default_factory=Totals)
    left: Totals = field(default_factory=Totals)
    files: int = 0
    changed: int = 0
    unclear: int = 0

    def __add__(self, other: Sums) -> Sums:
        totals = self.before + other.before, self.erased + other.erased, self.left + other.left
        counts = self.files + other.files, self.changed + other.changed, self.unclear + other.unclear
        return Sums(*totals, *counts)

    def to_json(self) -> dict[str, Any]:
        totals = {"before": self.before.to_json(), "erased": self.erased.to_json(), "left": self.left.to_json()}
        return {**totals, "files": self.files, "changed": self.changed, "unclear": self.unclear}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Sums:
        before, erased, left = (Totals.from_json(said[name]) for name in ("before", "erased", "left"))
        return cls(before, erased, left, int(said["files"]), int(said["changed"]), int(said["unclear"]))


@dataclass(slots=True)
class Part:
    """`chains`: the states that those have reached which moved; `through` is the last key, below the prefix."""

    sums: Sums = field(default_factory=Sums)
    chains: dict[ShardName, State] = field(default_factory=dict)
    through: str = ""
    changed: list[Changed] = field(default_factory=list)
    unclear: list[Unclear] = field(default_factory=list)

    def to_json(self, made: str, software: str) -> bytes:
        chains = [{**asdict(shard), "state": str(state)} for shard, state in sorted(self.chains.items())]
        said = {
            "format": FORMAT,
            "made": made,
            "software": software,
            "sums": self.sums.to_json(),
            "through": self.through,
            "chains": chains,
            "changed": [one.to_json() for one in self.changed],
            "unclear": [asdict(one) for one in self.unclear],
        }
        return json.dumps(said, indent=1).encode()


@dataclass(slots=True)
class Done:
    """All parts so far."""

    parts: int = 0
    sums: Sums = field(default_factory=Sums)
    chains: dict[ShardName, State] = field(default_factory=dict)
    through: str = ""

    def take(self, part: Part) -> None:
        self.parts += 1
        self.sums += part.sums
        self.chains |= part.chains
        self.through = max(self.through, part.through)


def read_done(store: RetryingStore, layout: Layout) -> Done:
    """Raises ChainError when a part cannot be read."""
    done = Done()
    while body := store.read(key := layout.rewritten_key(done.parts + 1)):
        try:
            said = _checked(body)
            chains = {
                ShardName(one["stream"], int(one["created"]), one["shard"]): State.parse(one["state"])
                for one in said["chains"]
            }
            done.take(Part(Sums.from_json(said["sums"]), chains, str(said["through"])))
        except (ValueError, KeyError, TypeError) as error:
            raise ChainError(f"{key} cannot be read: {error!r}") from error
    return done


def _checked(body: bytes) -> Mapping[str, Any]:
    said = json.loads(body)
    if said["format"] != FORMAT:
        raise ValueError(f"its format is {said['format']}, this version knows {FORMAT}")
    return said  # type: ignore[no-any-return]
