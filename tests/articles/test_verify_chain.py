"""What is wrong between objects is named, with its place: breaks, forks, strangers, roots."""

from __future__ import annotations

import json

import pytest

from articles.chain import END, OPERATOR, State
from articles.errors import UserError
from articles.keys import Layout
from articles.position import Position
from articles.retry import RetryingStore
from articles.scan import Selection
from articles.verify import Checks, verify
from articles.verify_report import SHOWN
from tests.articles.bucket import DEEP, SHALLOW, Bucket, errors, one
from tests.articles.builder import PAGE, Article, Chain, articles, name
from tests.fakes import FakeClock, MemoryStore


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


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
    body = json.loads(bucket.body(key)) | {"page": "END"}
    bucket.memory.objects[key].body = json.dumps(body).encode()
    assert errors(bucket.check()) == {"root_unreadable"}


def test_a_later_start_is_a_warning(bucket: Bucket) -> None:
    Chain(bucket.memory, shard=name(6)).root(mode="AT_TIMESTAMP 2025-06-16T00:00:00Z")
    report = bucket.check()
    assert report.ok
    assert "AT_TIMESTAMP" in one(report, "root_mode").message


def test_a_chain_let_go_on_further_up_is_acknowledged(bucket: Bucket) -> None:
    chain = Chain(bucket.memory, shard=name(7))
    chain.root()
    chain.link(articles([1, 2]))
    chain.link(after=State(Position.of("40"), PAGE), worker=OPERATOR)
    chain.link(articles([41, 42]))
    report = bucket.check(DEEP)
    assert report.ok
    found = one(report, "jump")
    assert found.position == "2:0"
    assert "40:0" in found.message


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
