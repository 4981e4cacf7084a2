"""Bad input takes nobody along: each kind between good neighbours, through the real consumer, into the bucket."""

from __future__ import annotations

import json

import pytest

from tests.consumer.kit import SHARD, Bench, bad, record, records
from tests.consumer.payloads import BAD

kinds = pytest.mark.parametrize("data, reason", BAD.values(), ids=BAD)


def letters(bench: Bench) -> list[dict[str, object]]:
    """Those that a link names; there are no others in a bucket with one writer."""
    named = [bench.link(key).dead_letter_key for key in bench.store.keys("p/data")]
    assert [key for key in named if key] == list(bench.store.keys("p/dead-letter"))
    return [row for key in named if key for row in bench.rows(key)]


@kinds
def test_a_bad_record_is_set_aside_and_its_neighbours_are_stored(data: bytes, reason: str) -> None:
    bench = Bench()
    worker = bench.worker(file_bytes=64 << 20)
    worker.process(record(1, "one"), bad(2, data), record(3, "one two"))
    worker.shut_down()

    (letter,) = letters(bench)
    arrival = letter.pop("arrival_timestamp")
    detail = letter.pop("detail")
    assert letter == {
        "reason": reason,
        "payload": data,
        "partition_key": "key",
        "shard_id": SHARD.shard,
        "sequence_number": "2",
        "sub_sequence_number": 0,
    }
    assert (arrival, bool(detail)) != (None, False)
    (key,) = bench.store.keys("p/data")
    assert [(row["sequence_number"], row["word_count"]) for row in bench.rows(key)] == [("1", 1), ("3", 2)]
    totals = bench.link(key).totals
    assert (totals.good, totals.rejected, totals.words) == (2, 1, 3)
    assert worker.lease.written == ["3:0"]
    assert not worker.parked


@kinds
def test_a_bad_record_all_alone_is_checkpointed_like_any_other(data: bytes, reason: str) -> None:
    """As the first of its chain, and without a good one in its file: else it would be read again for ever."""
    bench = Bench()
    worker = bench.worker()
    worker.process(bad(1, data))
    worker.shut_down()
    assert [(letter["reason"], letter["payload"]) for letter in letters(bench)] == [(reason, data)]
    assert worker.lease.written == ["1:0"]
    again = bench.worker(start="1")
    again.process(bad(1, data), record(2))
    again.shut_down()
    assert [letter["sequence_number"] for letter in letters(bench)] == ["1"]
    assert bench.held() == ["2"]


@kinds
def test_a_bad_record_inside_an_aggregate_is_set_aside_alone(data: bytes, reason: str) -> None:
    """It shares its sequence number with its neighbours."""
    bench = Bench()
    worker = bench.worker(file_bytes=64 << 20)
    worker.process(record(5, sub=0), record(5, sub=1, data=data), record(5, sub=2))
    worker.shut_down()
    (letter,) = letters(bench)
    assert (letter["sequence_number"], letter["sub_sequence_number"]) == ("5", 1)
    assert (letter["reason"], letter["payload"]) == (reason, data)
    (key,) = bench.store.keys("p/data")
    assert [row["sub_sequence_number"] for row in bench.rows(key)] == [0, 2]


def test_all_kinds_together_in_the_order_of_the_stream() -> None:
    bench = Bench()
    worker = bench.worker(file_records=7)
    batch = []
    for number, (data, _) in enumerate(BAD.values()):
        batch += [bad(2 * number + 1, data), record(2 * number + 2)]
    worker.process(*batch)
    worker.shut_down()
    found = letters(bench)
    assert [(letter["payload"], letter["reason"]) for letter in found] == list(BAD.values())
    assert [letter["sequence_number"] for letter in found] == [str(2 * n + 1) for n in range(len(BAD))]
    assert bench.held() == [str(2 * n + 2) for n in range(len(BAD))]


def test_a_replay_of_bad_records_after_a_crash_repeats_none() -> None:
    """The first worker dies after its put, before its checkpoint: the second one reads all of it again."""
    bench = Bench()
    batch = [bad(n, data) if n % 2 else record(n) for n, (data, _) in enumerate(BAD.values(), 1)]
    first = bench.worker(file_records=10)
    first.process(*batch[:25])
    second = bench.worker()
    second.process(*batch)
    second.shut_down()
    assert [letter["sequence_number"] for letter in letters(bench)] == [str(n) for n in range(1, len(BAD) + 1, 2)]
    assert bench.held() == [str(n) for n in range(2, len(BAD) + 1, 2)]


@pytest.mark.parametrize("partition_key", [None, "", "k" * 256, '\0\n"', "é\U0001f600", "\ud800"])
def test_no_partition_key_keeps_a_dead_letter_from_being_written(partition_key: str | None) -> None:
    """Half a surrogate pair in one: no UTF-8 holds it, so it is replaced."""
    bench = Bench()
    worker = bench.worker()
    lone = bad(1, b"x")
    worker.process(type(lone)(lone.position, lone.arrival, lone.data, partition_key), *records(2))
    worker.shut_down()
    (letter,) = letters(bench)
    assert letter["partition_key"] == (partition_key and partition_key.replace("\ud800", "?"))
    assert not worker.parked


def test_content_of_a_mebibyte_and_its_words_are_stored() -> None:
    bench = Bench()
    worker = bench.worker(file_bytes=64 << 20)
    content = "w " * (1 << 19)
    data = json.dumps({"article_id": "a", "content": content}).encode()
    worker.process(bad(1, b""), record(2, data=data), bad(3, b"\xff" * (1 << 20)))
    worker.shut_down()
    (key,) = bench.store.keys("p/data")
    assert [(row["content"], row["word_count"]) for row in bench.rows(key)] == [(content, 1 << 19)]
    assert [letter["payload"] for letter in letters(bench)] == [b"", b"\xff" * (1 << 20)]
