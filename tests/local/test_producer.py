"""Records reach the stream in batches that Kinesis takes, each once, whatever it refuses at first."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.errors import UserError
from local import producer
from local.producer import BATCH_BYTES, BATCH_RECORDS, Producer, batches
from local.source import Outgoing, outgoing


class ClientError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


@dataclass
class FakeKinesis:
    """Refuses what `plan` says: for each call, the indices refused, or an error for the whole call."""

    plan: list[set[int] | ClientError] = field(default_factory=list)
    calls: list[list[bytes]] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)
    exceptions: Any = field(default_factory=lambda: SimpleNamespace(ClientError=ClientError))

    def put_records(self, *, StreamName: str, Records: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        assert StreamName == "s"
        self.calls.append([record["Data"] for record in Records])
        refused = self.plan.pop(0) if self.plan else set()
        if isinstance(refused, ClientError):
            raise refused
        answers = []
        for index, record in enumerate(Records):
            if index in refused:
                answers.append({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "slow down"})
            else:
                self.stored.append(record["Data"])
                answers.append({"ShardId": "shardId-000000000000", "SequenceNumber": str(len(self.stored))})
        return {"Records": answers}


def records(count: int) -> list[Outgoing]:
    return [outgoing(n, json.dumps({"article_id": str(n), "content": "a b"}).encode()) for n in range(1, count + 1)]


def put(kinesis: FakeKinesis, source: list[Outgoing], **options: Any) -> tuple[Producer, io.StringIO]:
    ledger = io.StringIO()
    made = Producer(kinesis, "s", ledger=ledger, pause=lambda _: None, **options)
    assert sum(made.put(source)) == len(source)
    return made, ledger


@given(st.lists(st.integers(0, 2 << 20), max_size=40), st.integers(1, BATCH_RECORDS))
def test_batches_keep_order_and_limits(sizes: list[int], most: int) -> None:
    source = [Outgoing(line, bytes(size), "k", None, None) for line, size in enumerate(sizes)]
    made = list(batches(source, most))
    assert [record for batch in made for record in batch] == source
    for batch in made:
        assert 0 < len(batch) <= most
        assert sum(record.size for record in batch) <= BATCH_BYTES


@given(st.lists(st.sets(st.integers(0, 9)), max_size=6))
def test_every_record_is_put_once_and_stands_in_the_ledger_once(refusals: list[set[int]]) -> None:
    kinesis = FakeKinesis(plan=[*refusals])
    source = records(10)
    made, ledger = put(kinesis, source)
    assert sorted(kinesis.stored) == sorted(record.data for record in source)
    entries = [json.loads(line) for line in ledger.getvalue().splitlines()]
    assert sorted(entry["article_id"] for entry in entries) == sorted(str(n) for n in range(1, 11))
    numbers = {entry["sequence_number"]: entry["article_id"] for entry in entries}
    for number, data in enumerate(kinesis.stored, 1):
        assert numbers[str(number)] == json.loads(data)["article_id"], "the ledger names the right record"
    assert made.progress.records == 10
    assert made.progress.words == 20


def test_only_what_was_refused_is_put_again() -> None:
    kinesis = FakeKinesis(plan=[{1, 3}, {0}])
    made, _ = put(kinesis, records(4))
    assert [len(call) for call in kinesis.calls] == [4, 2, 1]
    assert made.progress.retried == 3


def test_a_throttled_call_is_made_again_and_another_error_is_not() -> None:
    kinesis = FakeKinesis(plan=[ClientError("LimitExceededException")])
    put(kinesis, records(2))
    assert len(kinesis.calls) == 2
    with pytest.raises(ClientError):
        put(FakeKinesis(plan=[ClientError("AccessDenied")]), records(2))


def test_a_stream_that_refuses_for_ever_is_given_up_with_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "RETRY_SECONDS", -1.0)
    kinesis = FakeKinesis(plan=[set(), *([{0}] * 50)])
    with pytest.raises(UserError, match=r"1 were put, 1 of this batch not"):
        put(kinesis, records(2), rate=1.0)


def test_what_is_no_article_is_put_all_the_same_and_counted() -> None:
    kinesis = FakeKinesis()
    made, ledger = put(kinesis, [outgoing(7, b"not json"), *records(1)])
    assert kinesis.stored[0] == b"not json"
    assert (made.progress.invalid, made.progress.invalid_lines) == (1, (7,))
    first = json.loads(ledger.getvalue().splitlines()[0])
    assert (first["words"], first["article_id"], first["sub_sequence_number"]) == (None, None, 0)


def test_a_rate_makes_small_batches_and_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producer, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    pauses: list[float] = []
    made = Producer(FakeKinesis(), "s", rate=100, pause=pauses.append)
    assert list(made.put(records(60))) == [20, 20, 20]
    assert pauses == pytest.approx([0.0, 0.2, 0.4])


def test_records_before_a_bad_line_are_put() -> None:
    def source() -> Any:
        yield from records(3)
        raise UserError("line 4 is too long")

    kinesis = FakeKinesis()
    with pytest.raises(UserError, match="line 4"):
        list(Producer(kinesis, "s").put(source()))
    assert len(kinesis.stored) == 3
