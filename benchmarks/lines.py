"""What the daemon writes to a child, prepared beforehand: protocol lines with generated articles."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

from local.generator import encode, generate

SHARD_ID: Final = "shardId-000000000000"
SEED: Final = 6
DISTINCT: Final = 2000
"""Articles before the first one comes again, further apart than any codec looks back."""
AS_GENERATED: Final = 0
FIRST: Final = {
    "action": "initialize",
    "shardId": SHARD_ID,
    "sequenceNumber": "TRIM_HORIZON",
    "subSequenceNumber": 0,
}


@dataclass(frozen=True, slots=True)
class Load:
    """`size` is that of an article's JSON in bytes, AS_GENERATED for the generator's own lengths (3.2 KB on
    average); `raw` is the sum over all."""

    records: int
    batch: int
    size: int
    raw: int
    calls: Sequence[bytes]


def load(records: int, batch: int = 1000, size: int = AS_GENERATED) -> Load:
    """Calls of `batch` records each, with sequence numbers as long as Kinesis' own."""
    payloads = list(islice(articles(size), min(records, max(1, DISTINCT if size < 10_000 else 200))))
    texts = [b64encode(payload).decode() for payload in payloads]
    arrival = int(time.time() * 1000)
    calls, raw, stamps = [], 0, cycle(range(len(payloads)))
    for start in range(0, records, batch):
        which = list(islice(stamps, min(batch, records - start)))
        raw += sum(len(payloads[index]) for index in which)
        delivered = [
            {
                "action": "record",
                "data": texts[index],
                "partitionKey": f"key-{index}",
                "sequenceNumber": f"4965{start + place:052d}",
                "subSequenceNumber": 0,
                "approximateArrivalTimestamp": arrival,
            }
            for place, index in enumerate(which)
        ]
        calls.append(line(action="processRecords", records=delivered, millisBehindLatest=0))
    return Load(records, batch, size, raw, calls)


def line(**message: object) -> bytes:
    """As the daemon writes it: no spaces, one line."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def articles(size: int) -> Iterator[bytes]:
    """JSON of articles, endless; with a `size`, cut or put together until they are about that long."""
    made = generate(SEED)
    if size == AS_GENERATED:
        yield from map(encode, made)
    for article in made:
        short = {name: article.get(name) for name in ("article_id", "title")}
        content = article["content"] or ""
        while len(encode({**short, "content": content}).decode().encode()) < size:
            content += "\n\n" + (next(made)["content"] or "")
        surplus = len(encode({**short, "content": content})) - size
        cut = content.encode()[: max(20, len(content.encode()) - surplus)]
        yield encode({**short, "content": cut.decode(errors="ignore")})
