"""Where a child goes on, and what it refuses: then the shard is parked and takes no part any more."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.container import assemble
from articles.errors import ChainError, StoreUnavailable
from consumer.live import read_shards
from tests.consumer.kit import LAYOUT, SHARD, Bench, Worker, record, records


@pytest.fixture
def bench() -> Bench:
    return Bench()


def stored_through(bench: Bench, *numbers: int) -> None:
    worker = bench.worker()
    worker.process(*records(*numbers))
    worker.shut_down()


@pytest.mark.parametrize("lease", ["TRIM_HORIZON", "AT_TIMESTAMP", "1", "2", "3"])
def test_everything_up_to_the_chains_end_is_skipped_wherever_the_lease_is(bench: Bench, lease: str) -> None:
    stored_through(bench, 1, 2, 3)
    worker = bench.worker(lease)
    worker.process(*records(1, 2, 3, 4))
    worker.shut_down()
    assert bench.held() == ["1", "2", "3", "4"]
    assert worker.parked == ""


def test_a_lease_in_the_middle_of_an_aggregate_goes_on_behind_it(bench: Bench) -> None:
    first = bench.worker(file_records=2)
    first.process(*(record(7, sub=sub) for sub in range(3)))
    worker = bench.worker("7", sub=1)
    worker.process(*(record(7, sub=sub) for sub in range(2, 4)))
    worker.shut_down()
    assert bench.links()[-1] == "link 06-15/7:1 [7.2,7.3] -> 7:3 06-15"


def test_a_lease_with_leading_zeros_is_the_same_position(bench: Bench) -> None:
    stored_through(bench, 42)
    assert bench.worker("00000042").parked == ""
    assert "past the end of the chain" in bench.worker("00000043").parked


def test_a_lease_past_the_chain_is_refused_with_both_positions_and_the_way_out(bench: Bench) -> None:
    stored_through(bench, 1, 2, 3)
    parked = bench.worker("4").parked
    assert "4:0" in parked
    assert "3:0" in parked
    assert "--start-chain-here" in parked


def test_a_lease_past_an_empty_prefix_is_refused(bench: Bench) -> None:
    assert "past the end of the chain" in bench.worker("1").parked


def test_a_lease_is_compared_after_the_walk_to_the_end_of_the_chain(bench: Bench) -> None:
    first = bench.worker(file_records=1)
    first.process(*records(1, 2, 3))
    bench.store.list_lag = 2
    assert bench.worker("3").parked == ""


def test_another_start_mode_is_refused(bench: Bench) -> None:
    stored_through(bench, 1)
    parked = bench.worker("1", start_mode="AT_TIMESTAMP 2025-06-01T00:00:00Z").parked
    assert "TRIM_HORIZON" in parked
    assert "AT_TIMESTAMP 2025-06-01T00:00:00Z" in parked


def test_another_start_mode_is_refused_when_the_root_is_adopted_later(bench: Bench) -> None:
    late = bench.worker("AT_TIMESTAMP", start_mode="AT_TIMESTAMP 2025-06-01T00:00:00Z")
    stored_through(bench, 1)
    late.process(*records(1, 2))
    assert "AT_TIMESTAMP" in late.parked
    assert bench.held() == ["1"]


def test_a_root_without_links_older_than_the_retention_is_refused(bench: Bench) -> None:
    bench.worker().process(record(1))
    bench.clock.turn(24 * 3600 - 1)
    assert bench.worker().parked == ""
    bench.clock.turn(2)
    parked = bench.worker().parked
    assert "has no links" in parked
    assert "--start-chain-here" in parked


def test_a_chain_with_links_may_be_old(bench: Bench) -> None:
    stored_through(bench, 1)
    bench.clock.turn(400 * 24 * 3600)
    assert bench.worker("1").parked == ""


def test_latest_is_refused(bench: Bench) -> None:
    assert "START_AT" in bench.worker("LATEST").parked


def test_a_lease_of_another_shards_form_is_refused(bench: Bench) -> None:
    assert "not decimal digits" in bench.worker("banana").parked
    assert "does not fit a key" in bench.worker("1" * 57).parked


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"stream": "My-Stream"}', b"\xff", b"[" * 5000])
def test_a_root_that_cannot_be_read_is_refused(bench: Bench, body: bytes) -> None:
    stored_through(bench, 1)
    (key,) = bench.store.keys(LAYOUT.roots)
    bench.store.objects[key].body = body
    assert key in bench.worker("1").parked


@pytest.mark.parametrize("value", ["1e999", '"x"', "[]", "null"])
def test_a_root_with_a_value_that_makes_no_sense_is_refused(bench: Bench, value: str) -> None:
    stored_through(bench, 1)
    (key,) = bench.store.keys(LAYOUT.roots)
    said = json.loads(bench.store.objects[key].body)
    bench.store.objects[key].body = json.dumps(said).replace(str(said["written"]), value).encode()
    assert key in bench.worker("1").parked


@given(data=st.data())
def test_a_link_damaged_anywhere_in_its_header_never_ends_the_child(data: st.DataObject) -> None:
    """Parked is right, or nothing where it does no harm; ending would take every worker down that gets the lease."""
    bench = Bench()
    stored_through(bench, 1)
    (key,) = bench.store.keys(LAYOUT.data)
    stored = bench.store.objects[key]
    stored.attributes.clear()
    body = bytearray(stored.body)
    for _ in range(data.draw(st.integers(1, 3))):
        where = data.draw(st.integers(0, len(body) - 1))
        body[where : where + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    stored.body = bytes(body[: data.draw(st.integers(0, len(body)))] if data.draw(st.booleans()) else body)
    bench.worker()


@pytest.mark.parametrize(
    "field, value",
    [
        ("stream", b"/"),
        ("shard", b"x"),
        ("created", b"-1"),
        ("blocks", b"[" * 5000),
        ("after", b"x"),
        ("good", b"\xff"),
    ],
)
def test_a_link_with_an_entry_that_makes_no_sense_parks_the_shard(bench: Bench, field: str, value: bytes) -> None:
    stored_through(bench, 1)
    (key,) = bench.store.keys(LAYOUT.data)
    metadata = bench.link(key).to_metadata() | {f"articles.{field}": value}
    bench.store.objects[key].body = assemble(key, {}, "null", metadata, [])
    bench.store.objects[key].attributes.clear()
    assert key in bench.worker().parked


def test_a_root_that_speaks_of_another_shard_is_refused(bench: Bench) -> None:
    stored_through(bench, 1)
    (key,) = bench.store.keys(LAYOUT.roots)
    bench.store.objects[key].body = bench.store.objects[key].body.replace(b"My-Stream", b"Another")
    assert "another shard" in bench.worker("1").parked


def test_a_record_beyond_the_end_parks_the_shard(bench: Bench) -> None:
    stored_through(bench, 1)
    bench.worker("1").end()
    late = bench.worker("1")
    late.process(*records(1, 2))
    assert "beyond the end of the chain at 1:0" in late.parked
    assert bench.links()[-1] == "link 06-15/1:0 [] -> 1:0 END"


def test_records_up_to_the_end_are_skipped_and_the_shard_ends_again(bench: Bench) -> None:
    stored_through(bench, 1)
    bench.worker("1").end()
    again = bench.worker("1")
    again.process(*records(1))
    again.end()
    assert again.lease.written == ["SHARD_END"]


def test_a_store_that_does_not_answer_at_the_start_ends_the_child(bench: Bench) -> None:
    bench.store.fail("read", times=10**6)
    with pytest.raises(StoreUnavailable):
        bench.worker()


# What parked means


def parked_worker(bench: Bench) -> Worker:
    stored_through(bench, 1)
    worker = bench.worker("9")
    assert worker.parked
    bench.store.log.clear()
    return worker


def test_a_parked_shard_takes_and_drops_every_call(bench: Bench) -> None:
    worker = parked_worker(bench)
    worker.process(*records(2, 3))
    worker.process(*records(3, 2))  # not even an order to be kept
    bench.clock.turn(10_000)
    worker.process()
    worker.end()
    worker.shut_down()
    worker.shard.lease_lost()
    assert bench.effects() == []
    assert worker.live.buffered == 0


def test_a_parked_shard_says_so_in_its_live_file_and_its_log(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    worker = parked_worker(bench)
    (live,) = read_shards(tmp_path)
    assert live.shard == SHARD.shard
    assert live.parked == worker.parked != ""
    (line,) = worker.said("parked")
    assert (line["level"], line["reason"]) == ("ERROR", worker.parked)


def test_a_shard_that_is_parked_in_the_middle_of_a_batch_drops_what_it_holds(bench: Bench) -> None:
    stored_through(bench, 1)
    worker = bench.worker("1")
    worker.process(*records(2, 3))
    worker.shard.park("a position that no key can hold")
    bench.clock.turn(1000)
    worker.process(*records(4))
    worker.shut_down()
    assert bench.held() == ["1"]
    assert worker.lease.written == []


def test_a_sequence_number_of_57_digits_has_no_position() -> None:
    with pytest.raises(ChainError, match="56 digits"):
        record("1" * 57)
    with pytest.raises(ChainError, match="56 digits"):
        record("0" + "1" * 56)  # by its value it would fit, but not into the metadata of an object
    with pytest.raises(ChainError, match="56 digits"):
        record("1" * 10_000)
