"""What may be checkpointed, and what becomes of each answer of the lease table."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.chain import END, State, Summary, Totals
from articles.position import ZERO, Position
from articles.tail import StoredObject
from consumer.checkpointing import LONGEST_PAUSE, Checkpoints, LeaseGone
from consumer.exits import Exit, Leave
from consumer.logs import Log
from consumer.settings import CHECKPOINT_SECONDS
from tests.consumer.kit import NOW, PAGE, Lease
from tests.fakes import FakeClock, MemoryStore


def link(number: int | str, page: str = PAGE) -> StoredObject:
    return StoredObject("key", 1, Summary(State(Position.of(str(number)), page), Totals(), "w", "", ""))


class Case:
    def __init__(self, lease: Position = ZERO) -> None:
        self.clock = FakeClock(NOW)
        self.log = io.StringIO()
        self.checkpoints = Checkpoints(lease, self.clock, Log("INFO", self.log))
        self.lease = Lease(MemoryStore())

    def commit(self, delivered: int) -> None:
        self.checkpoints.commit(Position.of(str(delivered)), self.lease)


@given(lease=st.integers(0, 9), stored=st.lists(st.integers(0, 9), max_size=3).map(sorted), delivered=st.integers(0, 9))
def test_a_checkpoint_is_the_chains_end_delivered_and_past_the_leases(
    lease: int, stored: list[int], delivered: int
) -> None:
    case = Case(Position.of(str(lease)))
    for number in stored:
        case.checkpoints.offer(link(number))
    case.commit(delivered)
    case.commit(delivered)
    reached = max((number for number in stored if number <= delivered), default=0)
    wanted = [f"{reached}:0"] if lease < reached else []
    assert case.lease.written == wanted


def test_an_empty_chain_offers_nothing() -> None:
    case = Case()
    case.checkpoints.offer(None)
    case.commit(9)
    assert case.lease.written == []


@pytest.mark.parametrize("answer", ["ThrottlingException", "KinesisClientLibDependencyException", "RuntimeException"])
def test_what_failed_for_now_is_tried_again_at_the_same_position(answer: str) -> None:
    case = Case()
    case.checkpoints.offer(link("007"))
    case.lease.answers = [answer] * 3
    case.commit(7)
    assert case.lease.written == ["007:0"]
    assert case.log.getvalue().count(answer) == 3
    assert case.clock.slept == sorted(case.clock.slept)


@pytest.mark.parametrize("answer", ["ThrottlingException", "KinesisClientLibDependencyException", "RuntimeException"])
def test_trying_again_has_an_end(answer: str) -> None:
    case = Case()
    case.checkpoints.offer(link(7))
    case.lease.answers = [answer] * 10_000
    with pytest.raises(Leave, match=answer) as left:
        case.commit(7)
    assert left.value.code is Exit.CHECKPOINT
    assert CHECKPOINT_SECONDS <= case.clock.wall() - NOW <= CHECKPOINT_SECONDS + LONGEST_PAUSE


def test_a_lease_that_is_gone_is_never_tried_again() -> None:
    case = Case()
    case.checkpoints.offer(link(7))
    case.lease.answers = ["ThrottlingException", "ShutdownException"]
    with pytest.raises(LeaseGone):
        case.commit(7)
    assert case.lease.written == case.lease.answers == []


@pytest.mark.parametrize("answer", ["InvalidStateException", "IllegalArgumentException", "SomethingNewException", ""])
def test_what_will_never_do_ends_the_child_at_once(answer: str) -> None:
    case = Case()
    case.checkpoints.offer(link(7))
    case.lease.answers = [answer or "None"]
    with pytest.raises(Leave) as left:
        case.commit(7)
    assert left.value.code is Exit.CHECKPOINT
    assert case.clock.slept == []


def test_the_end_of_a_shard_needs_the_end_link() -> None:
    case = Case()
    with pytest.raises(ValueError, match="does not end its chain"):
        case.checkpoints.end_shard(link(7), case.lease)
    case.checkpoints.end_shard(link(7, END), case.lease)
    assert case.lease.written == ["SHARD_END"]
