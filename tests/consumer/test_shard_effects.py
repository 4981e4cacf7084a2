"""What reaches the store and the lease table, and in which order."""

from __future__ import annotations

import pytest

from articles.errors import StoreUnavailable
from consumer.exits import Exit, Leave
from tests.consumer.kit import LAYOUT, NOW, Bench, bad, record, records
from tests.fakes import AFTER


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_worker_looks_before_it_writes_and_checkpoints_last(bench: Bench) -> None:
    worker = bench.worker(file_records=3)
    worker.process(record(1), bad(2), record(3))
    assert bench.effects() == [
        "read root 0:0 absent",  # start: is there a root?
        "head root 0:0 absent",
        "create root 0:0 created",
        "head dead-letter 06-15/0:0 absent",
        "create dead-letter 06-15/0:0 created",
        "head link 06-15/0:0 absent",
        "create link 06-15/0:0 created",
        "checkpoint 3:0",
    ]


def test_what_is_only_buffered_is_not_checkpointed(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(*records(1, 2, 3))
    assert bench.effects("create", "checkpoint") == ["create root 0:0 created"]
    assert worker.live.buffered == 3


def test_only_the_stored_part_of_a_batch_is_checkpointed(bench: Bench) -> None:
    worker = bench.worker(file_records=2)
    worker.process(*records(1, 2, 3))
    assert bench.effects("checkpoint") == ["checkpoint 2:0"]


def test_a_checkpoint_is_written_once(bench: Bench) -> None:
    worker = bench.worker(file_records=2)
    worker.process(*records(1, 2))
    worker.process()
    worker.process()
    assert worker.lease.written == ["2:0"]


def test_a_batch_delivered_again_is_skipped(bench: Bench) -> None:
    worker = bench.worker(file_records=2)
    worker.process(*records(1, 2, 3))
    worker.process(*records(1, 2, 3))
    worker.process(*records(4))
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 06-15", "link 06-15/2:0 [3,4] -> 4:0 06-15"]


def test_all_records_of_a_file_may_be_rejected(bench: Bench) -> None:
    worker = bench.worker(file_records=2)
    worker.process(bad(1), bad(2))
    assert bench.links() == ["link 06-15/0:0 [] -> 2:0 06-15"]
    (key,) = bench.store.keys(LAYOUT.data)
    link = bench.link(key)
    assert link.dead_letter_key in bench.store.objects
    assert [row["payload"] for row in bench.rows(link.dead_letter_key)] == [b"not an article"] * 2
    assert (link.totals.good, link.totals.rejected) == (0, 2)


def test_a_file_is_cut_by_its_compressed_bytes(bench: Bench) -> None:
    worker = bench.worker(file_bytes=64 << 10, codec="null")
    worker.process(*(record(number, "w " * 16_000) for number in range(1, 6)))
    assert bench.links() == ["link 06-15/0:0 [1,2,3] -> 3:0 06-15"]


def test_a_file_is_cut_by_the_age_of_its_first_record(bench: Bench) -> None:
    worker = bench.worker(file_seconds=60.0)
    worker.process(record(1))
    bench.clock.turn(59)
    worker.process(record(2))
    assert bench.links() == []
    bench.clock.turn(1)
    worker.process()
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 06-15"]
    worker.process(record(3))
    bench.clock.turn(59)
    worker.process()
    assert len(bench.links()) == 1


def test_an_empty_file_has_no_age(bench: Bench) -> None:
    worker = bench.worker()
    for _ in range(3):
        bench.clock.turn(100)
        worker.process(behind=5)
    assert bench.store.keys() == []


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1), (5, 6, 6)])
def test_positions_that_do_not_increase_inside_a_batch_end_the_child(bench: Bench, numbers: tuple[int, ...]) -> None:
    worker = bench.worker()
    with pytest.raises(Leave) as left:
        worker.process(*records(*numbers))
    assert left.value.code is Exit.ORDER
    assert worker.lease.written == []


def test_sub_sequence_numbers_order_the_records_of_an_aggregate(bench: Bench) -> None:
    worker = bench.worker(file_records=3)
    worker.process(record(7), record(7, sub=1), record(7, sub=2), record(8))
    assert bench.links() == ["link 06-15/0:0 [7,7.1,7.2] -> 7:2 06-15"]
    assert worker.lease.written == ["7:2"]


def test_the_checkpoint_is_the_very_string_that_was_delivered(bench: Bench) -> None:
    worker = bench.worker(file_records=1)
    worker.process(record("000000000000000000000000000000000000000000000000000000042"[-56:]))
    assert worker.lease.written == [f"{42:056d}:0"]
    again = bench.worker(start=f"{42:056d}")
    again.process(record("0043"))
    again.shut_down()
    assert again.lease.written == ["0043:0"]


def test_a_checkpoint_of_another_workers_link_is_the_string_of_its_record(bench: Bench) -> None:
    bench.worker(file_records=1).process(record("0042"))
    other = bench.worker()
    other.process(record("0042"))
    assert other.lease.written == ["0042:0"]


def test_the_zero_of_a_root_is_never_checkpointed(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1, day=-3))  # the root stands on an old page
    worker.shard.lease_lost()
    idle = bench.worker()
    for _ in range(20):
        idle.process()
    idle.shut_down()
    assert bench.links() == ["link 06-12/0:0 [] -> 0:0 06-15"]
    assert bench.effects("checkpoint") == []


def test_a_lost_answer_is_counted_once_and_as_ours(bench: Bench) -> None:
    bench.store.fail("create", "*.avro", when=AFTER)
    worker = bench.worker(file_records=2)
    worker.process(*records(1, 2))
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 06-15"]
    assert (worker.live.records, worker.live.words, worker.live.objects) == (2, 6, 1)
    assert worker.lease.written == ["2:0"]
    assert worker.said("stored")
    assert not worker.said("adopted")


def test_an_adopted_link_is_not_counted_as_ours(bench: Bench) -> None:
    other, worker = bench.worker(worker="w2", file_records=2), bench.worker(file_records=2)
    for number in (1, 2):
        other.process(record(number))
        worker.process(record(number))
    assert (worker.live.records, worker.live.words, worker.live.objects) == (0, 0, 0)
    assert (other.live.records, other.live.words, other.live.objects) == (2, 6, 1)
    assert worker.said("adopted")


def test_a_conflict_is_told_from_an_existing_object(bench: Bench) -> None:
    worker = bench.worker(file_records=1)
    bench.store.conflict("*.avro", times=2)
    worker.process(record(1))
    assert bench.effects("create") == ["create root 0:0 created", "create link 06-15/0:0 created"]
    assert worker.said("stored")


def test_a_store_that_says_exists_for_ever_is_given_up(bench: Bench) -> None:
    worker = bench.worker(file_records=1)
    bench.store.conflict("*.avro", times=1000)
    with pytest.raises(StoreUnavailable):
        worker.process(record(1))
    assert worker.lease.written == []


def test_after_the_deadline_an_absent_store_ends_the_child(bench: Bench) -> None:
    worker = bench.worker(file_records=1)
    bench.store.fail("create", "*.avro", times=10**6)
    with pytest.raises(StoreUnavailable):
        worker.process(record(1))
    assert 29.9 <= bench.clock.wall() - NOW < 45
    assert worker.lease.written == []
    assert bench.links() == []


def test_a_store_that_comes_back_in_time_loses_nothing(bench: Bench) -> None:
    worker = bench.worker(file_records=2)
    bench.store.fail("create", "*.avro", times=4)
    bench.store.fail("head", "*", times=3)
    worker.process(record(1), bad(2))
    assert bench.links() == ["link 06-15/0:0 [1] -> 2:0 06-15"]
    assert worker.lease.written == ["2:0"]


def test_a_child_that_ended_between_object_and_checkpoint_repeats_nothing(bench: Bench) -> None:
    worker = bench.worker(file_records=3)
    worker.lease.answers = ["InvalidStateException"]
    with pytest.raises(Leave):
        worker.process(*records(1, 2, 3))
    again = bench.worker(file_records=2)
    again.process(*records(1, 2, 3, 4, 5))
    assert bench.held() == ["1", "2", "3", "4", "5"]
    assert again.lease.written == ["5:0"]


@pytest.mark.parametrize("jump", [-3600, 301, 86_400])
def test_a_wall_clock_that_jumps_ends_the_child(bench: Bench, jump: float) -> None:
    worker = bench.worker(file_records=1)
    bench.clock.jump(jump)
    with pytest.raises(Leave) as left:
        worker.process(record(1))
    assert left.value.code is Exit.CLOCK
    assert bench.store.keys() == []


def test_a_wall_clock_that_is_corrected_a_little_is_fine(bench: Bench) -> None:
    worker = bench.worker(file_records=1)
    bench.clock.jump(-299)
    worker.process(record(1))
    assert worker.lease.written == ["1:0"]


def test_a_flood_of_bad_records_is_two_lines_a_reason_and_file(bench: Bench) -> None:
    worker = bench.worker(file_records=6)
    worker.process(*[bad(number) for number in range(1, 6)], bad(6, b""))
    worker.process(bad(7), bad(8))
    assert [line["position"] for line in worker.said("rejected")] == ["1:0", "6:0", "7:0"]
    assert [(line["kind"], line["records"]) for line in worker.said("more-of-a-kind")] == [("rejected: json", 4)]
