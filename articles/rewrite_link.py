"""One link, and the dead letters that it names, written into another prefix without what must be forgotten.

Blocks are taken as they are, but for those that hold something to be erased: these are written without it, from the
bytes of their other records. Whatever else the header says stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, Final

from articles import container
from articles.avro import pieces
from articles.budget import Budget
from articles.catalog.examine import ID_BYTES, Columns, scan
from articles.chain import Erasure, Link, Totals
from articles.container import Block, Header
from articles.errors import ChainError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.rewrite_letters import Wanted
from articles.rewrite_manifest import Changed, Unclear
from articles.scan import LinkObject
from articles.verify_deep import schema_altered
from articles.verify_link import claims
from articles.walk import OnLine

MEMORY: Final = 256 << 20
"""Bytes of files that are in memory at a time, read and written; a larger pair is alone."""


@dataclass(frozen=True, slots=True)
class Place:
    store: RetryingStore
    layout: Layout


@dataclass(frozen=True, slots=True)
class Copied:
    """A link as it is in the new prefix, by its key below that. `before` is what it held in the old one."""

    key: str
    link: Link
    before: Totals
    unclear: Sequence[Unclear]
    changed: Changed | None


class Rewriter:
    """Called with the steps of a walk, from many threads. Raises ChainError for a file that is damaged, and where the
    new prefix holds another one."""

    def __init__(self, source: Place, target: Place, wanted: Wanted) -> None:
        self._source, self._target, self._wanted = source, target, wanted
        self._memory = Budget(MEMORY)

    def __call__(self, step: OnLine[LinkObject]) -> Copied:
        with self._memory.hold(2 * step.answer.info.size):
            try:
                return self._copy(step)
            except (ChainError, OverflowError) as error:
                raise ChainError(
                    f"{step.key}: {error}; nothing of it was written. Run `articles verify --deep`"
                ) from error

    def _copy(self, step: OnLine[LinkObject]) -> Copied:
        header, blocks = _open(self._source.store, step.key)
        link = self._checked(step, header, blocks)
        inside = self._source.layout.inside(step.key)
        key = self._target.layout.whole(inside)
        kept, good = self._articles(header, link, blocks)
        letters = self._dead_letters(step.key, key, link)
        erased = good + Totals(rejected=letters.erased)
        made = replace(
            link,
            totals=link.totals - erased,
            digest=container.digest(kept),
            blocks=tuple((block.count, len(block.data)) for block in kept),
            dead_letter_key=letters.key,
            dead_letter_digest=letters.digest,
        )
        erasure = None
        if erased.records:
            erasure = Erasure(link.digest, link.dead_letter_digest, link.totals, erased)
            made = replace(made, erasures=(*link.erasures, erasure))
        if letters.body:
            self._target.store.create(letters.key, letters.body, {})  # its key holds its digest
        made = self._create(key, made, container.join(key, _entries(header, link, made), kept))
        changed = Changed(inside, made.digest, made.dead_letter_digest, made.totals, erasure) if erasure else None
        return Copied(inside, made, link.totals, letters.unclear, changed)

    def _checked(self, step: OnLine[LinkObject], header: Header, blocks: Sequence[Block]) -> Link:
        info, link = step.answer.info, Link.from_metadata(step.key, header.metadata)
        wrong = [finding.message for finding in claims(self._source.layout, info, header, link)]
        if step.answer.summary != link.summary:
            wrong.append("the object metadata contradicts the header")
        if schema_altered(link, header):
            wrong.append("its Avro schema is not the one of its version")
        if container.digest(blocks) != link.digest:
            wrong.append("its blocks are not those whose digest its header holds")
        if tuple((block.count, len(block.data)) for block in blocks) != link.blocks:
            wrong.append("the block index in its header is not what it holds")
        if wrong:
            raise ChainError("; ".join(wrong))
        return link

    def _articles(self, header: Header, link: Link, blocks: Sequence[Block]) -> tuple[list[Block], Totals]:
        """The blocks without what is erased, and how much that is."""
        kept: list[Block] = []
        found = erased = Totals()
        schema = header.metadata.get("avro.schema", b"")
        for block in blocks:
            plain, rows = container.decompress(header.codec, block.data), Columns()
            scan(plain, block.count, rows, link.schema, schema)
            ids = (bytes(rows.ids[at : at + ID_BYTES]) for at in range(0, len(rows.ids), ID_BYTES))
            gone = {number for number, one in enumerate(ids) if one in self._wanted.erased}
            found += Totals(block.count, 0, sum(rows.words))
            erased += Totals(len(gone), 0, sum(rows.words[number] for number in gone))
            records = [] if not gone else [data for _, data in _decoded(plain, block.count, schema)]
            kept += _without(header.codec, block, records, gone)
        if (found.good, found.words) != (link.totals.good, link.totals.words):
            said = f"{link.totals.good} with {link.totals.words}"
            raise ChainError(f"it holds {found.good} records with {found.words} words, its header says {said}")
        return kept, erased

    def _dead_letters(self, source_key: str, target_key: str, link: Link) -> _Letters:
        named, layout = link.dead_letter_key, self._target.layout
        if not named:
            return _Letters()
        if named != self._source.layout.dead_letter_key(source_key, link.dead_letter_digest):
            raise ChainError("its header names dead letters of another link")
        if self._source.store.head(named) is None:  # as a lifecycle may have it
            return _Letters(layout.dead_letter_key(target_key, link.dead_letter_digest), link.dead_letter_digest)
        header, blocks = _open(self._source.store, named)
        if container.digest(blocks) != link.dead_letter_digest:
            raise ChainError(f"{named} does not hold the records that the header names")
        kept: list[Block] = []
        unclear: list[Unclear] = []
        erased = 0
        for block in blocks:
            plain = container.decompress(header.codec, block.data)
            records = list(_decoded(plain, block.count, header.metadata.get("avro.schema", b"")))
            answers = [self._wanted.keeps(record["payload"]) for record, _ in records]
            unclear += (
                Unclear(named, f"{record['sequence_number']}:{record['sub_sequence_number']}")
                for (record, _), answer in zip(records, answers, strict=True)
                if answer is None
            )
            gone = {number for number, answer in enumerate(answers) if answer is False}
            erased += len(gone)
            kept += _without(header.codec, block, [data for _, data in records], gone)
        if sum(block.count for block in blocks) != link.totals.rejected:
            raise ChainError(f"{named} holds another number of records than the header's {link.totals.rejected}")
        if not kept:
            return _Letters(erased=erased)
        digest = container.digest(kept)
        key = layout.dead_letter_key(target_key, digest)
        return _Letters(key, digest, container.join(key, header.metadata, kept), erased, unclear)

    def _create(self, key: str, link: Link, body: bytes) -> Link:
        """The link that is there then: ours, or the one that an earlier run made."""
        store = self._target.store
        there = store.create(key, body, link.summary.to_attributes())
        if there is None or store.read(key) == body:
            return link
        header, blocks = _open(store, key)
        found = Link.from_metadata(key, header.metadata)
        # Compressors may make other bytes of the same records, on another machine or at another time.
        if link.erasures and _meaning(found) == _meaning(link) and container.digest(blocks) == found.digest:
            return found
        raise ChainError(f"{key} is there already, and is not what comes of it: somebody else writes to the new prefix")


@dataclass(frozen=True, slots=True)
class _Letters:
    """Without a key none are left; without a body they are named, and gone already."""

    key: str = ""
    digest: str = ""
    body: bytes = b""
    erased: int = 0
    unclear: Sequence[Unclear] = ()


def _open(store: RetryingStore, key: str) -> tuple[Header, list[Block]]:
    data = store.read(key)
    if data is None:
        raise ChainError(f"{key} was there and is gone; links are never deleted")
    header = container.read_header(data)
    return header, list(container.read_blocks(data, header))


def _decoded(plain: bytes, count: int, schema: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    try:
        yield from pieces(plain, count, schema)
    except ChainError:
        raise
    except Exception as error:  # changed bytes raise anything inside the Avro library
        raise ChainError(f"a block cannot be decoded: {error!r}") from error


def _without(codec: str, block: Block, records: Sequence[bytes], gone: Set[int]) -> list[Block]:
    if not gone:
        return [block]
    left = [data for number, data in enumerate(records) if number not in gone]
    return [Block(len(left), container.compress(codec, b"".join(left)))] if left else []


def _entries(header: Header, link: Link, made: Link) -> dict[str, bytes]:
    """The header's entries, with those of the link that differ now."""
    before = link.to_metadata()
    return {
        **header.metadata,
        **{name: value for name, value in made.to_metadata().items() if value != before.get(name)},
    }


def _meaning(link: Link) -> Link:
    return replace(link, digest="", blocks=(), dead_letter_key="", dead_letter_digest="")
