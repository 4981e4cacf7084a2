"""Every kind of damage is named, with its place; a whole bucket is found whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from articles import container, schema
from articles.chain import END, State, Totals
from articles.errors import UserError
from articles.keys import Layout
from articles.position import Position
from articles.retry import RetryingStore
from articles.scan import Selection
from articles.verify import Checks, verify
from articles.verify_link import Examiner
from articles.verify_report import ERROR, SHOWN, Finding, Report
from tests.articles.builder import PAGE, Article, Chain, articles, name
from tests.fakes import FakeClock, MemoryStore, Stored

SHALLOW = Checks()
DEEP = Checks(deep=True)


@dataclass(slots=True)
class Bucket:
    """Two shards: the first with three links over two pages and dead letters, the second one ended."""

    memory: MemoryStore = field(default_factory=MemoryStore)
    first: Chain = field(init=False)
    second: Chain = field(init=False)

    def __post_init__(self) -> None:
        self.first, self.second = Chain(self.memory), Chain(self.memory, shard=name(1), codec="zstandard")
        for chain in (self.first, self.second):
            chain.root()
        self.first.link([Article(1), Article(2, None), Article(3, "a b"), Article(3, "c", sub=1)])
        self.first.link([Article(7), Article(9, "x y z z")], page="2025-06-17")
        self.first.link([Article(11), Article(12), Article(15, None)])
        self.second.link(articles(range(20, 27)))
        self.second.end()

    def check(self, checks: Checks = SHALLOW, selection: Selection | None = None) -> Report:
        return verify(RetryingStore(self.memory, FakeClock()), Layout("articles"), selection, checks)

    def body(self, key: str) -> bytes:
        return self.memory.objects[key].body

    def alter(self, key: str, at: int) -> None:
        body = bytearray(self.body(key))
        body[at] ^= 0x01
        self.memory.objects[key].body = bytes(body)

    def put(self, chain: Chain, records: list[Article], **changed: object) -> str:
        """A next link whose header says something else."""
        made = chain.seal(records, None, **changed)
        self.memory.objects[made.key] = Stored(made.body, made.link.summary.to_attributes())
        return made.key


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def errors(report: Report) -> set[str]:
    return {finding.code for finding in report.findings if finding.severity == ERROR}


def one(report: Report, code: str) -> Finding:
    (finding,) = [finding for finding in report.findings if finding.code == code]
    return finding


@pytest.mark.parametrize("checks", [SHALLOW, DEEP])
def test_a_whole_bucket_holds(bucket: Bucket, checks: Checks) -> None:
    report = bucket.check(checks)
    assert report.findings == ()
    assert report.ok
    assert (report.shards, report.objects, report.totals.good, report.totals.rejected) == (2, 5, 14, 2)
    assert report.totals.words == 3 + 2 + 1 + 3 + 4 + 6 + 21
    assert json.loads(json.dumps(report.to_json()))["ok"] is True


def test_without_deep_only_headers_are_read(bucket: Bucket) -> None:
    bucket.memory.log.clear()
    bucket.check()
    links = [effect for effect in bucket.memory.effects("read") if "/data/" in effect]
    assert len(links) == 5


def test_an_empty_prefix_is_told_so() -> None:
    with pytest.raises(UserError, match="no chain has begun"):
        verify(RetryingStore(MemoryStore(), FakeClock()), Layout("articles"))


def test_a_deleted_link_is_a_break(bucket: Bucket) -> None:
    gone = bucket.first.keys[1]
    del bucket.memory.objects[gone]
    report = bucket.check()
    assert errors(report) == {"break"}
    finding = one(report, "break")
    assert gone in finding.message
    assert finding.key == bucket.first.keys[2]
    assert finding.shard.endswith(name(0).shard)
    assert Position.parse(finding.position) == Position.of("9")


def test_a_deleted_last_link_cannot_be_seen_from_the_bucket(bucket: Bucket) -> None:
    """The leases and the ledger see it."""
    del bucket.memory.objects[bucket.first.keys[2]]
    assert bucket.check().ok


def test_a_second_line_is_a_fork(bucket: Bucket) -> None:
    fork = Chain(bucket.memory, state=State(Position.of("2"), PAGE))
    fork.link(articles([3, 4]))
    report = bucket.check()
    assert errors(report) == {"fork"}
    assert one(report, "fork").key == fork.keys[0]


@pytest.mark.parametrize("checks", [SHALLOW, DEEP])
def test_strangers_are_named(bucket: Bucket, checks: Checks) -> None:
    for stranger in ("articles/data/dt=2025-06-16/part-0.avro", "articles/data/notes.txt"):
        bucket.memory.create(stranger, b"x", {})
    report = bucket.check(checks)
    assert errors(report) == {"stranger"}
    assert report.counts == {"stranger": 2}


def test_what_readers_pass_over_is_only_a_warning(bucket: Bucket) -> None:
    for stranger in ("articles/data/dt=2025-06-16/_SUCCESS", "articles/data/.hidden", "articles/data/dt=2025-06-18/"):
        bucket.memory.create(stranger, b"" if stranger.endswith("/") else b"x", {})
    report = bucket.check()
    assert report.ok
    assert report.counts == {"stranger": 3}


def test_a_link_without_a_root_is_named(bucket: Bucket) -> None:
    rootless = Chain(bucket.memory, shard=name(5))
    rootless.link(articles([1]))
    assert errors(bucket.check()) == {"rootless"}


def test_roots_are_looked_at(bucket: Bucket) -> None:
    chain = Chain(bucket.memory, shard=name(6))
    bucket.memory.objects[chain.root()].body = b"{}"
    bucket.memory.create("articles/chain/notes", b"", {})
    report = bucket.check()
    assert errors(report) == {"root_unreadable"}
    assert report.counts["root_stranger"] == 1


def test_a_root_that_says_another_start_is_seen(bucket: Bucket) -> None:
    chain = Chain(bucket.memory, shard=name(6), state=State(Position.of("5"), PAGE))
    key = chain.root()
    body = json.loads(bucket.body(key)) | {"start": "4:0"}
    bucket.memory.objects[key].body = json.dumps(body).encode()
    assert errors(bucket.check()) == {"root_unreadable"}


def test_a_later_start_is_a_warning(bucket: Bucket) -> None:
    Chain(bucket.memory, shard=name(6)).root(mode="AT_TIMESTAMP 2025-06-16T00:00:00Z")
    report = bucket.check()
    assert report.ok
    assert "AT_TIMESTAMP" in one(report, "root_mode").message


def test_a_chain_started_again_is_acknowledged(bucket: Bucket) -> None:
    again = Chain(bucket.memory, state=State(Position.of("40"), "2025-06-17"))
    again.root(mode="POSITION")
    again.link(articles([41, 42]))
    report = bucket.check(DEEP)
    assert report.ok
    assert "15:0" in one(report, "restarted").message
    assert report.totals.good == 16


def test_an_earlier_chain_that_goes_on_past_the_later_start_overlaps(bucket: Bucket) -> None:
    Chain(bucket.memory, state=State(Position.of("10"), "2025-06-17")).root(mode="POSITION")
    assert "overlap" in errors(bucket.check())


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
        {"schema": 2},
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


def test_a_selection_checks_its_chains_alone(bucket: Bucket) -> None:
    other = Chain(bucket.memory, shard=name(0, "Other"))
    other.root()
    keys = [other.link([Article(number, None)]) for number in (1, 2, 3)]
    del bucket.memory.objects[keys[1]]
    assert not bucket.check().ok
    report = bucket.check(selection=Selection(stream="MyStream"))
    assert report.ok
    assert (report.objects, report.leftovers) == (5, 0)


def test_a_report_of_a_lost_bucket_still_fits(bucket: Bucket) -> None:
    for number in range(SHOWN + 20):
        bucket.memory.create(f"articles/data/{number}.avro", b"x", {})
    report = bucket.check()
    assert len(report.findings) == SHOWN
    assert report.counts == {"stranger": SHOWN + 20}
    assert report.errors == SHOWN + 20


def test_a_link_beyond_the_end_is_seen(bucket: Bucket) -> None:
    assert bucket.second.state.page == END
    beyond = Chain(bucket.memory, shard=name(1), state=State(Position.of("30"), "2025-06-17"))
    beyond.link(articles([31]))
    assert errors(bucket.check()) == {"fork"}
