"""Where records may have expired before they were read."""

from __future__ import annotations

import pytest

from articles.chain import Root
from articles.verify_loss import Watch
from articles.verify_report import WARNING
from tests.articles.builder import MORNING, PAGE, Article, Chain, name
from tests.fakes import MemoryStore

HOUR = 3_600
DAY = 24 * HOUR
START = MORNING // 1000


class Told:
    """Links in turn: arrival of their records and when they were stored, in hours after the root was written."""

    def __init__(self) -> None:
        self.chain = Chain(MemoryStore())
        root = Root(name(0), PAGE, "TRIM_HORIZON", "arn", None, MORNING, "1.0.0")
        self.watch = Watch(root, DAY)
        self.number = 0

    def link(self, arrived: float | None, stored: float | None) -> bool:
        """Whether a possible loss is told."""
        self.number += 1
        arrival = None if arrived is None else int((START + arrived * HOUR) * 1000)
        made = self.chain.seal([Article(self.number, arrival=arrival)])
        return self._look(made.key, made.link, stored)

    def turn(self, page: str, stored: float | None) -> bool:
        made = self.chain.seal([], page)
        return self._look(made.key, made.link, stored)

    def _look(self, key: str, link: object, stored: float | None) -> bool:
        self.chain.state = link.after  # type: ignore[attr-defined]
        found = list(self.watch.look(key, link, 0 if stored is None else START + stored * HOUR))  # type: ignore[arg-type]
        assert all(one.severity == WARNING and one.key == key for one in found)
        return bool(found)


@pytest.fixture
def told() -> Told:
    return Told()


def test_a_consumer_that_keeps_up_loses_nothing(told: Told) -> None:
    assert not any(told.link(hour, hour + 0.1) for hour in range(1, 100))


def test_a_consumer_a_little_late_loses_nothing(told: Told) -> None:
    assert not told.link(1, 1.1)
    assert not told.link(1.2, 24.9), "the record before it had not expired when this one was read"


def test_a_consumer_that_came_back_too_late_may_have_lost_some(told: Told) -> None:
    """The next record it sees is less than the retention after the last one, and still some may be gone between."""
    assert not told.link(1, 1.1)
    assert told.link(24.5, 48)


def test_a_root_long_before_the_first_link_counts_too(told: Told) -> None:
    assert told.link(30, 49)


def test_once_told_it_goes_on_from_there(told: Told) -> None:
    assert told.link(100, 101)
    assert not told.link(102, 103)


def test_an_idle_shard_that_turned_its_pages_lost_nothing(told: Told) -> None:
    assert not told.link(1, 1.1)
    assert not told.turn("2025-06-17", 24.6)
    assert not told.turn("2025-06-18", 48.6)
    assert not told.link(60, 60.1)


def test_an_idle_shard_that_did_not_may_have(told: Told) -> None:
    assert not told.link(1, 1.1)
    assert told.link(60, 60.1)


def test_a_page_turned_too_late_may_have_lost_some(told: Told) -> None:
    assert not told.link(1, 1.1)
    assert told.turn("2025-06-18", 49)
    assert not told.link(50, 50.1)


def test_a_copy_of_the_bucket_is_not_taken_for_a_late_reader(told: Told) -> None:
    """All objects were stored a month later: arrivals are all there is to go by."""
    month = 24 * 30
    assert not told.link(1, month)
    assert not told.link(20, month)
    assert not told.turn("2025-06-17", month)
    assert not told.link(26, month)
    assert told.link(80, month)


def test_a_store_that_does_not_say_when(told: Told) -> None:
    assert not told.link(1, None)
    assert not told.link(20, None)
    assert told.link(46, None)


def test_unknown_arrivals_tell_nothing(told: Told) -> None:
    assert not told.link(None, 500)
    assert not told.link(1, 1.1)
