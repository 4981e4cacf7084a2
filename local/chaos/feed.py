"""The load of a chaos run: small articles at a rate, some records that are none, some KPL aggregates; with a ledger.

It goes straight to the stream, so that the ledger is right: a put whose answer got lost would be on the stream twice.
One record a request: the emulator's PutRecords takes longer the more its shards hold, minutes in the end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import Any

from articles.aws import translated
from local.aggregate import HASH_KEYS_IN_ALL, aggregate
from local.generator import article, encode
from local.producer import BUSY, Progress, ledger_line
from local.source import Outgoing, outgoing

WORDS = 60  # an article of about half a kilobyte: what costs is the number of records
BAD_SHARE = 0.03
AGGREGATE_SHARE = 0.02  # of what is put: one record in five is in one of them
AGGREGATE_RECORDS = 25
BAD = (
    b"not json",
    b"[1, 2]",
    b"\xff\xfe\x00",
    b'{"article_id": "a"}',
    b'{"article_id": "a", "content": null}',
    b'{"article_id": "", "content": "text"}',
    b'{"article_id": "a", "content": NaN}',
    b'{"article_id": "a", "article_id": "b", "content": "text"}',
    b'{"article_id": "a", "content": "\\ud800"}',
    '{"article_id": "a", "content": "text"}'.encode("utf-16"),
)


def records(seed: int, bad: float = BAD_SHARE) -> Iterator[Outgoing]:
    """Endless, and the same for a seed; `bad` is the share of those that are no articles."""
    random = Random(f"chaos-feed:{seed}")
    for line in count(1):
        if random.random() < bad:
            yield outgoing(line, random.choice(BAD))
        else:
            made = article(seed, line)
            made["content"] = " ".join((made["content"] or "").split()[:WORDS])
            yield outgoing(line, encode(made))


class ChaosFeed:
    """A thread between enter and exit; `check` raises what ended it early. `last` is the sequence number that was put
    last, for each shard."""

    def __init__(self, kinesis: Any, stream: str, seed: int, rate: float, ledger: Path, bad: float = BAD_SHARE) -> None:
        self._kinesis, self._stream, self._ledger = kinesis, stream, ledger
        self._records, self._random, self._rate = records(seed, bad), Random(f"chaos-aggregates:{seed}"), rate
        self.last: dict[str, int] = {}
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self.progress = Progress()

    def __enter__(self) -> ChaosFeed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Put nothing more; what was put is in the ledger then."""
        self._stop.set()
        self._thread.join(30)

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            started = time.monotonic()
            with self._ledger.open("a", encoding="utf-8") as ledger:
                while not self._stop.wait(started + self.progress.records / self._rate - time.monotonic()):
                    ledger.writelines(self._put())
                    ledger.flush()
        except Exception as error:  # noqa: BLE001 - handed to the main thread, which raises it
            self._error = error

    def _put(self) -> list[str]:
        """One record, alone or packed; the lines for the ledger, none when the stream was busy."""
        if self._random.random() < AGGREGATE_SHARE:
            packed = list(islice(self._records, self._random.randint(2, AGGREGATE_RECORDS)))
            hash_key = str(self._random.randrange(HASH_KEYS_IN_ALL))
            data = aggregate([(record.key, record.data) for record in packed], hash_key)
            request = {"PartitionKey": "a", "ExplicitHashKey": hash_key, "Data": data}
        else:
            packed = list(islice(self._records, 1))
            request = {"PartitionKey": packed[0].key, "Data": packed[0].data}
        with translated("kinesis", f"stream {self._stream}"):
            try:
                answer = self._kinesis.put_record(StreamName=self._stream, **request)
            except self._kinesis.exceptions.ClientError as error:
                if error.response.get("Error", {}).get("Code", "") not in BUSY:
                    raise
                return []
        self.last[answer["ShardId"]] = int(answer["SequenceNumber"])
        for record in packed:
            self.progress.count(record, answer["ShardId"])
        return [ledger_line(record, answer, sub) for sub, record in enumerate(packed)]
