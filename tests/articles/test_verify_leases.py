"""No lease may be past its chain, no child before its parents."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from articles.aws import Lease, Shard, StreamIdentity
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.verify import Checks, verify
from articles.verify_leases import Facts
from articles.verify_report import Report
from tests.articles.builder import CREATED, STREAM, Chain, articles, name
from tests.fakes import FakeClock, MemoryStore

ARN = f"arn:aws:kinesis:us-east-1:000000000000:stream/{STREAM}"


def lease(shard: int, checkpoint: str, sub: int = 0) -> Lease:
    return Lease(name(shard).shard, checkpoint, sub, "worker", 1, (), 0)


def shard(number: int, *parents: int) -> Shard:
    return Shard(name(number).shard, tuple(name(one).shard for one in parents), "0", None, "0", "1")


def held(
    memory: MemoryStore, shards: Sequence[Shard], leases: Sequence[Lease] | None, arn: str = ARN, hours: int = 24
) -> Report:
    facts = Facts(StreamIdentity(arn, STREAM, CREATED, hours, "ACTIVE"), shards, leases, "articles")
    return verify(RetryingStore(memory, FakeClock()), Layout("articles"), None, Checks(facts=facts))


@pytest.fixture
def chain(memory: MemoryStore) -> Chain:
    made = Chain(memory)
    made.root()
    made.link(articles([5, 9]))
    return made


@pytest.mark.parametrize("checkpoint", ["TRIM_HORIZON", "AT_TIMESTAMP", "0", "4", "5", "9", "0009"])
def test_a_lease_up_to_the_chains_end_holds(memory: MemoryStore, chain: Chain, checkpoint: str) -> None:
    assert held(memory, [shard(0)], [lease(0, checkpoint)]).findings == ()


@pytest.mark.parametrize("checkpoint, sub", [("9", 1), ("10", 0), ("SHARD_END", 0)])
def test_a_lease_past_its_chain_is_an_error(memory: MemoryStore, chain: Chain, checkpoint: str, sub: int) -> None:
    report = held(memory, [shard(0)], [lease(0, checkpoint, sub)])
    assert not report.ok
    assert report.counts == {"lease_past_chain": 1}
    assert name(0).shard in report.findings[0].shard


def test_the_end_of_a_shard_holds_when_the_chain_ended(memory: MemoryStore, chain: Chain) -> None:
    chain.end()
    assert held(memory, [shard(0)], [lease(0, "SHARD_END")]).findings == ()


def test_a_checkpoint_without_a_chain_is_an_error(memory: MemoryStore, chain: Chain) -> None:
    report = held(memory, [shard(0), shard(1)], [lease(0, "9"), lease(1, "7")])
    assert report.counts == {"lease_past_chain": 1, "shard_without_chain": 1}


def test_a_shard_of_which_nothing_was_stored_is_a_warning(memory: MemoryStore, chain: Chain) -> None:
    report = held(memory, [shard(0), shard(1)], [lease(0, "9"), lease(1, "TRIM_HORIZON")])
    assert report.ok
    assert report.counts == {"shard_without_chain": 1}


def test_a_child_before_its_parents_end_is_an_error(memory: MemoryStore, chain: Chain) -> None:
    child = Chain(memory, shard=name(1))
    child.root()
    assert held(memory, [shard(0), shard(1, 0)], []).ok, "a root alone holds nothing"
    child.link(articles([20]))
    assert held(memory, [shard(0), shard(1, 0)], []).counts == {"child_before_parent": 1}
    chain.end()
    assert held(memory, [shard(0), shard(1, 0)], []).findings == ()


def test_chains_of_a_stream_that_was_made_again_do_not_answer_for_it(memory: MemoryStore) -> None:
    old = Chain(memory, shard=name(0, created=CREATED - 100))
    old.root()
    old.link(articles([99]))
    report = held(memory, [shard(0)], [lease(0, "50")])
    assert report.counts == {"lease_past_chain": 1, "shard_without_chain": 1}


def test_a_root_of_another_accounts_stream_is_an_error(memory: MemoryStore, chain: Chain) -> None:
    report = held(memory, [shard(0)], [], arn=ARN.replace("000000000000", "111111111111"))
    assert report.counts == {"other_stream": 1}


def test_a_missing_lease_table_is_named(memory: MemoryStore, chain: Chain) -> None:
    report = held(memory, [shard(0)], None)
    assert report.counts == {"no_lease_table": 1}
    assert report.ok, "a lost table loses no record"
    assert not any(name.startswith("4:") for name in report.checked), "nothing was held against it"


def test_nothing_stored_yet_is_told_shard_by_shard(memory: MemoryStore) -> None:
    assert held(memory, [shard(0), shard(1)], []).counts == {"shard_without_chain": 2}
