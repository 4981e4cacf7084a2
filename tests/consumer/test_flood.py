"""A flood of bad records is a handful of lines, and none is left out of the counts."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from consumer.flood import Flood


def test_the_first_of_each_kind_is_said_and_the_others_are_counted() -> None:
    flood = Flood()
    assert [flood.is_first(kind) for kind in ("json", "json", "type", "json")] == [True, False, True, False]
    assert flood.close() == {"json": 2}
    assert flood.close() == {}
    assert flood.is_first("json"), "in the next file"


@given(st.lists(st.text(max_size=2)))
def test_said_and_counted_are_all_there_were(kinds: list[str]) -> None:
    flood = Flood()
    said = Counter(kind for kind in kinds if flood.is_first(kind))
    assert set(said.values()) <= {1}
    assert said + Counter(flood.close()) == Counter(kinds)
