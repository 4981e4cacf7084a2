"""Shard end, shutdown, and a lease that is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from articles.errors import StoreRefused
from consumer.exits import Exit, Leave
from consumer.shard import SHUTDOWN_SECONDS
from tests.consumer.kit import NOW, Bench, bad, record, records


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_the_end_link_holds_the_rest_and_only_then_the_shard_is_ended(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1), bad(2))
    bench.store.log.clear()
    worker.end()
    assert bench.effects("create", "checkpoint") == [
        "create dead-letter 06-15/0:0 created",
        "create link 06-15/0:0 created",
        "checkpoint SHARD_END",
    ]
    assert bench.links() == ["link 06-15/0:0 [1] -> 2:0 END"]
    assert worker.live.ended


def test_an_empty_shard_ends_with_a_root_and_an_empty_link(bench: Bench) -> None:
    worker = bench.worker()
    worker.end()
    assert bench.effects("create", "checkpoint") == [
        "create root 0:0 created",
        "create link 06-15/0:0 created",
        "checkpoint SHARD_END",
    ]
    assert bench.links() == ["link 06-15/0:0 [] -> 0:0 END"]


def test_a_shard_whose_records_are_all_stored_ends_with_an_empty_link(bench: Bench) -> None:
    worker = bench.worker(file_records=2)
    worker.process(*records(1, 2))
    worker.end()
    assert bench.links()[1:] == ["link 06-15/2:0 [] -> 2:0 END"]


def test_at_shard_end_a_shorter_link_is_adopted_and_the_rest_is_sealed(bench: Bench) -> None:
    worker, other = bench.worker(worker="w1"), bench.worker(worker="w2")
    worker.process(*records(1, 2, 3))
    other.process(*records(1))
    other.shut_down()
    worker.end()
    assert bench.links() == ["link 06-15/0:0 [1] -> 1:0 06-15", "link 06-15/1:0 [2,3] -> 3:0 END"]
    assert bench.effects("checkpoint") == ["checkpoint 1:0", "checkpoint SHARD_END"]


def test_at_shutdown_a_shorter_link_is_adopted_and_the_rest_is_sealed(bench: Bench) -> None:
    worker, other = bench.worker(worker="w1"), bench.worker(worker="w2")
    worker.process(*records(1, 2, 3))
    other.process(*records(1))
    other.shut_down()
    worker.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1] -> 1:0 06-15", "link 06-15/1:0 [2,3] -> 3:0 06-15"]
    assert worker.lease.written == ["3:0"]


def test_two_ends_of_an_empty_shard_are_one(bench: Bench) -> None:
    one, other = bench.worker(worker="w1"), bench.worker(worker="w2")
    one.end()
    other.end()
    assert len(bench.links()) == 1
    assert one.lease.written == other.lease.written == ["SHARD_END"]


def test_the_lost_answer_of_an_end_link_still_ends_the_shard(bench: Bench) -> None:
    bench.store.fail("create", "*.avro", when="after", times=1)
    worker = bench.worker()
    worker.process(record(1))
    worker.end()
    assert worker.lease.written == ["SHARD_END"]
    assert (worker.live.objects, worker.live.records) == (1, 1)


def test_after_its_end_a_shard_takes_and_drops_calls(bench: Bench) -> None:
    worker = bench.worker()
    worker.end()
    bench.store.log.clear()
    worker.process()
    worker.shut_down()
    worker.end()
    assert bench.effects() == []


def test_an_end_that_is_throttled_is_asked_for_again(bench: Bench) -> None:
    worker = bench.worker()
    worker.lease.answers = ["ThrottlingException", "KinesisClientLibDependencyException"]
    worker.end()
    assert worker.lease.written == ["SHARD_END"]


def test_an_end_that_goes_on_failing_ends_the_child_instead_of_wedging_the_shard(bench: Bench) -> None:
    worker = bench.worker()
    worker.lease.answers = ["ThrottlingException"] * 1000
    with pytest.raises(Leave) as left:
        worker.end()
    assert left.value.code is Exit.CHECKPOINT
    assert not worker.live.ended


# Shutdown


def test_shutdown_stores_and_checkpoints_what_was_delivered(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(*records(1, 2, 3))
    worker.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1,2,3] -> 3:0 06-15"]
    assert worker.lease.written == ["3:0"]


def test_shutdown_with_nothing_open_writes_nothing(bench: Bench) -> None:
    worker = bench.worker()
    worker.shut_down()
    assert bench.store.keys() == []
    assert worker.lease.written == []


def test_shutdown_gives_up_in_time_and_what_it_gave_up_is_read_again(bench: Bench) -> None:
    worker = bench.worker(file_records=2)
    worker.process(*records(1, 2, 3))
    bench.store.fail("*", "*.avro", times=10**6)
    worker.shut_down()
    assert bench.clock.wall() - NOW <= SHUTDOWN_SECONDS + 1
    assert worker.lease.written == ["2:0"]
    (line,) = worker.said("shutdown-gave-up")
    assert line["buffered"] == 1


def test_shutdown_does_not_hide_a_store_that_refuses(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1))
    bench.store.fail("create", "*.avro", error=lambda: StoreRefused("access denied"))
    with pytest.raises(StoreRefused):
        worker.shut_down()
    assert worker.lease.written == []


def test_the_next_child_stores_what_a_shutdown_gave_up(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(*records(1, 2))
    bench.store.fail("create", "*.avro", when="after", times=1)  # it took effect all the same
    bench.store.fail("head", "*.avro", times=10**6)
    worker.shut_down()
    bench.store._failures.clear()
    again = bench.worker()
    again.process(*records(1, 2, 3))
    again.shut_down()
    assert bench.held() == ["1", "2", "3"]


# A lease that is lost


def test_a_lost_lease_drops_everything(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(*records(1, 2))
    worker.shard.lease_lost()
    worker.process(*records(3))
    worker.shut_down()
    assert bench.links() == []
    assert bench.effects("checkpoint") == []
    assert worker.live.buffered == 0


def test_a_checkpoint_after_the_lease_was_lost_is_never_tried_again(bench: Bench) -> None:
    worker = bench.worker(file_records=1)
    worker.lease.answers = ["ShutdownException"]
    worker.process(record(1))
    worker.process(record(2))
    worker.shut_down()
    assert bench.effects("checkpoint") == ["checkpoint 1:0 ShutdownException"]
    assert worker.said("lease-gone")
    assert worker.parked == ""


def test_a_lease_that_is_lost_again_and_again_ends_the_worker(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(4):
        bench.worker().shard.lease_lost()
        bench.clock.turn(10)
    with pytest.raises(Leave, match="WORKER_ID") as left:
        bench.worker().shard.lease_lost()
    assert left.value.code is Exit.LEASES


def test_losses_far_apart_or_after_a_request_to_shut_down_are_normal(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(10):
        bench.worker().shard.lease_lost()
        bench.clock.turn(100)
    for _ in range(10):
        worker = bench.worker()
        worker.shut_down()
        worker.shard.lease_lost()


def test_losses_are_counted_over_a_damaged_file(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    lost = tmp_path / "lost" / f"{bench.worker().config.shard.shard}.json"
    lost.parent.mkdir()
    for damage in ("", "{", "3", '["x"]', "[[]]"):
        lost.write_text(damage)
        bench.worker().shard.lease_lost()
    without = Bench()
    for _ in range(10):
        without.worker().shard.lease_lost()
