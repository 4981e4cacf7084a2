"""PutRecords: what was refused is put again, alone; what may have been taken never is."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from articles.errors import UserError
from articles.put_records import RETRY_SECONDS, CutShort, Outgoing, Placed, put_records
from tests.fakes import FakeClock

BUSY = "ProvisionedThroughputExceededException"
RECORDS = [Outgoing(b"%d" % number, f"k{number}") for number in range(3)]


class Kinesis:
    """`script`: for each call, the indexes of the records refused, or what it raises; then all is taken."""

    class exceptions:  # noqa: N801 - as boto3 has it
        ClientError = ClientError

    def __init__(self, *script: set[int] | Exception) -> None:
        self.script = list(script)
        self.calls: list[list[bytes]] = []
        self.keys: list[str] = []

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self.calls.append([record["Data"] for record in Records])
        answer = self.script.pop(0) if self.script else set()
        if isinstance(answer, Exception):
            raise answer
        taken = {"ShardId": "s", "SequenceNumber": "7"}
        return {
            "Records": [
                {"ErrorCode": BUSY, "ErrorMessage": "…"} if index in answer else taken for index in range(len(Records))
            ]
        }


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "PutRecords")


def test_what_is_taken_is_told_in_order() -> None:
    kinesis = Kinesis()
    assert put_records(kinesis, "s", RECORDS, FakeClock()) == [Placed("s", "7")] * 3
    assert kinesis.calls == [[b"0", b"1", b"2"]]


def test_only_what_was_refused_is_put_again_after_longer_and_longer_pauses() -> None:
    kinesis, clock = Kinesis({0, 2}, {1}, refused(BUSY)), FakeClock()
    assert put_records(kinesis, "s", RECORDS, clock) == [Placed("s", "7")] * 3
    assert kinesis.calls == [[b"0", b"1", b"2"], [b"0", b"2"], [b"2"], [b"2"]]
    assert len(clock.slept) == 3
    assert all(0.05 <= pause <= 0.2 for pause in clock.slept)


def test_a_stream_that_refuses_on_and_on_is_given_up() -> None:
    clock = FakeClock()
    answers = put_records(Kinesis(*[{0}] * 2, *[{0}] * 100), "s", RECORDS[:2], clock)
    assert answers == [BUSY, Placed("s", "7")]
    assert RETRY_SECONDS <= sum(clock.slept) < RETRY_SECONDS + 10


@pytest.mark.parametrize(
    "error",
    [refused("InternalFailure"), refused("AccessDeniedException"), EndpointConnectionError(endpoint_url="http://x")],
)
def test_a_call_that_may_have_been_taken_is_never_made_again(error: Exception) -> None:
    kinesis = Kinesis(error)
    with pytest.raises(UserError):
        put_records(kinesis, "s", RECORDS, FakeClock())
    assert len(kinesis.calls) == 1


def test_what_was_taken_before_a_call_failed_is_told() -> None:
    kinesis = Kinesis({1}, refused("InternalFailure"))
    with pytest.raises(CutShort) as caught:
        put_records(kinesis, "s", RECORDS, FakeClock())
    assert caught.value.answers == [Placed("s", "7"), None, Placed("s", "7")]
