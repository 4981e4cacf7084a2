"""Positions order as the shard does, and are never changed on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.errors import ChainError
from articles.position import ZERO, Position

sequences = st.integers(0, 10**56 - 1).map(str)
subs = st.integers(0, 10**10 - 1)
positions = st.builds(Position.of, sequences, subs)


@given(positions, positions)
def test_padded_text_sorts_as_positions_do(one: Position, other: Position) -> None:
    assert (one < other) == (one.padded < other.padded)
    assert (one == other) == (one.padded == other.padded)


@given(positions)
def test_text_is_read_back(position: Position) -> None:
    assert Position.parse(str(position)) == position
    assert Position.parse(str(position)).sequence == position.sequence


@given(st.integers(0, 10**40 - 1), st.integers(0, 16))
def test_leading_zeros_do_not_count_but_are_kept(number: int, zeros: int) -> None:
    delivered = "0" * zeros + str(number)
    position = Position.of(delivered)
    assert position == Position.of(str(number))
    assert hash(position) == hash(Position.of(str(number)))
    assert position.sequence == delivered
    assert str(position) == f"{delivered}:0"


def test_numbers_are_compared_as_numbers() -> None:
    assert Position.of("9") < Position.of("10")
    assert Position.of("9", 3) < Position.of("10", 0)


def test_no_sub_sequence_number_is_the_first() -> None:
    assert Position.of("7", None) == Position.of("7", 0)


def test_zero_comes_before_every_record() -> None:
    assert Position.of("1") > ZERO
    assert len(ZERO.padded) == 56 + 1 + 10


@pytest.mark.parametrize(
    "sequence", ["", " 1", "1 ", "-1", "+1", "1.0", "0x1", "١٢", "²", "1\n", "1_0", "TRIM_HORIZON"]
)
def test_what_is_not_decimal_digits_is_refused(sequence: str) -> None:
    with pytest.raises(ChainError, match="not decimal digits"):
        Position.of(sequence)


def test_what_a_key_cannot_hold_is_refused() -> None:
    assert Position.of("9" * 56, 10**10 - 1).padded == "9" * 56 + "-" + "9" * 10
    for sequence, sub in (("1" + "0" * 56, 0), ("1" * 100_000, 0), ("1", 10**10), ("1", -1)):
        with pytest.raises(ChainError, match="does not fit"):
            Position.of(sequence, sub)


@pytest.mark.parametrize("text", ["", "1", ":", "1:", ":1", "1:a", "a:1", "1:-1", "1:1:1", "1:٣", "1:" + "1" * 11])
def test_text_that_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ChainError):
        Position.parse(text)
