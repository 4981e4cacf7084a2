"""A bucket that the consumer has filled, with all that readers stumble over, and what was put into it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Final

import boto3

from benchmarks.lines import articles as generated
from benchmarks.lines import initialize, line
from benchmarks.process import Child
from benchmarks.sides import OURS, environment
from local.emulator import Emulator

BUCKET: Final = "my-bucket"
PREFIX: Final = "articles"
IN_ZSTD: Final = "zstandard"
"""The prefix of a few articles in the codec that not every reader has."""
TODAY: Final = 1_795_478_400_000
"""2026-11-24T00:00:00Z, in milliseconds."""
DAY: Final = 86_400_000
KNOWN: Final = ("article_id", "title", "author", "publish_date", "content")
LARGE: Final = 1_200
"""Articles of the shard whose day is one file of many blocks."""

Row = dict[str, Any]

TEXTS: Final = (
    "Grüße aus Köln, naïve façade",
    "東京で新しい駅が開業した。 乗客は 喜んだ",
    "مرحبا بالعالم من القاهرة",
    "שלום עולם \u202eהפוך\u202c סוף",
    "Привет, мир: новости дня",
    "नमस्ते दुनिया आज की खबर",
    "👩‍👩‍👧‍👦 family 🇺🇳 flags 𝒎𝒂𝒕𝒉 𐍈",
    "e\u0301 decomposed, \u00e9 composed",
    "tabs\tand\r\nlines\u2028separators\u00a0no-break\u3000wide",
    'quotes " and \\ backslashes \\n {"json": [1]} \'single\' $dollar ${dt}',
    "a\u0000zero\u0001byte \ufeffmark \ufffdreplacement \uffffnoncharacter",
    "long " * 60_000,
)


@dataclass(frozen=True, slots=True)
class Stored:
    rows: Sequence[Row]
    """What was put, and is to be read: once each, in no order."""
    zstd: Sequence[Row]
    environment: dict[str, str]
    """Where the store is, for any client."""
    copy: Path
    """The bucket's objects as files: `<copy>/my-bucket/articles/data/…`."""
    links: dict[str, int]
    """Records of each data file below PREFIX."""


@dataclass(slots=True)
class Shard:
    """What is delivered of one shard, call by call; and what of it readers have to find."""

    number: int
    calls: list[bytes]
    rows: list[Row]
    sequence: Iterator[int]

    @classmethod
    def of(cls, number: int) -> Shard:
        return cls(number, [], [], count(1 + number * 10**40))

    def put(self, *payloads: bytes, arrival: int | None = TODAY, aggregated: bool = False) -> None:
        """One call. Payloads that are no article become dead letters; `aggregated` puts all into one KPL record."""
        one, records = str(next(self.sequence)), []
        for sub, payload in enumerate(payloads):
            number = one if aggregated or not sub else str(next(self.sequence))
            records.append(_delivered(payload, number, sub if aggregated else 0, arrival))
            if row := _row(payload):
                place = {"shard_id": f"shardId-{self.number:012d}", "sequence_number": number}
                row |= place | {"sub_sequence_number": sub if aggregated else 0, "arrival_timestamp": arrival}
                self.rows.append(row)
        self.calls.append(line(action="processRecords", records=records, millisBehindLatest=0))

    def flush(self) -> None:
        """What is open becomes a file."""
        self.calls.append(line(action="shutdownRequested"))

    def end(self) -> None:
        self.calls.append(line(action="shardEnded"))


def article(article_id: str, content: str, **fields: Any) -> bytes:
    return _json({"article_id": article_id, "content": content, **fields}).encode()


def small_files() -> Shard:
    """Seven records a file; one of rejected records alone; sub-sequence numbers, nulls, `extra`."""
    shard = Shard.of(0)
    for number, text in enumerate(TEXTS):
        nulls = {"title": None, "author": None, "publish_date": None} if number % 2 else {}
        shard.put(article(f"text-{number}", text, **nulls), arrival=TODAY - 2 * DAY + number)
        titled = article(text[:40], "one two", title=text[:100], author=text[:20], publish_date="")
        shard.put(titled, arrival=TODAY - DAY + 999)
    extra = {"tags": ["α", None, 1.5], "nested": {"a": {"b": 2**60}}, "empty": {}, "no": False}
    shard.put(article("extra", "with fields of its own", **extra), article("none", "without"))
    shard.put(*(article(f"aggregated-{n}", "in one record " * n) for n in range(1, 6)), aggregated=True)
    shard.put(article("no arrival", "its time is not known"), arrival=None)
    shard.flush()
    shard.put(b"no article", b'{"article_id": "without content"}')
    shard.flush()
    return shard


def one_large_file() -> Shard:
    """Many blocks; every hundredth article a second time, with other content."""
    shard = Shard.of(1)
    source = generated(0, seed=8)
    for _ in range(LARGE // 100):
        batch = [next(source) for _ in range(100)]
        again = json.loads(batch[0]) | {"content": "a newer text of the same article"}
        shard.put(*batch, json.dumps(again).encode(), batch[1])
    shard.flush()
    return shard


def turned_pages() -> Shard:
    """Empty files that only turn the page, and one that ends the shard."""
    shard = Shard.of(2)
    shard.put(article("old", "from long ago"), arrival=TODAY - 5 * DAY)
    shard.flush()
    shard.put(article("new", "after days without any"), arrival=TODAY)
    shard.flush()
    shard.end()
    return shard


def in_zstd() -> Shard:
    shard = Shard.of(3)
    shard.put(*(article(f"zstd-{number}", text) for number, text in enumerate(TEXTS)))
    shard.flush()
    return shard


def store(emulator: Emulator, folder: Path) -> Stored:
    """Through the consumer's child, one a shard, into the emulator's S3."""
    url = emulator.endpoint_urls["s3"]
    client: Any = boto3.client("s3", endpoint_url=url, region_name=emulator.region)
    client.create_bucket(Bucket=BUCKET)
    settings = {"BUCKET": BUCKET, "LOG_LEVEL": "WARNING", "STREAM_NAME": "MyStream"}
    small, large, turned, zstd = small_files(), one_large_file(), turned_pages(), in_zstd()
    _feed(small, environment(url, PREFIX, _new(folder / "0"), **settings, FILE_RECORDS="7"))
    _feed(large, environment(url, PREFIX, _new(folder / "1"), **settings))
    _feed(turned, environment(url, PREFIX, _new(folder / "2"), **settings))
    _feed(zstd, environment(url, IN_ZSTD, _new(folder / "3"), **settings, CODEC="zstandard"))
    copy = folder / "copy"
    links = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for found in page["Contents"]:
            file = copy / BUCKET / found["Key"]
            file.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(BUCKET, found["Key"], str(file))
            if found["Key"].startswith(f"{PREFIX}/data/"):
                told = client.head_object(Bucket=BUCKET, Key=found["Key"])["Metadata"]
                links[found["Key"]] = int(told["good"])
    rows = [*small.rows, *large.rows, *turned.rows]
    return Stored(rows, zstd.rows, emulator.environment(), copy, links)


def _feed(shard: Shard, env: dict[str, str]) -> None:
    with Child(OURS.command, env, Path(env["STATE_DIR"]) / "log") as child:
        child.call(initialize(shard.number))
        for call in shard.calls:
            child.call(call)
        child.wait()


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def _delivered(payload: bytes, sequence: str, sub: int, arrival: int | None) -> dict[str, Any]:
    return {
        "action": "record",
        "data": b64encode(payload).decode(),
        "partitionKey": "key",
        "sequenceNumber": sequence,
        "subSequenceNumber": sub,
        "approximateArrivalTimestamp": arrival,
    }


def _row(payload: bytes) -> Row | None:
    """The columns that follow from what was sent; None for what is no article."""
    try:
        sent = json.loads(payload)
    except ValueError:
        return None
    if "content" not in sent:
        return None
    others = {name: value for name, value in sent.items() if name not in KNOWN}
    known = {name: sent.get(name) for name in KNOWN}
    return {**known, "word_count": len(sent["content"].split()), "extra": _json(others) if others else None}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
