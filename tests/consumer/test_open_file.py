"""Laws of the open file: what was appended is what readers get, in order, whatever was dropped before."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.chain import END, Link, State
from articles.container import BLOCK_BYTES, CODECS, decompress, read_blocks, read_header
from articles.position import ZERO, Position
from consumer.decode import Article, Rejected
from consumer.open_file import OpenFile, SealedFile
from consumer.record import Record
from tests.consumer.kit import LAYOUT, NOW, PAGE, SHARD

BEFORE = State(ZERO, PAGE)
Item = tuple[Record, Article | Rejected]


@dataclass(frozen=True)
class Given:
    """Records in the order of their positions, each with what decoding made of it."""

    codec: str
    items: Sequence[Item]

    def fill(self, after: Position = ZERO) -> OpenFile:
        file = OpenFile(self.codec)
        for record, decoded in self.items:
            if record.position <= after:
                continue
            if isinstance(decoded, Rejected):
                file.reject(record, decoded)
            else:
                file.append(record, decoded, len(decoded.content.decode().split()), SHARD.shard)
        return file


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
contents = st.builds(
    lambda word, times: (word * times).encode(), st.text("ab é新", min_size=1, max_size=8), st.integers(1, 20_000)
)
nullable = st.none() | text
articles = st.builds(Article, text, contents, nullable, nullable, nullable, nullable)
rejected = st.builds(Rejected, st.sampled_from(["json", "empty"]), st.just("detail"))
arrivals = st.none() | st.integers((NOW - 10) * 1000, (NOW + 10) * 1000)


@st.composite
def givens(draw: st.DrawFn, least: int = 0) -> Given:
    positions = draw(
        st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3)), min_size=least, max_size=25, unique=True)
    )
    items: list[Item] = []
    for number, sub in sorted(positions):
        width = draw(st.integers(0, 5))
        record = Record(
            Position.of(f"{number:0{width}d}", sub), draw(arrivals), draw(st.binary(max_size=9)), draw(st.none() | text)
        )
        items.append((record, draw(st.one_of(articles, articles, rejected))))
    return Given(draw(st.sampled_from(CODECS)), items)


def seal(file: OpenFile, worker: str = "w", page: str = END) -> SealedFile:
    return file.seal(LAYOUT, SHARD, BEFORE, page, worker, "word-count-1")


def rows(body: bytes) -> list[dict[str, Any]]:
    """As any Avro reader sees them."""
    return [row for row in fastavro.reader(io.BytesIO(body)) if isinstance(row, dict)]


def at(row: dict[str, Any]) -> tuple[str, int]:
    return row["sequence_number"], row["sub_sequence_number"]


def good(items: Sequence[Item]) -> list[tuple[Record, Article]]:
    return [(record, decoded) for record, decoded in items if isinstance(decoded, Article)]


def dead(items: Sequence[Item]) -> list[tuple[Record, Rejected]]:
    return [(record, decoded) for record, decoded in items if isinstance(decoded, Rejected)]


def check_contents(sealed: SealedFile, items: Sequence[Item]) -> None:
    """A sealed file holds exactly these items."""
    stored = rows(sealed.body)
    assert len(stored) == len(good(items))
    for row, (record, article) in zip(stored, good(items), strict=True):
        assert at(row) == (record.position.sequence, record.position.sub)
        assert (row["article_id"], row["title"], row["author"]) == (article.article_id, article.title, article.author)
        assert (row["publish_date"], row["content"].encode()) == (article.publish_date, article.content)
        assert (row["extra"], row["shard_id"]) == (article.extra, SHARD.shard)
        assert row["word_count"] == len(row["content"].split())
        arrival = row["arrival_timestamp"]
        assert (None if arrival is None else round(arrival.timestamp() * 1000)) == record.arrival
    letters = rows(sealed.dead_letters[1]) if sealed.dead_letters else []
    assert len(letters) == len(dead(items))
    for row, (record, why) in zip(letters, dead(items), strict=True):
        assert at(row) == (record.position.sequence, record.position.sub)
        assert (row["payload"], row["reason"], row["detail"]) == (record.data, why.reason, why.detail)
        assert row["partition_key"] == record.partition_key


def check_header(sealed: SealedFile, items: Sequence[Item]) -> None:
    """Everything that the header says, recomputed from the file's bytes and the items."""
    header = read_header(sealed.body)
    link = Link.from_metadata(sealed.key, header.metadata)
    assert link == sealed.link
    blocks = list(read_blocks(sealed.body, header))
    assert link.blocks == tuple((block.count, len(block.data)) for block in blocks)
    assert link.digest == digest(sealed.body)
    assert (link.totals.good, link.totals.rejected) == (len(good(items)), len(dead(items)))
    assert link.totals.words == sum(row["word_count"] for row in rows(sealed.body))
    positions = [record.position for record, _ in items]
    known = [record.arrival for record, _ in items if record.arrival is not None]
    assert (link.first, link.last) == ((positions[0], positions[-1]) if positions else (None, None))
    assert (link.first_arrival, link.last_arrival) == (min(known, default=None), max(known, default=None))
    assert link.after == State(positions[-1] if positions else ZERO, END)
    assert link.after.position.sequence == (positions[-1].sequence if positions else "0")
    if sealed.dead_letters:
        key, body = sealed.dead_letters
        assert link.dead_letter_key == key
        assert link.dead_letter_digest == digest(body)
        assert key.endswith(f"-{link.dead_letter_digest[:16]}.avro")
    else:
        assert link.dead_letter_key == link.dead_letter_digest == ""


def digest(body: bytes) -> str:
    """Over the blocks as they stand in the file, without sync markers."""
    header = read_header(body)
    rest, total = body[header.size :], hashlib.sha256()
    for part in rest.split(header.sync)[:-1]:
        total.update(part)
    return total.hexdigest()


@given(givens())
def test_what_was_appended_is_read_in_order(case: Given) -> None:
    sealed = seal(case.fill())
    check_contents(sealed, case.items)
    check_header(sealed, case.items)


@given(case=givens(), number=st.integers(0, 31), sub=st.integers(0, 4))
def test_dropping_is_as_if_only_the_later_records_had_been_appended(case: Given, number: int, sub: int) -> None:
    limit = Position.of(str(number), sub)
    later = [item for item in case.items if item[0].position > limit]
    file = case.fill()
    file.drop_through(limit)
    sealed = seal(file)
    check_contents(sealed, later)
    check_header(sealed, later)
    assert sealed.link.totals == seal(replace(case, items=later).fill()).link.totals
    assert file.records == len(later)
    assert (file.size == 0) == (not later)


@given(case=givens(), first=st.integers(0, 31), second=st.integers(0, 31))
def test_dropping_twice_is_dropping_once_through_the_later(case: Given, first: int, second: int) -> None:
    twice, once = case.fill(), case.fill()
    twice.drop_through(Position.of(str(first)))
    twice.drop_through(Position.of(str(second)))
    once.drop_through(Position.of(str(max(first, second))))
    later = [item for item in case.items if item[0].position > Position.of(str(max(first, second)))]
    for file in (twice, once):
        check_contents(seal(file), later)


@given(case=givens(least=2), data=st.data())
def test_records_may_be_appended_after_a_drop(case: Given, data: st.DataObject) -> None:
    split = data.draw(st.integers(1, len(case.items)))
    limit = data.draw(st.integers(0, 31))
    file = replace(case, items=case.items[:split]).fill()
    file.drop_through(Position.of(str(limit)))
    kept = [item for item in case.items[:split] if item[0].position > Position.of(str(limit))]
    for record, decoded in case.items[split:]:
        if isinstance(decoded, Rejected):
            file.reject(record, decoded)
        else:
            file.append(record, decoded, len(decoded.content.decode().split()), SHARD.shard)
    sealed = seal(file)
    check_contents(sealed, [*kept, *case.items[split:]])
    check_header(sealed, [*kept, *case.items[split:]])


@given(givens())
def test_the_same_records_cut_and_worker_give_the_same_bytes(case: Given) -> None:
    one, other = seal(case.fill()), seal(case.fill())
    assert one == other
    assert seal(case.fill(), worker="another").link.digest == one.link.digest


@given(givens())
def test_sealing_leaves_the_file_as_it_is(case: Given) -> None:
    file = case.fill()
    before = file.records
    assert seal(file) == seal(file)
    assert file.records == before
    check_contents(seal(file), case.items)


@given(givens(), st.data())
def test_a_file_whose_bytes_are_views_of_its_body_goes_on_like_any_other(case: Given, data: st.DataObject) -> None:
    cut, through = data.draw(st.integers(0, len(case.items))), data.draw(st.integers(0, 30))
    file, later = replace(case, items=case.items[:cut]).fill(), replace(case, items=case.items[cut:]).fill()
    file.release(seal(file).body)
    for part in (file, later):
        part.drop_through(Position.of(str(through)))
    file.extend(later)
    check_contents(seal(file), [item for item in case.items if item[0].position > Position.of(str(through))])


@given(givens())
def test_the_size_is_what_the_blocks_and_rejected_payloads_take(case: Given) -> None:
    file = case.fill()
    sealed = seal(file)  # closes the open block
    blocks = sum(size for _, size in sealed.link.blocks)
    beside = 768 * len(sealed.link.blocks)  # what a block costs in memory
    assert file.size == blocks + beside + sum(2 * len(record.data) + 512 for record, _ in dead(case.items))
    assert file.records == len(case.items)


@given(givens())
def test_blocks_are_closed_at_their_size(case: Given) -> None:
    sealed = seal(case.fill())
    header = read_header(sealed.body)
    plain = [decompress(case.codec, block.data) for block in read_blocks(sealed.body, header)]
    assert all(len(block) >= BLOCK_BYTES for block in plain[:-1])
    assert all(len(block) < BLOCK_BYTES + 8 * 20_000 * 3 + 1000 for block in plain)


@pytest.mark.parametrize("codec", CODECS)
def test_an_empty_file_is_a_container_without_records(codec: str) -> None:
    sealed = seal(OpenFile(codec), page="2025-06-16")
    assert rows(sealed.body) == []
    assert sealed.link.after == State(ZERO, "2025-06-16")
    assert sealed.link.first is None
    assert sealed.dead_letters is None


def test_an_article_that_avro_cannot_hold_leaves_the_file_as_it_was() -> None:
    case = Given("deflate", [(Record(Position.of("1"), None, b""), Article("a", b"c"))])
    file = case.fill()
    broken = Article("\ud800", b"c")
    with pytest.raises(ValueError, match="surrogates"):
        file.append(Record(Position.of("2"), None, b""), broken, 1, SHARD.shard)
    check_contents(seal(file), case.items)
    assert file.records == 1


def test_what_a_head_must_answer_fits_into_object_metadata() -> None:
    case = Given("deflate", [(Record(Position.of("9" * 56, 9_999_999_999), None, b""), Rejected("json", ""))])
    attributes = seal(case.fill(), worker="w" * 128).link.summary.to_attributes()
    assert sum(len(name) + len(value) for name, value in attributes.items()) < 2048
    assert all(value.isascii() for value in attributes.values())
