"""What is wrong inside an object is named: header, metadata, every byte, every record, dead letters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from articles import container, schema
from articles.chain import Link, State, Totals
from articles.keys import Layout
from articles.position import Position
from articles.retry import RetryingStore
from articles.verify import Checks
from articles.verify_link import Examiner
from tests.articles.bucket import DEEP, Bucket, errors, one
from tests.articles.builder import Article, Chain, articles, name
from tests.fakes import FakeClock, Stored


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def test_lost_metadata_is_fine(bucket: Bucket) -> None:
    for key in bucket.memory.keys("articles/data"):
        bucket.memory.objects[key].attributes.clear()
    report = bucket.check(DEEP)
    assert report.ok
    assert report.counts == {"metadata_lost": 5}


@pytest.mark.parametrize("entry", ["after", "records", "good", "rejected", "words", "worker", "digest", "enrichment"])
def test_altered_metadata_is_seen(bucket: Bucket, entry: str) -> None:
    attributes = bucket.memory.objects[bucket.first.keys[0]].attributes
    attributes[entry] = "99:0:2025-06-16" if entry == "after" else "99"
    report = bucket.check()
    assert errors(report) == {"metadata"}
    assert entry in one(report, "metadata").message


def test_every_altered_byte_is_seen() -> None:
    """The whole file, byte by byte: header, blocks, sync markers. Deep, nothing may pass."""
    bucket = Bucket()
    key = bucket.first.keys[0]
    good = bucket.body(key)
    examine = Examiner(RetryingStore(bucket.memory, FakeClock()), Layout("articles"), deep=True)
    passed = []
    for at in range(len(good)):
        bucket.alter(key, at)
        found = examine(key)
        assert found is not None
        if not found.problem and not found.findings:
            passed.append(at)
        bucket.memory.objects[key].body = good
    # The version of the software is all that nothing else tells.
    entry = good.index(b"articles.software") + len(b"articles.software")
    assert set(passed) <= set(range(entry + 1, entry + 1 + len("1.0.0")))


@pytest.mark.parametrize("chain", ["first", "second"])
def test_a_block_that_was_altered_is_seen_only_when_read(bucket: Bucket, chain: str) -> None:
    key = getattr(bucket, chain).keys[0]
    at = container.read_header(bucket.body(key)).size + 10
    bucket.alter(key, at)
    assert bucket.check().ok
    assert "digest" in errors(bucket.check(DEEP))


def test_a_file_that_was_cut_is_seen_without_reading_it(bucket: Bucket) -> None:
    key = bucket.second.keys[0]
    bucket.memory.objects[key].body = bucket.body(key)[:-20]
    assert errors(bucket.check()) == {"size"}
    bucket.memory.objects[key].body = bucket.body(key)[:50]
    assert errors(bucket.check()) >= {"unreadable"}


def test_an_object_under_another_key_is_seen(bucket: Bucket) -> None:
    """A link's bytes copied over another: right by themselves, in the wrong place."""
    key = bucket.first.keys[2]
    bucket.memory.objects[key] = bucket.memory.objects[bucket.first.keys[0]]
    assert not bucket.check().ok
    moved = Chain(bucket.memory, shard=name(8))
    moved.root()
    taken = moved.link(articles([1]))
    bucket.memory.objects[taken] = bucket.memory.objects[bucket.first.keys[0]]
    assert "header" in errors(bucket.check())


@pytest.mark.parametrize(
    "changed",
    [
        {"first": Position.of("15")},
        {"first": Position.of("17")},
        {"first": None},
        {"last": Position.of("16")},
        {"last": None},
        {"first_arrival": 5, "last_arrival": 4},
        {"blocks": ((9, 10),)},
        {"schema": 0},
    ],
)
def test_a_header_that_contradicts_itself_is_seen(bucket: Bucket, changed: dict[str, object]) -> None:
    bucket.put(bucket.first, [Article(16), Article(17)], **changed)
    assert "range" in errors(bucket.check())


def test_an_empty_link_that_moves_the_position_is_seen(bucket: Bucket) -> None:
    bucket.put(bucket.first, [], after=State(Position.of("16"), "2025-06-17"))
    assert errors(bucket.check()) == {"range"}


def test_a_link_that_leads_back_is_seen(bucket: Bucket) -> None:
    bucket.put(bucket.first, [Article(16)], after=State(Position.of("16"), "2025-06-16"))
    assert errors(bucket.check()) == {"unreadable"}


@pytest.mark.parametrize(
    "records, changed, code",
    [
        ([Article(16), Article(16)], {}, "order"),
        ([Article(17), Article(16), Article(18)], {}, "order"),
        ([Article(14), Article(18)], {}, "order"),
        ([Article(16), Article(19)], {"after": State(Position.of("18"), "2025-06-17")}, "order"),
        ([Article(16, None), Article(16, None), Article(17)], {}, "order"),
        ([Article(16), Article(16, None), Article(17)], {}, "repeated"),
        ([Article(16, "a b", word_count=3)], {}, "word_count"),
    ],
)
def test_records_that_are_not_as_they_must_be_are_named(
    bucket: Bucket, records: list[Article], changed: dict[str, object], code: str
) -> None:
    bucket.put(bucket.first, records, **changed)
    report = bucket.check(DEEP)
    assert code in errors(report)
    assert next(finding.position for finding in report.findings if finding.code == code)


def test_counts_and_words_are_counted_again(bucket: Bucket) -> None:
    bucket.put(bucket.first, articles([16, 17]), totals=Totals(2, 0, 7))
    assert bucket.check().ok
    assert errors(bucket.check(DEEP)) == {"totals"}


def test_a_sync_marker_of_another_key_is_seen(bucket: Bucket) -> None:
    made = bucket.first.seal(articles([16]))
    blocks = list(container.read_blocks(made.body, container.read_header(made.body)))
    body = container.assemble("another", schema.ARTICLE, "deflate", made.link.to_metadata(), blocks)
    bucket.memory.objects[made.key] = Stored(body, made.link.summary.to_attributes())
    assert errors(bucket.check(DEEP)) == {"sync_marker"}


def dead_letters(bucket: Bucket) -> str:
    return bucket.memory.keys("articles/dead-letter")[0]


def test_missing_dead_letters_are_seen(bucket: Bucket) -> None:
    key = dead_letters(bucket)
    del bucket.memory.objects[key]
    report = bucket.check()
    assert errors(report) == {"dead_letter_missing"}
    assert one(report, "dead_letter_missing").key == key


def test_dead_letters_that_the_lifecycle_has_deleted_are_no_error(bucket: Bucket) -> None:
    key = dead_letters(bucket)
    headers = [(one, container.read_header(bucket.body(one)).metadata) for one in bucket.memory.keys("articles/data")]
    (arrived,) = [
        (link.last_arrival or 0) / 1000
        for link in (Link.from_metadata(one, metadata) for one, metadata in headers)
        if link.dead_letter_key == key
    ]
    del bucket.memory.objects[key]
    assert errors(bucket.check(Checks(dead_letters_kept_since=arrived))) == {"dead_letter_missing"}
    report = bucket.check(Checks(deep=True, dead_letters_kept_since=arrived + 1))
    assert report.ok
    assert one(report, "dead_letter_missing").severity == "warning"


def altered(bucket: Bucket) -> None:
    key = dead_letters(bucket)
    bucket.alter(key, container.read_header(bucket.body(key)).size + 5)


def exchanged(bucket: Bucket) -> None:
    one_, other = bucket.memory.keys("articles/dead-letter")
    bucket.memory.objects[one_] = bucket.memory.objects[other]


def doubled(bucket: Bucket) -> None:
    key = dead_letters(bucket)
    header = container.read_header(bucket.body(key))
    bucket.memory.objects[key].body += bucket.body(key)[header.size :]


@pytest.mark.parametrize(
    "damage, code",
    [
        (altered, "dead_letter_digest"),
        (exchanged, "dead_letter_digest"),
        (doubled, "dead_letter_count"),
    ],
)
def test_altered_dead_letters_are_seen(bucket: Bucket, damage: Callable[[Bucket], None], code: str) -> None:
    damage(bucket)
    assert code in errors(bucket.check())


@pytest.mark.parametrize(
    "changed", [{"dead_letter_key": ""}, {"dead_letter_key": "articles/elsewhere"}, {"dead_letter_digest": "0" * 64}]
)
def test_a_header_that_names_other_dead_letters_is_seen(bucket: Bucket, changed: dict[str, object]) -> None:
    bucket.put(bucket.first, [Article(16, None)], **changed)
    assert errors(bucket.check()) & {"dead_letter", "dead_letter_missing", "dead_letter_digest"}


def test_leftover_dead_letters_are_only_counted(bucket: Bucket) -> None:
    """A worker that lost the race for a key had written its own first."""
    bucket.first.seal([Article(16, None)])
    report = bucket.check(DEEP)
    assert report.ok
    assert report.leftovers == 1
