"""The file being filled: encoded records in compressed blocks, until it is sealed. Pure: no I/O, no clock.

Blocks keep sums instead of their records' positions, so a file of 64 MiB costs little more than its bytes; where an
adopted link ends inside a block, that one block is decoded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from articles import __version__, schema
from articles.chain import Link, ShardName, State, Totals
from articles.container import (
    BLOCK_BYTES,
    SYNC_BYTES,
    Block,
    assemble,
    compress,
    decompress,
    digest,
    framed_size,
)
from articles.encode import encode_article, encode_dead_letter, encode_utf8
from articles.keys import Layout
from articles.position import Position
from consumer.decode import Article, Rejected
from consumer.record import Record

_REJECTED_OVERHEAD: Final = 512
_BLOCK_OVERHEAD: Final = 768


@dataclass(frozen=True, slots=True)
class Span:
    """Sums over some records in the order of their positions. Arrivals are epoch milliseconds."""

    first: Position
    last: Position
    first_arrival: int | None
    last_arrival: int | None
    totals: Totals

    def __add__(self, other: Span) -> Span:
        arrivals = (self.first_arrival, other.first_arrival, self.last_arrival, other.last_arrival)
        known = [arrival for arrival in arrivals if arrival is not None]
        return Span(
            min(self.first, other.first),
            max(self.last, other.last),
            min(known, default=None),
            max(known, default=None),
            self.totals + other.totals,
        )


class _Encoded(msgspec.Struct, frozen=True, gc=False):
    """A record of the open block."""

    data: bytes
    at: Position
    arrival: int | None
    words: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    record: Record
    rejected: Rejected

    @property
    def span(self) -> Span:
        at = self.record.position
        return Span(at, at, self.record.arrival, self.record.arrival, Totals(rejected=1))


@dataclass(frozen=True, slots=True)
class SealedFile:
    """Ready to be created: the link, its bytes, and the dead letters that go first."""

    key: str
    body: bytes
    link: Link
    dead_letters: tuple[str, bytes] | None


@dataclass(slots=True)
class OpenFile:
    """Records of one shard in the order of their positions; `codec` is one of `container.CODECS`."""

    codec: str
    _blocks: list[tuple[Block, Span]] = field(default_factory=list)
    _open: list[_Encoded] = field(default_factory=list)
    _open_bytes: int = 0
    _dead: list[DeadLetter] = field(default_factory=list)
    size: int = 0
    """Compressed size so far, the open block counted as it is, and what a block costs in memory beside its bytes."""
    records: int = 0

    def append(self, record: Record, article: Article, words: int, shard_id: str) -> None:
        """Raises ValueError for an article that Avro cannot hold; the file is then as it was."""
        at, arrival = record.position, record.arrival
        encoded = encode_utf8(
            article.article_id,
            article.title,
            article.author,
            article.publish_date,
            article.content,
            words,
            shard_id,
            at.sequence,
            at.sub,
            arrival,
            article.extra,
        )
        self._add(_Encoded(encoded, at, arrival, words))

    def reject(self, record: Record, rejected: Rejected) -> None:
        self._dead.append(DeadLetter(record, rejected))
        # Raw until it is sealed, then beside its encoded and its compressed form.
        self.size += 2 * len(record.data) + _REJECTED_OVERHEAD
        self.records += 1

    def _add(self, encoded: _Encoded) -> None:
        self._open.append(encoded)
        self._open_bytes += len(encoded.data)
        self.size += len(encoded.data)
        self.records += 1
        if self._open_bytes >= BLOCK_BYTES:
            self._close_block()

    def _close_block(self) -> None:
        if not self._open:
            return
        block = Block(len(self._open), compress(self.codec, b"".join(record.data for record in self._open)))
        # Summed up here, not record by record, which would take longer than compressing them.
        arrivals = [record.arrival for record in self._open if record.arrival is not None]
        span = Span(
            self._open[0].at,
            self._open[-1].at,
            min(arrivals, default=None),
            max(arrivals, default=None),
            Totals(len(self._open), 0, sum(record.words for record in self._open)),
        )
        self._blocks.append((block, span))
        self.size += len(block.data) + _BLOCK_OVERHEAD - self._open_bytes
        self._open, self._open_bytes = [], 0

    @property
    def span(self) -> Span | None:
        """Sums over the blocks and what was rejected; None where there is neither."""
        spans = [span for _, span in self._blocks] + [letter.span for letter in self._dead]
        total = None
        for span in spans:
            total = total + span if total else span
        return total

    def drop_through(self, position: Position) -> None:
        """Forget every record up to and including `position`: another link holds them."""
        self._close_block()
        dead = [letter for letter in self._dead if letter.record.position > position]
        blocks, self._blocks, self._dead, self.size, self.records = self._blocks, [], [], 0, 0
        for block, span in blocks:
            if span.first > position:
                self._blocks.append((block, span))
                self.size += len(block.data) + _BLOCK_OVERHEAD
                self.records += block.count
            elif span.last > position:
                self._keep_after(position, block)
        for letter in dead:
            self.reject(letter.record, letter.rejected)

    def release(self, body: bytes) -> None:
        """Let go of the blocks' bytes, which the sealed file's body holds, too: from now on they are views of it."""
        view, blocks = memoryview(body), []
        end = len(body) - sum(framed_size(block.count, len(block.data)) for block, _ in self._blocks)
        for block, span in self._blocks:
            end += framed_size(block.count, len(block.data))
            data = view[end - SYNC_BYTES - len(block.data) : end - SYNC_BYTES]
            blocks.append((Block(block.count, data), span))
        self._blocks = blocks

    def extend(self, other: OpenFile) -> None:
        """Take over what another file holds, which follows what this one holds. No block keeps a body alive then."""
        self._close_block()
        self._blocks = [(Block(block.count, bytes(block.data)), span) for block, span in self._blocks] + other._blocks
        self._open, self._open_bytes = other._open, other._open_bytes
        self._dead += other._dead
        self.size += other.size
        self.records += other.records

    def _keep_after(self, position: Position, block: Block) -> None:
        from articles.avro import decode_articles  # takes a while to load, and most children never need it

        for record in decode_articles(decompress(self.codec, block.data), block.count):
            at = Position.of(record["sequence_number"], record["sub_sequence_number"])
            if at > position:
                self._add(_Encoded(encode_article(record), at, record["arrival_timestamp"], record["word_count"]))
        self._close_block()

    def seal(
        self, layout: Layout, shard: ShardName, before: State, next_page: str, worker: str, enrichment: str
    ) -> SealedFile:
        """The file as the link that follows `before`. The same blocks, cut and worker give the same bytes.

        The file stays as it is: should another writer's link stand under that key, the rest is sealed again.
        """
        self._close_block()
        key = layout.link_key(shard, before)
        blocks = [block for block, _ in self._blocks]
        dead_letters = self._seal_dead_letters(layout, key)
        span = self.span
        link = Link(
            shard=shard,
            before=before,
            after=State(span.last if span else before.position, next_page),
            first=span.first if span else None,
            last=span.last if span else None,
            first_arrival=span.first_arrival if span else None,
            last_arrival=span.last_arrival if span else None,
            totals=span.totals if span else Totals(),
            worker=worker,
            digest=digest(blocks),
            dead_letter_key=dead_letters[0] if dead_letters else "",
            dead_letter_digest=dead_letters[1] if dead_letters else "",
            schema=schema.VERSION,
            enrichment=enrichment,
            software=__version__,
            blocks=tuple((block.count, len(block.data)) for block in blocks),
        )
        body = assemble(key, schema.ARTICLE, self.codec, link.to_metadata(), blocks)
        return SealedFile(key, body, link, (dead_letters[0], dead_letters[2]) if dead_letters else None)

    def _seal_dead_letters(self, layout: Layout, link_key: str) -> tuple[str, str, bytes] | None:
        """Key, digest and bytes of the file of what was rejected."""
        if not self._dead:
            return None
        shard = layout.parse_link(link_key)
        assert shard is not None  # noqa: S101 - the key was made a moment ago
        blocks = []
        for letter in self._dead:
            at, key = letter.record.position, letter.record.partition_key
            encoded = encode_dead_letter(
                {
                    "reason": letter.rejected.reason,
                    "detail": letter.rejected.detail,
                    "payload": letter.record.data,
                    "partition_key": key.encode("utf-8", "replace").decode() if key else key,
                    "shard_id": shard.shard.shard,
                    "sequence_number": at.sequence,
                    "sub_sequence_number": at.sub,
                    "arrival_timestamp": letter.record.arrival,
                }
            )
            blocks.append(Block(1, compress(self.codec, encoded)))
        checksum = digest(blocks)
        key = layout.dead_letter_key(link_key, checksum)
        return key, checksum, assemble(key, schema.DEAD_LETTER, self.codec, {}, blocks)
