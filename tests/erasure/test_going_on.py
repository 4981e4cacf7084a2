"""Consumers go on in the rewritten prefix: the real ones, over a store in memory."""

from __future__ import annotations

import json
from typing import Any

from articles.keys import Layout
from articles.verify import Checks, verify
from consumer.record import Record
from tests.consumer.kit import LAYOUT, Bench, Worker, record
from tests.erasure import kit
from tests.erasure.kit import bury, rewritten

NEW = Layout("elsewhere")
ERASED = (2, 5, 6, 11)


def delivered(*numbers: int, day: int = 0) -> list[Record]:
    def payload(number: int) -> bytes:
        # Every third one is no valid article.
        content = number if number % 3 == 0 else f"secret of {number}"
        return json.dumps({"article_id": f"id-{number}", "content": content}).encode()

    return [record(number, data=payload(number), day=day) for number in numbers]


def worked(bench: Bench, start: str | None, *batches: list[Record], **changed: Any) -> Worker:
    worker = bench.worker(start, **changed)
    for batch in batches:
        worker.process(*batch)
    worker.shut_down()
    assert not worker.parked
    return worker


def test_a_consumer_goes_on_where_the_lease_stands() -> None:
    bench = Bench()
    first = worked(bench, "TRIM_HORIZON", delivered(*range(1, 7)), delivered(*range(7, 10), day=1), file_records=3)
    bury(bench.store, [f"id-{number}" for number in ERASED], LAYOUT)
    rewritten(bench.store, LAYOUT, NEW)
    second = worked(bench, lease(first), delivered(*range(9, 12), day=1), file_records=3)  # still into the old prefix
    found = rewritten(bench.store, LAYOUT, NEW)
    assert found.files == 1
    # The daemon delivers the lease's own record again, and a backlog that was stored: none is stored twice.
    third = worked(bench, lease(second), delivered(*range(5, 16), day=1), layout=NEW, file_records=3)
    assert lease(third) == "15"
    positions = [row["sequence_number"] for row in kit.rows(bench.store, NEW)]
    assert positions == ["1", "4", "7", "8", "10", "13", "14"]
    assert [position for position, _ in kit.rejected(bench.store, NEW)] == ["3:0", "9:0", "12:0", "15:0"]
    report = verify(kit.place(bench.store, NEW).store, NEW, checks=Checks(deep=True))
    assert report.ok
    assert (report.erased.good, report.erased.rejected) == (3, 1)
    assert kit.totals(bench.store, NEW).good == 7
    for plain in kit.plains(bench.store, NEW):
        assert not any(f"secret of {number}".encode() in plain for number in (2, 5, 11))


def test_a_worker_that_starts_before_the_last_rewrite_is_noticed() -> None:
    """The lease is past the chain: it refuses, and what follows is not lost."""
    bench = Bench()
    first = worked(bench, "TRIM_HORIZON", delivered(1, 2, 3))
    bury(bench.store, ["id-2"], LAYOUT)
    rewritten(bench.store, LAYOUT, NEW)
    second = worked(bench, lease(first), delivered(4, 5, 6))
    early = bench.worker(lease(second), layout=NEW)
    early.process(*delivered(7))
    assert "6" in early.parked
    assert rewritten(bench.store, LAYOUT, NEW).files == 1
    worked(bench, lease(second), delivered(7), layout=NEW)
    assert [row["sequence_number"] for row in kit.rows(bench.store, NEW)] == ["1", "4", "5", "7"]


def lease(worker: Worker) -> str:
    return worker.lease.written[-1].partition(":")[0]
