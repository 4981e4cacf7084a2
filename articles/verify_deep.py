"""A link's records, decoded and counted again, and the dead letters that it names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from articles import avro, container, schema
from articles.chain import Link, Totals
from articles.container import Block, Header, decompress, read_blocks, read_header, sync_marker
from articles.errors import ChainError
from articles.keys import Layout
from articles.position import Position
from articles.retry import RetryingStore
from articles.verify_report import Finding

WORD_COUNT: Final = "word-count-1"
"""The part of an enrichment's version whose words are counted again here."""

_Decode = Callable[[bytes, int, bytes | None], Iterator[dict[str, Any]]]


@dataclass(slots=True)
class Contents:
    """Positions of good records with their words, and of rejected ones; all their known arrivals."""

    good: list[tuple[Position, int]] = field(default_factory=list)
    rejected: list[Position] = field(default_factory=list)
    arrivals: list[int] = field(default_factory=list)

    def saw(self, record: dict[str, Any]) -> None:
        """Keep the first and the last arrival."""
        if (arrival := record["arrival_timestamp"]) is not None:
            self.arrivals[:] = [min([arrival, *self.arrivals]), max([arrival, *self.arrivals])]


def read_articles(data: bytes, key: str, link: Link, contents: Contents) -> Sequence[Finding]:
    """Count everything again; fills `contents`."""
    problems: list[Finding] = []
    header, blocks = _open(data, key, problems)
    if header is None:
        return problems
    if schema_altered(link, header):
        problems.append(Finding("schema", "the file's Avro schema is not the one of its version"))
        return problems
    index = tuple((block.count, len(block.data)) for block in blocks)
    if index != link.blocks:
        problems.append(Finding("block_index", "the block index in the header is not what the file holds"))
    if container.digest(blocks) != link.digest:
        problems.append(Finding("digest", "the blocks are not those whose digest the header holds: they were changed"))
    last = link.before.position
    recount = WORD_COUNT in link.enrichment.split("+")
    for record, position in _records(header, blocks, avro.decode_articles, problems):
        words = len(record["content"].split()) if recount else record["word_count"]
        if record["word_count"] != words:
            said = f"word_count is {record['word_count']}, the content has {words}"
            problems.append(Finding("word_count", said, position=str(position)))
        if record["shard_id"] != link.shard.shard:
            said = f"the record says that it is of {record['shard_id']}"
            problems.append(Finding("record_shard", said, position=str(position)))
        problems += _in_order(link, last, position)
        last = position
        contents.good.append((position, words))
        contents.saw(record)
    return [*problems, *_totals(link, contents)]


def _totals(link: Link, contents: Contents) -> Sequence[Finding]:
    found = Totals(len(contents.good), link.totals.rejected, sum(words for _, words in contents.good))
    if found == link.totals:
        return []
    said = (
        f"the file holds {found.good} records with {found.words} words, "
        f"the header says {link.totals.good} with {link.totals.words}"
    )
    return [Finding("totals", said)]


def read_dead_letters(
    store: RetryingStore, layout: Layout, key: str, link: Link, contents: Contents, *, deep: bool
) -> Sequence[Finding]:
    """The file that the header names: it is there, it has that digest and as many records as were rejected."""
    named = link.dead_letter_key
    if not named or not link.totals.rejected:
        if named or link.totals.rejected:
            said = f"{link.totals.rejected} records rejected, dead letters in {named or 'no file'!r}"
            return [Finding("dead_letter", said)]
        return []
    problems: list[Finding] = []
    if named != layout.dead_letter_key(key, link.dead_letter_digest):
        problems.append(Finding("dead_letter", "the header names dead letters of another link", key=named))
    data = store.read(named)
    if data is None:
        return [*problems, Finding("dead_letter_missing", f"{link.totals.rejected} records are gone", key=named)]
    header, blocks = _open(data, named, problems)
    if header is None:
        return problems
    if container.digest(blocks) != link.dead_letter_digest:
        problems.append(Finding("dead_letter_digest", "these are not the records that the header names", key=named))
    count = sum(block.count for block in blocks)
    if count != link.totals.rejected:
        problems.append(
            Finding("dead_letter_count", f"{count} records, the header says {link.totals.rejected}", key=named)
        )
    if deep:
        good = {position for position, _ in contents.good}
        last = link.before.position
        for record, position in _records(header, blocks, avro.decode_dead_letters, problems):
            problems += _in_order(link, last, position)
            last = position
            contents.rejected.append(position)
            contents.saw(record)
            if position in good:
                said = "stored as an article and as a dead letter"
                problems.append(Finding("repeated", said, position=str(position), key=named))
    return problems


def check_ends(link: Link, contents: Contents) -> Sequence[Finding]:
    """First and last of everything read are what the header says."""
    positions = [position for position, _ in contents.good] + contents.rejected
    times = [*contents.arrivals]
    if link.erasures:  # what went may have been the first or the last
        positions += [position for position in (link.first, link.last) if position is not None]
        times += [time for time in (link.first_arrival, link.last_arrival) if time is not None]
    said = (link.first, link.last, link.first_arrival, link.last_arrival)
    ends = min(positions, default=None), max(positions, default=None)
    found = (*ends, min(times, default=None), max(times, default=None))
    if said == found:
        return []
    texts = [", ".join(str(value) for value in values) for values in (found, said)]
    return [Finding("ends", f"first and last position and arrival are {texts[0]}; the header says {texts[1]}")]


def _open(data: bytes, key: str, problems: list[Finding]) -> tuple[Header | None, list[Block]]:
    blocks: list[Block] = []
    try:
        header = read_header(data)
        if header.sync != sync_marker(key):
            problems.append(
                Finding("sync_marker", "the sync marker is not the key's: it was written elsewhere", key=key)
            )
        blocks.extend(read_blocks(data, header))
    except ChainError as error:
        problems.append(Finding("undecodable", str(error), key=key))
        return None, blocks
    return header, blocks


def _records(
    header: Header, blocks: Sequence[Block], decode: _Decode, problems: list[Finding]
) -> Iterator[tuple[dict[str, Any], Position]]:
    written = header.metadata.get("avro.schema")
    for number, block in enumerate(blocks):
        try:
            for record in decode(decompress(header.codec, block.data), block.count, written):
                yield record, Position.of(record["sequence_number"], record["sub_sequence_number"])
        except Exception as error:  # noqa: BLE001 - changed bytes raise anything inside the Avro library
            problems.append(Finding("undecodable", f"block {number} cannot be decoded: {error!r}"))


def schema_altered(link: Link, header: Header) -> bool:
    """Whether a file of today's version holds another schema than today's."""
    try:
        found = json.loads(header.metadata.get("avro.schema", b""))
    except ValueError:
        return True
    return link.schema == schema.VERSION and found != schema.ARTICLE


def _in_order(link: Link, last: Position, position: Position) -> Sequence[Finding]:
    if last < position <= link.after.position:
        return []
    said = f"the record does not lie between {last} and {link.after.position}"
    return [Finding("order", said, position=str(position))]
