"""Adoption: another writer's link stands where ours would go. What it holds is dropped, the rest is kept and sealed."""

from __future__ import annotations

import pytest

from articles.chain import State
from articles.position import Position
from tests.consumer.kit import LAYOUT, NEXT_PAGE, PAGE, SHARD, Bench, Worker, bad, record, records
from tests.fakes import BEFORE


@pytest.fixture
def bench() -> Bench:
    return Bench()


def two(bench: Bench, *numbers: int) -> tuple[Worker, Worker]:
    """Two workers with the same records buffered, nothing stored but the root."""
    one, other = bench.worker(worker="w1"), bench.worker(worker="w2")
    one.process(*records(*numbers))
    other.process(*records(*numbers))
    assert bench.effects("create") == ["create root 0:0 created"]
    return one, other


def test_who_loses_the_race_for_the_root_adopts_it_and_judges_its_record_again(bench: Bench) -> None:
    loser, winner = bench.worker(worker="w1"), bench.worker(worker="w2", file_records=2)
    winner.process(*records(1, 2))
    loser.process(*records(1, 2, 3))
    loser.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 06-15", "link 06-15/2:0 [3] -> 3:0 06-15"]
    assert loser.said("root-adopted")
    assert loser.lease.written == ["2:0", "3:0"]


def test_an_adopted_root_may_be_on_a_lower_page(bench: Bench) -> None:
    late, early = bench.worker(worker="w1"), bench.worker(worker="w2")
    early.process(record(1))
    late.process(record(2, day=1))  # de-aggregation hid record 1 from this worker
    late.shut_down()
    assert bench.links() == [
        "link 06-15/0:0 [] -> 0:0 06-16",
        "link 06-16/0:0 [2] -> 2:0 06-16",
    ]


def test_a_shorter_link_is_adopted_and_the_rest_is_kept(bench: Bench) -> None:
    worker, other = two(bench, 1, 2)
    worker.process(*records(3, 4, 5))
    other.shut_down()
    worker.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 06-15", "link 06-15/2:0 [3,4,5] -> 5:0 06-15"]
    assert (worker.live.records, other.live.records) == (3, 2)


def test_the_rest_keeps_its_age(bench: Bench) -> None:
    worker, other = two(bench, 1, 2)
    worker.process(*records(3))
    other.shut_down()
    bench.clock.turn(60)
    worker.process()  # old enough: adopts, and record 3 is as old
    assert worker.live.buffered == 1
    worker.process()
    assert bench.links()[-1] == "link 06-15/2:0 [3] -> 3:0 06-15"


def test_a_longer_link_is_adopted_and_nothing_of_it_is_stored_again(bench: Bench) -> None:
    worker, other = two(bench, 1, 2)
    other.process(*records(3, 4))
    other.shut_down()
    worker.process(record(3))
    worker.shut_down()
    assert worker.lease.written == []  # the chain is at 4, which was not delivered here yet
    worker.process(*records(4, 5))
    worker.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1,2,3,4] -> 4:0 06-15", "link 06-15/4:0 [5] -> 5:0 06-15"]
    assert worker.lease.written == ["4:0", "5:0"]


def test_the_checkpoint_follows_once_the_adopted_position_has_been_delivered(bench: Bench) -> None:
    worker, other = two(bench, 1, 2)
    other.process(*records(3, 4))
    other.shut_down()
    worker.shut_down()
    worker.process(*records(3, 4))
    assert worker.lease.written == ["4:0"]


def test_the_chain_is_followed_to_its_end_after_an_adoption(bench: Bench) -> None:
    worker, other = two(bench, 1, 2)
    other.shut_down()
    for number in (3, 4):
        other.process(record(number))
        other.shut_down()
    worker.process(*records(3, 4, 5))
    worker.shut_down()
    assert [link.split()[1] for link in bench.links()] == ["06-15/0:0", "06-15/2:0", "06-15/3:0", "06-15/4:0"]
    assert bench.held() == ["1", "2", "3", "4", "5"]


def test_a_link_that_ends_inside_a_block_is_adopted(bench: Bench) -> None:
    other, worker = two(bench, 1, 2, 3)
    worker.process(*(record(number, f"text of {number}") for number in range(4, 40)))
    other.shut_down()
    worker.shut_down()
    assert bench.links()[0] == "link 06-15/0:0 [1,2,3] -> 3:0 06-15"
    key = bench.store.keys(LAYOUT.data)[1]
    assert [row["content"] for row in bench.rows(key)] == [f"text of {number}" for number in range(4, 40)]
    assert bench.link(key).totals.words == 3 * 36


def test_a_link_that_ends_inside_an_aggregate_is_adopted(bench: Bench) -> None:
    one, other = bench.worker(worker="w1"), bench.worker(worker="w2", file_records=2)
    parts = [record(7, sub=sub) for sub in range(5)]
    one.process(parts[0])
    other.process(*parts[:2])
    one.process(*parts[1:])
    one.shut_down()
    assert bench.links() == ["link 06-15/0:0 [7,7.1] -> 7:1 06-15", "link 06-15/7:1 [7.2,7.3,7.4] -> 7:4 06-15"]
    assert one.lease.written == ["7:4"]


def test_rejected_records_are_kept_and_dropped_as_good_ones_are(bench: Bench) -> None:
    one, other = bench.worker(worker="w1"), bench.worker(worker="w2")
    for worker in (one, other):
        worker.process(bad(1), record(2))
    one.process(bad(3), record(4), bad(5))
    other.shut_down()
    one.shut_down()
    dead = [row["sequence_number"] for key in bench.store.keys(LAYOUT.data) for row in dead_letters(bench, key)]
    assert dead == ["1", "3", "5"]
    assert bench.held() == ["2", "4"]


def dead_letters(bench: Bench, link_key: str) -> list[dict[str, object]]:
    key = bench.link(link_key).dead_letter_key
    return bench.rows(key) if key else []


def test_a_record_that_only_the_other_worker_saw_moves_the_chain(bench: Bench) -> None:
    """The trim horizon moves, and de-aggregation drops: the key must not depend on what is delivered first."""
    one, other = bench.worker(worker="w1"), bench.worker(worker="w2")
    one.process(*records(1, 2))
    other.process(*records(2, 3))
    one.shut_down()
    other.shut_down()
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 06-15", "link 06-15/2:0 [3] -> 3:0 06-15"]


def test_a_link_of_another_codec_and_cut_is_adopted(bench: Bench) -> None:
    worker, other = bench.worker(worker="w1", codec="zstandard"), bench.worker(worker="w2", codec="null")
    worker.process(*records(1, 2, 3))
    other.process(*records(1))
    other.shut_down()
    worker.shut_down()
    assert bench.held() == ["1", "2", "3"]


def test_the_end_of_the_chain_is_adopted(bench: Bench) -> None:
    worker, other = two(bench, 1, 2)
    other.end()
    worker.end()
    assert bench.links() == ["link 06-15/0:0 [1,2] -> 2:0 END"]
    assert worker.lease.written == ["SHARD_END"]
    assert worker.live.ended


def test_records_beyond_an_end_that_was_adopted_park_the_shard(bench: Bench) -> None:
    worker, other = two(bench, 1, 2)
    worker.process(record(3))
    other.end()
    worker.end()
    assert "1 records lie beyond the end of the chain at 2:0" in worker.parked
    assert worker.lease.written == []


def test_a_copy_that_lost_its_metadata_is_read_by_its_header(bench: Bench) -> None:
    one, other = two(bench, 1, 2)
    other.shut_down()
    for stored in bench.store.objects.values():
        stored.attributes.clear()
    one.process(record(3))
    one.shut_down()
    late = bench.worker(worker="w3")
    late.process(*records(1, 2, 3, 4))
    late.shut_down()
    assert bench.held() == ["1", "2", "3", "4"]
    assert late.lease.written == ["3:0", "4:0"]


@pytest.mark.parametrize("damage", [b"", b"not a container", b"Obj\x01", b"Obj\x01\x02\x00\x00\x00" + bytes(64)])
def test_an_object_that_is_no_link_parks_the_shard(bench: Bench, damage: bytes) -> None:
    worker, other = two(bench, 1, 2)
    other.shut_down()
    (key,) = bench.store.keys(LAYOUT.data)
    bench.store.objects[key].attributes.clear()
    bench.store.objects[key].body = damage
    worker.shut_down()
    assert key in worker.parked
    assert worker.lease.written == []
    assert bench.worker(worker="w3").parked


@pytest.mark.parametrize(
    "after", ["1:0:2025-06-15", "2:0:2025-06-15", "2:0:2025-06-14", "1:0:END"], ids=lambda after: after
)
def test_a_link_that_does_not_lead_forward_parks_the_shard(bench: Bench, after: str) -> None:
    worker, other = two(bench, 1, 2)
    other.shut_down()
    for one in (worker, other):
        one.process(record(3))
    other.shut_down()
    key = LAYOUT.link_key(SHARD, State(Position.of("2"), PAGE))
    bench.store.objects[key].attributes["after"] = after
    worker.shut_down()  # adopts the first link and follows the chain
    assert "which is not forward" in worker.parked
    assert worker.lease.written == []


@pytest.mark.parametrize("after", ["1:0:2025-06-15", "2:0:2025-06-14", "1:0:END"], ids=lambda after: after)
def test_a_last_link_that_does_not_lead_forward_parks_the_shard_at_its_start(bench: Bench, after: str) -> None:
    """Going on from where it leads would store the same range twice."""
    worker = bench.worker()
    for number in (2, 3):
        worker.process(record(number))
        worker.shut_down()
    key = LAYOUT.link_key(SHARD, State(Position.of("2"), PAGE))
    bench.store.objects[key].attributes["after"] = after
    late = bench.worker(worker="w2")
    late.process(record(4))
    late.shut_down()
    assert "which is not forward" in late.parked
    assert len(bench.links()) == 2


def test_an_adopted_link_that_is_gone_a_moment_later_is_not_trusted(bench: Bench) -> None:
    worker, other = two(bench, 1, 2)
    other.shut_down()
    (key,) = bench.store.keys(LAYOUT.data)
    bench.store.objects[key].attributes.clear()

    def gone(when: str, operation: str, _key: str) -> None:
        if (when, operation) == (BEFORE, "read"):
            bench.store.objects.pop(key, None)

    bench.store.hook = gone
    worker.shut_down()
    assert "links are never deleted" in worker.parked


def test_the_tail_is_found_over_pages_and_strangers(bench: Bench) -> None:
    worker = bench.worker()
    worker.process(record(1), record(2, day=1), record(3, day=2))
    worker.shut_down()
    for stranger in ("dt=2025-06-17/_SUCCESS", "dt=zzz/x.avro", f"dt={NEXT_PAGE}/s-My-Stream-1-2.avro", "plain"):
        bench.store.objects[f"{LAYOUT.data}/{stranger}"] = bench.store.objects[bench.store.keys(LAYOUT.roots)[0]]
    again = bench.worker("3")
    again.process(record(4, day=2))
    again.shut_down()
    assert again.parked == ""
    assert again.lease.written == ["4:0"]


def test_a_listing_that_is_behind_is_made_good_by_walking_forward(bench: Bench) -> None:
    worker = bench.worker(file_records=1)
    worker.process(*records(1, 2, 3))
    bench.store.list_lag = 2
    again = bench.worker("3")
    assert again.parked == ""
    again.process(record(4))
    again.shut_down()
    assert bench.held() == ["1", "2", "3", "4"]


def test_a_lost_root_listing_is_no_second_chain(bench: Bench) -> None:
    bench.worker(file_records=1).process(*records(1, 2))
    bench.store.list_lag = 3
    again = bench.worker(worker="w2")
    bench.store.list_lag = 0
    again.process(*records(1, 2, 3))
    again.shut_down()
    assert len(bench.store.keys(LAYOUT.roots)) == 1
    assert bench.held() == ["1", "2", "3"]
