"""A link is created beside the callbacks while the next file fills, and there is never more than one of them."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from articles.errors import StoreUnavailable
from consumer.background import InThread
from consumer.shard import SHUTDOWN_SECONDS
from tests.consumer.kit import Bench, Worker, bad, record, records
from tests.fakes import T, WhenAsked

LAGGING = 1000


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(autouse=True)
def begun() -> Iterator[list[WhenAsked[object]]]:
    WhenAsked.begun.clear()
    yield WhenAsked.begun
    WhenAsked.begun.clear()


def slow(bench: Bench, file_records: int = 2, **changed: Any) -> Worker:
    return bench.worker(background=WhenAsked, file_records=file_records, **changed)


def test_the_next_file_fills_while_a_link_is_created(bench: Bench, begun: list[WhenAsked[object]]) -> None:
    worker = slow(bench)
    worker.process(*records(1, 2, 3), behind=LAGGING)
    assert (bench.links(), worker.lease.written, worker.live.buffered) == ([], [], 3)
    begun[0].finish()
    worker.process(behind=LAGGING)
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 06-15"]
    assert (worker.lease.written, worker.live.buffered) == (["2:0"], 1)


def test_the_next_link_waits_for_the_one_before(bench: Bench, begun: list[WhenAsked[object]]) -> None:
    worker = slow(bench)
    worker.process(*records(1, 2, 3, 4), behind=LAGGING)
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 06-15"]
    assert len(begun) == 2
    assert worker.lease.written == ["2:0"]


def test_with_nothing_more_to_read_a_call_waits_for_its_link(bench: Bench) -> None:
    worker = slow(bench)
    worker.process(*records(1, 2), behind=0)
    assert worker.lease.written == ["2:0"]


def test_a_shorter_link_in_the_way_leaves_its_rest_in_front_of_what_came_since(
    bench: Bench, begun: list[WhenAsked[object]]
) -> None:
    other = bench.worker(worker="w2")
    worker = slow(bench, file_records=3)
    other.process(*records(1))
    worker.process(*records(1), bad(2), *records(3, 4), bad(5), behind=LAGGING)
    other.shut_down()
    begun[0].finish()
    worker.process(behind=LAGGING)
    assert worker.live.buffered == 4
    worker.shut_down()
    assert bench.links()[1:] == ["link 06-15/1:0 [3,4] -> 5:0 06-15"]
    assert bench.link(bench.store.keys("p/data")[-1]).totals.rejected == 2


def test_a_longer_link_in_the_way_takes_from_what_came_since(bench: Bench, begun: list[WhenAsked[object]]) -> None:
    other = bench.worker(worker="w2")
    worker = slow(bench)
    other.process(*records(1, 2, 3))
    worker.process(*records(1, 2, 3, 4)[:3], behind=LAGGING)
    other.shut_down()
    begun[0].finish()
    worker.process(*records(4), behind=LAGGING)
    worker.shut_down()
    assert bench.held() == ["1", "2", "3", "4"]


def test_a_rest_too_large_for_one_file_is_a_link_of_its_own(bench: Bench, begun: list[WhenAsked[object]]) -> None:
    other = bench.worker(worker="w2", file_bytes=1)
    worker = slow(bench, file_records=1000, file_bytes=600, codec="null")
    worker.process(*records(*range(1, 20)), behind=LAGGING)
    assert len(begun) == 1
    other.process(*records(1))
    begun[0].finish()
    worker.process(behind=LAGGING)
    assert len(begun) == 2  # the rest went on its way at once
    worker.shut_down()
    assert bench.held() == [str(number) for number in range(1, 20)]


def test_a_rest_is_not_copied_out_of_the_body_it_is_in(bench: Bench, begun: list[WhenAsked[object]]) -> None:
    """Beside it and the file filled since there is one body more, while the rest is sealed again."""
    size = 4 << 20
    other = bench.worker(worker="w2", file_bytes=1)
    worker = slow(bench, file_records=1_000_000, file_bytes=size, codec="null")
    numbers = range(1, 32)
    worker.process(*(record(number, "x" * (size // 16)) for number in numbers), behind=LAGGING)
    assert len(begun) == 1
    other.process(record(1))
    begun.pop().finish()
    tracemalloc.start()
    worker.process(behind=LAGGING)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(begun) == 1
    assert peak < 1.2 * size
    worker.shut_down()
    assert bench.held() == [str(number) for number in numbers]


def test_an_end_in_the_way_parks_the_shard(bench: Bench, begun: list[WhenAsked[object]]) -> None:
    other = bench.worker(worker="w2")
    worker = slow(bench)
    other.process(*records(1))
    worker.process(*records(1, 2), behind=LAGGING)
    other.end()
    begun[0].finish()
    worker.process(behind=LAGGING)
    assert "beyond the end" in worker.parked
    assert worker.lease.written == []


def test_what_creating_a_link_raised_is_raised_in_a_callback(bench: Bench, begun: list[WhenAsked[object]]) -> None:
    worker = slow(bench, deadline_seconds=1.0)
    worker.process(*records(1, 2), behind=LAGGING)
    bench.store.fail("create", times=1000)
    begun[0].finish()
    with pytest.raises(StoreUnavailable):
        worker.process(behind=LAGGING)
    assert worker.lease.written == []


class Hanging(WhenAsked[T]):
    """Not done within any number of seconds."""

    def result(self, seconds: float | None = None) -> T:
        assert seconds is not None
        assert seconds <= SHUTDOWN_SECONDS
        raise StoreUnavailable("the store has not answered yet")


def test_shutting_down_does_not_wait_for_a_link_that_hangs(bench: Bench) -> None:
    worker = bench.worker(background=Hanging, file_records=2)
    worker.process(*records(1, 2, 3), behind=LAGGING)
    worker.shut_down()
    assert worker.said("shutdown-gave-up")
    assert (bench.links(), worker.lease.written) == ([], [])


def test_a_lost_lease_forgets_what_is_being_created(bench: Bench, begun: list[WhenAsked[object]]) -> None:
    worker = slow(bench)
    worker.process(*records(1, 2, 3), behind=LAGGING)
    worker.shard.lease_lost()
    begun[0].finish()  # the zombie's late put
    worker.process(*records(4), behind=LAGGING)
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 06-15"]
    assert (worker.lease.written, worker.live.buffered) == ([], 0)


def test_a_thread_answers_with_what_its_work_returned_or_raised() -> None:
    gate = threading.Event()

    def refuse() -> None:
        raise StoreUnavailable("refused")

    held = InThread(gate.wait)
    assert not held.done()
    with pytest.raises(StoreUnavailable, match="not answered"):
        held.result(0.01)
    gate.set()
    assert held.result() is True
    assert held.done()
    with pytest.raises(StoreUnavailable, match="refused"):
        InThread(refuse).result()


def test_a_page_that_an_adopted_link_has_turned_is_not_turned_back(
    bench: Bench, begun: list[WhenAsked[object]]
) -> None:
    other = bench.worker(worker="w2", file_records=2)
    worker = slow(bench)
    worker.process(*records(1, 2), behind=LAGGING)
    other.process(*records(1, 2), record(3, day=1))
    worker.process(record(4), behind=LAGGING)
    worker.shut_down()
    assert "parked" not in {line["event"] for line in worker.events}
    pages = [bench.link(key).after.page for key in bench.store.keys("p/data")]
    assert pages == sorted(pages)
