"""Puts records on a stream as a real producer does: in batches, at a rate, trying again what was refused.

PutRecords answers for each record apart. What was throttled is put again, alone, after a growing, jittered pause; a
batch is done when all of it is acknowledged, and only then goes into the ledger. (Should an answer be lost and the
client's own second try succeed, a record is on the stream twice, as with any Kinesis producer.)
"""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from articles.aws import translated
from articles.errors import UserError
from local.source import Outgoing

BATCH_RECORDS = 500
BATCH_BYTES = 5 << 20
RETRY_SECONDS = 300.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
BUSY = (
    "ProvisionedThroughputExceededException",
    "InternalFailure",
    "KMSThrottlingException",
    "LimitExceededException",
    "ThrottlingException",
)


@dataclass(slots=True)
class Progress:
    """What has been acknowledged so far. `invalid` are records that are no valid articles, `invalid_lines` the first
    of their lines, `shards` the records of each; `retried` counts refusals, not records."""

    records: int = 0
    invalid: int = 0
    words: int = 0
    bytes: int = 0
    retried: int = 0
    invalid_lines: tuple[int, ...] = ()
    shards: Counter[str] = field(default_factory=Counter)

    def count(self, record: Outgoing, shard: str) -> None:
        """One that was acknowledged."""
        self.records += 1
        self.shards[shard] += 1
        self.words += record.words or 0
        self.bytes += len(record.data)
        if record.words is None:
            self.invalid += 1
            if len(self.invalid_lines) < 10:
                self.invalid_lines += (record.line,)

    def add(self, other: Progress) -> None:
        """Take in what another producer has put."""
        self.records += other.records
        self.invalid += other.invalid
        self.words += other.words
        self.bytes += other.bytes
        self.retried += other.retried
        self.invalid_lines += other.invalid_lines
        self.shards += Counter(dict(other.shards))  # a copy in one step: `other` may be growing


class Producer:
    """`pause` sleeps, and may raise to stop."""

    def __init__(
        self,
        kinesis: Any,
        stream: str,
        *,
        ledger: IO[str] | None = None,
        rate: float | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.progress = Progress()
        self._kinesis, self._stream, self._ledger = kinesis, stream, ledger
        self._rate, self._pause = rate, pause

    def put(self, source: Iterable[Outgoing]) -> Iterator[int]:
        """Put `source`, a batch each time the next value is asked for: the size of the batch just acknowledged.

        Raises UserError when the stream refuses for good, or for `RETRY_SECONDS` on end.
        """
        started = time.monotonic()
        # At a rate, small batches: five a second look like a stream, one of 500 looks like a flood.
        most = BATCH_RECORDS if self._rate is None else max(1, min(BATCH_RECORDS, int(self._rate / 5)))
        for batch in batches(source, most):
            if self._rate is not None:
                due = started + self.progress.records / self._rate
                self._pause(max(0.0, due - time.monotonic()))
            self._put(batch)
            yield len(batch)

    def _put(self, batch: list[Outgoing]) -> None:
        left, pause, deadline = batch, FIRST_PAUSE, time.monotonic() + RETRY_SECONDS
        while True:
            refused, why = self._attempt(left)
            if len(refused) < len(left):
                deadline = time.monotonic() + RETRY_SECONDS
            if not refused:
                return
            if time.monotonic() > deadline:
                raise UserError(
                    f"stream {self._stream} has refused records for {RETRY_SECONDS:.0f} s ({why}); "
                    f"{self.progress.records} were put, {len(refused)} of this batch not; add shards or lower --rate"
                )
            self.progress.retried += len(refused)
            self._pause(random.uniform(pause / 2, pause))
            left, pause = refused, min(pause * 2, LONGEST_PAUSE)

    def _attempt(self, batch: list[Outgoing]) -> tuple[list[Outgoing], str]:
        """Put once; what was refused, and the reason given last."""
        request = [{"Data": record.data, "PartitionKey": record.key} for record in batch]
        with translated("kinesis", f"stream {self._stream}"):
            try:
                answers = self._kinesis.put_records(StreamName=self._stream, Records=request)["Records"]
            except self._kinesis.exceptions.ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code not in BUSY:
                    raise
                return batch, code
        put, refused, why = [], [], ""
        for record, answer in zip(batch, answers, strict=True):
            if answer.get("ErrorCode"):
                refused.append(record)
                why = answer["ErrorCode"]
            else:
                put.append((record, answer))
        self._acknowledged(put)
        return refused, why

    def _acknowledged(self, put: list[tuple[Outgoing, dict[str, str]]]) -> None:
        if self._ledger:
            self._ledger.writelines(ledger_line(record, answer) for record, answer in put)
            self._ledger.flush()
        for record, answer in put:
            self.progress.count(record, answer["ShardId"])


def ledger_line(record: Outgoing, answer: dict[str, str], sub: int = 0) -> str:
    """One record that is on the stream; `words` is null when it is expected among the dead letters."""
    entry = {
        "shard": answer["ShardId"],
        "sequence_number": answer["SequenceNumber"],
        "sub_sequence_number": sub,
        "words": record.words,
        "article_id": record.article_id,
    }
    return json.dumps(entry, ensure_ascii=False) + "\n"


def batches(source: Iterable[Outgoing], most: int) -> Iterator[list[Outgoing]]:
    """As large as PutRecords takes them: at most `most` records and `BATCH_BYTES`, never empty. Each is handed over
    before more is read than fits, so that an input that ends in an error has been put up to there."""
    batch: list[Outgoing] = []
    size = 0
    try:
        for record in source:
            if batch and size + record.size > BATCH_BYTES:
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += record.size
            if len(batch) == most:
                yield batch
                batch, size = [], 0
    except UserError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch
