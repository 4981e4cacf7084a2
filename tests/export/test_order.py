"""Where a record goes follows from the record and the options."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from articles.export.order import bound, file_of, identity, key_at, parse_split, place, split_of

keys = st.binary(min_size=16, max_size=16)
files = st.integers(1, 100_000)


def test_places_and_identities_never_change() -> None:
    """Other versions, other machines and Spark must come to the same."""
    assert place(7, "shardId-000000000003", "49650000000000000001", 0).hex() == "d2c5b2d952ee1399a97063e6b82bef96"
    assert identity("ä").hex() == "cb4d3892d2cb5e6b1bd63f7e4247a02e"


@given(keys, keys, files)
def test_files_are_ranges_of_the_key(one: bytes, other: bytes, number: int) -> None:
    low, high = sorted((one, other))
    assert 0 <= file_of(low, number) <= file_of(high, number) < number


@given(keys, files, st.integers(1, 50))
def test_a_bucket_lies_in_one_file(key: bytes, number: int, buckets: int) -> None:
    """What spilling rests on: buckets divide files evenly."""
    assert file_of(key, number * buckets) // buckets == file_of(key, number)


@given(st.data(), st.integers(1, 10**12), files)
def test_ordinals_are_dealt_evenly_and_keep_their_order(data: st.DataObject, records: int, number: int) -> None:
    ordinal = data.draw(st.integers(0, records - 1))
    key = key_at(ordinal, records)
    assert file_of(key, number) == ordinal * number // records
    if ordinal:
        assert key_at(ordinal - 1, records) < key


@given(st.lists(st.floats(0, 1), min_size=1, max_size=3).map(sorted), keys)
@example([0.0, 1.0], b"\xff" * 16)
@example([0.5], bytes([128]) + bytes(15))
def test_a_split_is_a_part_from_its_lower_bound_up_to_its_upper(parts: list[float], key: bytes) -> None:
    where = int.from_bytes(key, "big")
    assert split_of(key, [bound(part) for part in parts]) == sum(int(part * 2**128) <= where for part in parts)


def test_a_split_adds_up_without_rounding() -> None:
    assert parse_split("0.98/0.01/0.01") == [0.98, 0.99]
    assert parse_split("0.7/0.3") == [0.7]
    assert parse_split("0.1/0.2/0.7") == [0.1, 0.3]


@pytest.mark.parametrize("text", ["", "1", "0.5/0.4", "0.5/x", "1/0", "0.2/0.2/0.2/0.4", "-0.5/1.5", "nan/1"])
def test_what_is_no_split_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no split"):
        parse_split(text)
