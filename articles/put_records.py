"""PutRecords, so that each record gets onto the stream at most once.

The client must not try again by itself (`aws.client(…, tries_again=False)`): after a lost answer it would put all of
the call's records a second time. What the stream says that it has not taken is put again, after a growing, jittered
pause.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from articles.aws import translated
from articles.clock import Clock
from articles.errors import UserError

THROTTLED: Final = (
    "ProvisionedThroughputExceededException",
    "LimitExceededException",
    "ThrottlingException",
    "KMSThrottlingException",
)
"""Refusals of a whole call. An internal failure is none: it leaves open what was taken."""
RETRY_SECONDS: Final = 30.0
"""How long the stream may refuse without taking anything."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    data: bytes
    key: str

    @property
    def size(self) -> int:
        """What counts towards Kinesis' limits, in bytes."""
        return len(self.data) + len(self.key.encode())


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a record is on the stream."""

    shard: str
    sequence_number: str


class CutShort(UserError):
    """A call failed as a whole. `answers`: where a record is now, None where it is not known whether it was put."""

    def __init__(self, why: str, answers: Sequence[Placed | str]) -> None:
        super().__init__(why)
        self.answers = [answer if isinstance(answer, Placed) else None for answer in answers]


def put_records(kinesis: Any, stream: str, records: Sequence[Outgoing], clock: Clock) -> list[Placed | str]:
    """For each record where it is now, or why it was refused to the last. Takes as many as one call may hold. Raises
    CutShort."""
    answers: list[Placed | str] = [""] * len(records)
    left = list(range(len(records)))
    pause, until = FIRST_PAUSE, clock.monotonic() + RETRY_SECONDS
    while True:
        try:
            refused = _attempt(kinesis, stream, records, left, answers)
        except UserError as error:
            raise CutShort(str(error), answers) from error
        if len(refused) < len(left):
            pause, until = FIRST_PAUSE, clock.monotonic() + RETRY_SECONDS
        if not refused or clock.monotonic() >= until:
            return answers
        left = refused
        clock.sleep(random.uniform(pause / 2, pause))
        pause = min(pause * 2, LONGEST_PAUSE)


def _attempt(
    kinesis: Any, stream: str, records: Sequence[Outgoing], wanted: Sequence[int], answers: list[Placed | str]
) -> list[int]:
    """Put those once and fill in their answers; which of them were refused."""
    request = [{"Data": records[number].data, "PartitionKey": records[number].key} for number in wanted]
    with translated("kinesis", f"stream {stream}"):
        try:
            said = kinesis.put_records(StreamName=stream, Records=request)["Records"]
        except kinesis.exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code not in THROTTLED:
                raise
            said = [{"ErrorCode": code}] * len(wanted)
    for number, answer in zip(wanted, said, strict=True):
        code = answer.get("ErrorCode")
        answers[number] = code or Placed(answer["ShardId"], answer["SequenceNumber"])
    return [number for number in wanted if isinstance(answers[number], str)]
