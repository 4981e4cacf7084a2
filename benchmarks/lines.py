"""What the daemon writes to a child, prepared beforehand: protocol lines with generated articles."""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Final

from local.generator import Article, encode, generate

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
    """JSON of articles, endless; with a `size`, cut or put together until they are about that long.

    Their words are shuffled: the generator's phrases come again so often that its texts deflate to a quarter, where
    English news deflates to between 0.4 and 0.5 of its size; its words in random order do so too."""
    random = Random(SEED)
    for article in generate(SEED):
        content = shuffled(article["content"] or "", random)
        if size == AS_GENERATED:
            yield encode({**article, "content": content})
            continue
        short: Article = {"article_id": article["article_id"], "title": article["title"]}
        room = size - len(encode({**short, "content": ""}))
        while len(content.encode()) < room:
            content += "\n\n" + shuffled(content, random)
        yield encode({**short, "content": content.encode()[: max(20, room)].decode(errors="ignore")})


def shuffled(content: str, random: Random) -> str:
    """The same words between the same whitespace."""
    parts = re.split(r"(\s+)", content)
    words = parts[::2]
    random.shuffle(words)
    parts[::2] = words
    return "".join(parts)
