"""Turning the page: by a later arrival, or on an idle shard after midnight."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consumer.idle import AFTER_MIDNIGHT_SECONDS, CALLS, IdleTurn
from tests.consumer.kit import DAY, NEXT_PAGE, NOW, PAGE, Bench, Worker, bad, record

MIDNIGHT = NOW - NOW % DAY + DAY
"""Where NEXT_PAGE begins."""


@pytest.fixture
def bench() -> Bench:
    return Bench()


def turn_to_midnight(bench: Bench, later: float) -> None:
    bench.clock.turn(MIDNIGHT + later - bench.clock.wall())


def idle(worker: Worker, calls: int) -> None:
    for _ in range(calls):
        worker.process()


def test_the_first_record_chooses_the_first_page(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1, day=-2))
    worker.shut_down()
    assert bench.links() == ["link 06-13/0:0 [1] -> 1:0 06-13"]


def test_a_later_date_seals_what_is_open_and_turns_the_page(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1), bad(2), record(3, day=1))
    worker.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1] -> 2:0 06-16", "link 06-16/2:0 [3] -> 3:0 06-16"]


def test_a_rejected_record_turns_the_page_too(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1), bad(2, day=1))
    worker.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1] -> 1:0 06-16", "link 06-16/1:0 [] -> 2:0 06-16"]


def test_with_nothing_open_an_empty_link_turns_the_page(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1, day=-9))
    worker.shut_down()
    worker.process(record(2))
    worker.shut_down()
    assert bench.links() == [
        "link 06-06/0:0 [1] -> 1:0 06-06",
        "link 06-06/1:0 [] -> 1:0 06-15",
        "link 06-15/1:0 [2] -> 2:0 06-15",
    ]


def test_pages_turn_several_times_in_one_batch(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1, day=-2), record(2, day=-1), record(3, day=-1), record(4))
    worker.shut_down()
    assert bench.links() == [
        "link 06-13/0:0 [1] -> 1:0 06-14",
        "link 06-14/1:0 [2,3] -> 3:0 06-15",
        "link 06-15/3:0 [4] -> 4:0 06-15",
    ]


def test_the_turn_is_repeated_where_an_adopted_link_left_the_page_lower(bench: Bench) -> None:
    worker, other = bench.worker(worker="w1"), bench.worker(worker="w2")
    for one in (worker, other):
        one.process(record(1))
    other.shut_down()  # the same key, without a turn
    worker.process(record(2, day=1))
    worker.shut_down()
    assert bench.links() == [
        "link 06-15/0:0 [1] -> 1:0 06-15",
        "link 06-15/1:0 [] -> 1:0 06-16",
        "link 06-16/1:0 [2] -> 2:0 06-16",
    ]


def test_a_record_that_the_adopted_link_holds_does_not_turn_the_page(bench: Bench) -> None:
    worker, other = bench.worker(worker="w1"), bench.worker(worker="w2")
    for one in (worker, other):
        one.process(record(1))
    other.process(record(2, day=0))
    other.shut_down()
    worker.process(record(2, day=1))  # as if this worker saw another arrival
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 06-15"]
    assert worker.live.buffered == 0


def test_a_record_that_arrives_out_of_order_goes_on_the_open_page(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1), record(2, day=-3), record(3))
    worker.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1,2,3] -> 3:0 06-15"]


@pytest.mark.parametrize("arrival", [None, -1, (NOW + DAY + 60) * 1000, (NOW + 400 * DAY) * 1000])
def test_a_record_with_an_odd_arrival_goes_on_the_open_page_and_is_logged(bench: Bench, arrival: int | None) -> None:
    worker = bench.worker()
    worker.process(record(1, day=-1), replace(record(2), arrival=arrival))
    worker.shut_down()
    assert bench.links() == ["link 06-14/0:0 [1,2] -> 2:0 06-14"]
    (line,) = worker.said("odd-arrival")
    assert (line["position"], line["arrival"]) == ("2:0", arrival)


def test_a_chain_whose_first_record_has_no_arrival_begins_today(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(replace(record(1), arrival=None))
    worker.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1] -> 1:0 06-15"]


def test_an_arrival_a_little_ahead_of_this_clock_is_believed(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1), replace(record(2), arrival=(MIDNIGHT + 1) * 1000))
    worker.shut_down()
    assert bench.links()[-1] == "link 06-16/1:0 [2] -> 2:0 06-16"


# Idle turns


def test_an_idle_shard_turns_its_page_after_sixteen_calls(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1))
    worker.shut_down()
    turn_to_midnight(bench, AFTER_MIDNIGHT_SECONDS + 1)
    idle(worker, CALLS - 1)
    assert len(bench.links()) == 1
    idle(worker, 30)
    assert bench.links()[1:] == ["link 06-15/1:0 [] -> 1:0 06-16"]
    assert worker.lease.written == ["1:0"]


def test_an_idle_shard_without_a_chain_begins_one(bench: Bench) -> None:
    worker = bench.worker()
    idle(worker, CALLS - 1)
    assert bench.store.keys() == []
    idle(worker, 20)
    assert bench.effects("create") == ["create root 0:0 created"]
    worker.process(record(1))
    worker.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1] -> 1:0 06-15"]


def test_within_half_an_hour_of_midnight_nothing_turns(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1))
    worker.shut_down()
    turn_to_midnight(bench, AFTER_MIDNIGHT_SECONDS - 1)
    idle(worker, 50)
    assert len(bench.links()) == 1


def test_a_shard_with_records_open_does_not_count_as_idle(bench: Bench) -> None:
    worker = bench.worker(file_seconds=7 * DAY)
    worker.process(record(1))
    turn_to_midnight(bench, AFTER_MIDNIGHT_SECONDS + 1)
    idle(worker, 50)
    assert bench.links() == []


def test_an_adopted_turn_starts_the_count_again(bench: Bench) -> None:
    worker, other = bench.worker(worker="w1"), bench.worker(worker="w2")
    for one in (worker, other):
        one.process(record(1))
        one.shut_down()
    turn_to_midnight(bench, AFTER_MIDNIGHT_SECONDS + 1)
    other.process(record(2, day=0))
    other.shut_down()
    idle(worker, CALLS)  # adopts a link on the old page
    assert bench.links()[-1] == "link 06-15/1:0 [2] -> 2:0 06-15"
    idle(worker, CALLS - 1)
    assert len(bench.links()) == 2
    idle(worker, 1)
    assert bench.links()[-1] == "link 06-15/2:0 [] -> 2:0 06-16"


def test_switched_off_nothing_turns(bench: Bench) -> None:
    worker = bench.worker(idle_turn=False)
    turn_to_midnight(bench, DAY)
    idle(worker, 50)
    assert bench.store.keys() == []


def test_an_ended_chain_does_not_turn(bench: Bench) -> None:
    bench.worker().end()
    other = bench.worker(worker="w2")
    turn_to_midnight(bench, DAY)
    idle(other, 50)
    assert bench.links() == ["link 06-15/0:0 [] -> 0:0 END"]
    assert other.parked == ""


def due(
    turn: IdleTurn, times: int, *, is_idle: bool = True, page: str = PAGE, wall: float = MIDNIGHT + 3600
) -> list[str]:
    """What `due` says in that many calls, without the times it says nothing."""
    return [page for page in (turn.due(idle=is_idle, page=page, wall=wall) for _ in range(times)) if page]


def test_a_call_that_is_not_idle_starts_the_count_again() -> None:
    turn = IdleTurn(True)
    assert due(turn, CALLS - 1) == []
    assert due(turn, 1, is_idle=False) == []
    assert due(turn, CALLS - 1) == []
    assert due(turn, 1) == [NEXT_PAGE]


def test_a_new_target_starts_the_count_again() -> None:
    turn = IdleTurn(True)
    assert due(turn, CALLS - 1) == []
    assert due(turn, CALLS - 1, wall=MIDNIGHT + DAY + 3600) == []
    assert due(turn, 1, wall=MIDNIGHT + DAY + 3600) == ["2025-06-17"]


def test_the_target_is_never_later_than_today() -> None:
    assert due(IdleTurn(True), CALLS, page="", wall=MIDNIGHT + 60) == [PAGE]


@pytest.mark.parametrize("behind", [None, 1, 60_000])
def test_a_lag_that_is_not_zero_or_not_known_is_not_idle(bench: Bench, behind: int | None) -> None:
    worker = bench.worker()
    for _ in range(50):
        worker.process(behind=behind)
    assert bench.store.keys() == []
