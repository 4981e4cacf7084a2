"""The demo's producer holds the larger part back until every worker can read it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from articles.errors import UserError
from local import feed as module
from local.feed import Feed
from local.source import Outgoing, generated
from tests.local.test_producer import FakeKinesis
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPENING_SECONDS", 0.05)
    monkeypatch.setattr(module, "SHARING_SECONDS", 0.1)
    monkeypatch.setattr(module, "REST_SECONDS", 0.05)


def feed(count: int, ledger: Path, shards: int = 2) -> tuple[Feed, FakeKinesis]:
    kinesis = FakeKinesis()
    return Feed(kinesis, "s", islice(generated(1), count), shards, ledger), kinesis


@pytest.mark.parametrize("count", [1, 40, 500])
def test_the_rest_waits_for_the_gate(count: int, tmp_path: Path) -> None:
    made, kinesis = feed(count, tmp_path / "ledger")
    with made:
        assert made.total == count
        assert eventually(lambda: made.progress.records == max(1, count - 80))
        assert count == 1 or not made.finished
        made.open_gate()
        assert eventually(lambda: made.finished)
    made.check()
    assert made.progress.records == len(kinesis.stored) == count
    assert len((tmp_path / "ledger").read_text().splitlines()) == count


def test_a_long_input_has_no_known_total_and_arrives_whole(tmp_path: Path) -> None:
    made, kinesis = feed(module.KNOWN + 300, tmp_path / "ledger")
    with made:
        assert made.total is None
        made.open_gate()
        assert eventually(lambda: made.finished)
    assert len(kinesis.stored) == module.KNOWN + 300


def test_a_trickle_goes_on_while_the_gate_is_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "SHARING_SECONDS", 60.0)
    made, _ = feed(500, tmp_path / "ledger")
    with made:
        assert eventually(lambda: made.progress.records > 250)
        assert made.progress.records < 420
        made.open_gate()
        assert eventually(lambda: made.finished)
    assert made.progress.records == 500


def test_leaving_stops_it_whatever_it_waits_for(tmp_path: Path) -> None:
    made, _ = feed(500, tmp_path / "ledger")
    with made:
        pass
    assert not made.finished
    assert made.progress.records < 500


def test_an_empty_input_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nothing to put"):
        feed(0, tmp_path / "ledger")


def test_what_ends_the_thread_is_raised_in_the_main_one(tmp_path: Path) -> None:
    def source() -> Iterator[Outgoing]:
        yield from islice(generated(1), module.KNOWN + 1)
        raise UserError("line 2002 is too long")

    made = Feed(FakeKinesis(), "s", source(), 1, tmp_path / "ledger")
    with made:
        made.open_gate()
        made._thread.join(20)
    with pytest.raises(UserError, match="line 2002"):
        made.check()
