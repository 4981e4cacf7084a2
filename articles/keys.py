"""Object keys. Only configuration and digits from shard ids and positions enter a key, never a field of an article.

    <prefix>/chain/s-<stream>-<created>-<shardId>-<0>                       a shard's root
    <prefix>/data/dt=<page>/s-<stream>-<created>-<shardId>-<E>.avro          a link; E is the position before it
    <prefix>/dead-letter/dt=<page>/<link's name>-<16 hex>.avro               what that link rejected
    <prefix>/replayed/dt=<page>/s-<…>-<position>-<attempt>.claimed, .put     which of that went back into the stream
    <prefix>/catalog/<number>.json                                          a snapshot of the chains
    <prefix>/catalog/segments/<name>.avro, catalog/rows/<name>.avro          the links and records of snapshots
    <prefix>/tombstones/<digest of an article_id>.json                      an article that must not be read any more
    <prefix>/rewritten/<number>.json                                        what was erased when this prefix was made

File names start with a letter because query engines skip names that start with `_` or `.`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from articles.chain import ShardName, State
from articles.position import SEQUENCE_DIGITS, SUB_DIGITS, ZERO, Position

_NAME: Final = (
    r"s-(?P<stream>[A-Za-z0-9_.-]{1,128})-(?P<created>\d{1,20})-(?P<shard>shardId-\d{1,20})"
    rf"-(?P<sequence>\d{{{SEQUENCE_DIGITS}}})-(?P<sub>\d{{{SUB_DIGITS}}})"
)
_ROOT: Final = re.compile(_NAME, re.ASCII)
_LINK: Final = re.compile(r"dt=(?P<page>\d{4}-\d{2}-\d{2})/" + _NAME + r"\.avro", re.ASCII)
_DEAD_LETTER: Final = re.compile(r"dt=(?P<page>\d{4}-\d{2}-\d{2})/" + _NAME + r"-[0-9a-f]{16}\.avro", re.ASCII)
_SNAPSHOT: Final = re.compile(r"\d{10}\.json", re.ASCII)


@dataclass(frozen=True, slots=True)
class ParsedKey:
    shard: ShardName
    position: Position
    page: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie below `prefix` (no slash at either end)."""

    prefix: str

    @property
    def roots(self) -> str:
        return f"{self.prefix}/chain"

    @property
    def data(self) -> str:
        return f"{self.prefix}/data"

    @property
    def dead_letters(self) -> str:
        return f"{self.prefix}/dead-letter"

    def page(self, page: str) -> str:
        return f"{self.data}/dt={page}"

    def root_key(self, shard: ShardName) -> str:
        """The one root a shard has, at position zero: two would be two lines."""
        return f"{self.roots}/{shard}-{ZERO.padded}"

    def link_key(self, shard: ShardName, before: State) -> str:
        """The one key that may follow `before`. It depends on the state alone, never on a record delivered: what is
        delivered first after a position differs between workers."""
        if before.ended:
            raise ValueError(f"nothing follows the end of {shard}")
        return f"{self.page(before.page)}/{shard}-{before.position.padded}.avro"

    def link_of(self, parsed: ParsedKey) -> str:
        """The link that a dead-letter file's key speaks of."""
        return f"{self.page(parsed.page)}/{parsed.shard}-{parsed.position.padded}.avro"

    def dead_letter_key(self, link_key: str, digest: str) -> str:
        name = link_key.removeprefix(f"{self.data}/").removesuffix(".avro")
        return f"{self.dead_letters}/{name}-{digest[:16]}.avro"

    @property
    def replayed(self) -> str:
        return f"{self.prefix}/replayed"

    def replayed_key(self, page: str, shard: ShardName, position: Position) -> str:
        """What the keys of a record's marks start with."""
        return f"{self.replayed}/dt={page}/{shard}-{position.padded}"

    @property
    def catalog(self) -> str:
        return f"{self.prefix}/catalog"

    def snapshot_key(self, number: int) -> str:
        return f"{self.catalog}/{number:010d}.json"

    def segment_key(self, name: str) -> str:
        return f"{self.catalog}/segments/{name}.avro"

    def rows_key(self, name: str) -> str:
        return f"{self.catalog}/rows/{name}.avro"

    def parse_snapshot(self, key: str) -> int | None:
        name = key.removeprefix(f"{self.catalog}/")
        return int(name[:10]) if _SNAPSHOT.fullmatch(name) else None

    def inside(self, key: str) -> str:
        """The key below the prefix: the catalogue's own form, which a copy under another prefix keeps."""
        return key.removeprefix(f"{self.prefix}/")

    def whole(self, inside: str) -> str:
        return f"{self.prefix}/{inside}"

    @property
    def tombstones(self) -> str:
        return f"{self.prefix}/tombstones"

    def tombstone_key(self, digest: bytes) -> str:
        return f"{self.tombstones}/{digest.hex()}.json"

    def rewritten_key(self, number: int) -> str:
        return f"{self.prefix}/rewritten/{number:010d}.json"

    def parse_root(self, key: str) -> ParsedKey | None:
        parsed = _parse(_ROOT, key, f"{self.roots}/")
        return parsed if parsed and parsed.position == ZERO else None

    def parse_link(self, key: str) -> ParsedKey | None:
        return _parse(_LINK, key, f"{self.data}/")

    def parse_dead_letter(self, key: str) -> ParsedKey | None:
        """What the key says of the link that may name these dead letters: its shard, page and position before it."""
        return _parse(_DEAD_LETTER, key, f"{self.dead_letters}/")

    def is_dead_letter(self, key: str) -> bool:
        return self.parse_dead_letter(key) is not None


def _parse(pattern: re.Pattern[str], key: str, folder: str) -> ParsedKey | None:
    match = pattern.fullmatch(key, len(folder)) if key.startswith(folder) else None
    if match is None:
        return None
    part = match.groupdict()
    shard = ShardName(part["stream"], int(part["created"]), part["shard"])
    return ParsedKey(shard, Position.of(part["sequence"], int(part["sub"])), part.get("page", ""))
