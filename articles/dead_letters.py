"""The dead letters: what was no valid article, raw, with where it stood in the stream and why it was set aside.

They are written before their link, so whoever loses the race for a link leaves a file that no link names. Its records
are in the winner's link, as articles or as dead letters: it is never listed and never replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from articles import avro, container
from articles.chain import Link, ShardName
from articles.container import Block
from articles.errors import ChainError
from articles.keys import Layout, ParsedKey
from articles.position import Position
from articles.retry import RetryingStore
from articles.scan import Selection, ignore, many
from articles.tail import read_link

WORKERS = 4
"""Whole files are in memory then, so few at a time."""
WINDOW = 8


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`page` and `key` are its file's; `arrival` is in epoch milliseconds."""

    key: str
    page: str
    shard: ShardName
    position: Position
    arrival: int | None
    reason: str
    detail: str
    payload: bytes
    partition_key: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which ones are meant: those that all of these take; what is empty takes all. A position without a
    sub-sequence number takes all that share its sequence number."""

    chains: Selection = field(default_factory=Selection)
    reasons: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    positions: frozenset[tuple[int, int | None]] = frozenset()

    def may_be_in(self, link: Link, key: str) -> bool:
        if not self.keys and not self.positions:
            return True
        if link.first is None or link.last is None:
            return False
        numbers = range(link.first.number, link.last.number + 1)
        return key in self.keys or any(number in numbers for number, _ in self.positions)

    def takes(self, letter: DeadLetter) -> bool:
        if self.reasons and letter.reason not in self.reasons:
            return False
        if not self.keys and not self.positions:
            return True
        at = letter.position
        return letter.key in self.keys or bool({(at.number, at.sub), (at.number, None)} & self.positions)


@dataclass(frozen=True, slots=True)
class DeadLetterFile:
    """A file that a link names. Without blocks, `problem` says why it cannot be read."""

    key: str
    page: str
    shard: ShardName
    codec: str = ""
    schema: bytes = b""
    blocks: Sequence[Block] = ()
    problem: str = ""

    def letters(self) -> Iterator[DeadLetter]:
        """In the order of their positions; unpacked as they are asked for."""
        for block in self.blocks:
            plain = container.decompress(self.codec, block.data)
            for said in avro.decode_dead_letters(plain, block.count, self.schema):
                yield DeadLetter(
                    self.key,
                    self.page,
                    self.shard,
                    Position.of(said["sequence_number"], said["sub_sequence_number"]),
                    said["arrival_timestamp"],
                    said["reason"],
                    said["detail"],
                    said["payload"],
                    said["partition_key"],
                )


def files(
    store: RetryingStore, layout: Layout, wanted: Wanted, progress: Callable[[int], None] = ignore
) -> Iterator[DeadLetterFile]:
    """The files that may hold what is wanted, in the order of their keys: by page, shard and position."""

    def name(found: tuple[str, ParsedKey]) -> tuple[str, ParsedKey, Link | str] | None:
        link = _link_that_names(store, layout, *found)
        return (*found, link) if link and (isinstance(link, str) or wanted.may_be_in(link, found[0])) else None

    def read(named: tuple[str, ParsedKey, Link | str]) -> DeadLetterFile:
        key, parsed, link = named
        problem = link if isinstance(link, str) else ""
        try:
            if isinstance(link, Link):
                return _read(store, key, parsed, link)
        except ChainError as error:
            problem = str(error)
        return DeadLetterFile(key, parsed.page, parsed.shard, problem=problem)

    def named() -> Iterator[tuple[str, ParsedKey, Link | str]]:
        for answer in many(name, _listed(store, layout, wanted.chains)):
            progress(1)
            if answer:
                yield answer

    yield from many(read, named(), WORKERS, WINDOW)


def _listed(store: RetryingStore, layout: Layout, chains: Selection) -> Iterator[tuple[str, ParsedKey]]:
    folder = f"{layout.dead_letters}/dt={chains.page}" if chains.page else layout.dead_letters
    for item in store.list(folder):
        parsed = layout.parse_dead_letter(item.key)
        if parsed and chains.takes(parsed.shard):
            yield item.key, parsed


def _link_that_names(store: RetryingStore, layout: Layout, key: str, parsed: ParsedKey) -> Link | str | None:
    """The link; what is wrong with it; or None, when it names other dead letters, or is not there."""
    link_key = layout.link_of(parsed)
    info = store.head(link_key)
    if info is None:
        return None
    try:
        link = read_link(store, link_key, info.size)
    except ChainError as error:
        return str(error)
    return link if link.dead_letter_key == key else None


def _read(store: RetryingStore, key: str, parsed: ParsedKey, link: Link) -> DeadLetterFile:
    """Raises ChainError for a file that is not what its link says."""
    data = store.read(key)
    if data is None:
        raise ChainError("it was listed and is gone")
    header = container.read_header(data)
    blocks = list(container.read_blocks(data, header))
    if container.digest(blocks) != link.dead_letter_digest:
        raise ChainError("these are not the records that its link names: they were changed")
    schema = header.metadata.get("avro.schema", b"")
    return DeadLetterFile(key, parsed.page, parsed.shard, header.codec, schema, blocks)
