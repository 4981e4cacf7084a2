"""What the daemon writes to a child, prepared beforehand: protocol lines with generated articles."""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle, islice
from random import Random
from typing import Final

from local.generator import Article, encode, generate

SEED: Final = 6
DISTINCT: Final = 2000
"""Articles before the first one comes again, further apart than any codec looks back."""
AS_GENERATED: Final = 0


@dataclass(frozen=True, slots=True)
class Load:
    """`records` articles in calls of `batch`, about `size` bytes of JSON each (AS_GENERATED: the generator's own
    lengths, 3 KB on average)."""

    records: int
    batch: int
    payloads: Sequence[bytes]

    @classmethod
    def of(cls, records: int, batch: int = 1000, size: int = AS_GENERATED) -> Load:
        distinct = DISTINCT if size < 10_000 else DISTINCT // 20
        return cls(records, batch, _payloads(min(records, distinct), size))

    @property
    def raw(self) -> int:
        """Bytes of JSON in all."""
        return sum(map(len, islice(cycle(self.payloads), self.records)))

    def calls(self, first: int = 0, arrival: int | None = None) -> Iterator[bytes]:
        """`processRecords` lines, made as they are asked for, with sequence numbers as long as Kinesis' own, from
        `first` on, and all with one time of arrival, in milliseconds (now)."""
        texts = cycle([b64encode(payload).decode() for payload in self.payloads])
        arrival = int(time.time() * 1000) if arrival is None else arrival
        for start in range(first, first + self.records, self.batch):
            delivered = [
                {
                    "action": "record",
                    "data": next(texts),
                    "partitionKey": f"key-{number}",
                    "sequenceNumber": f"4965{number:052d}",
                    "subSequenceNumber": 0,
                    "approximateArrivalTimestamp": arrival,
                }
                for number in range(start, min(start + self.batch, first + self.records))
            ]
            yield line(action="processRecords", records=delivered, millisBehindLatest=0)


@cache
def _payloads(count: int, size: int) -> Sequence[bytes]:
    return tuple(islice(articles(size), count))


def initialize(shard: int = 0) -> bytes:
    shard_id = f"shardId-{shard:012d}"
    return line(action="initialize", shardId=shard_id, sequenceNumber="TRIM_HORIZON", subSequenceNumber=0)


def line(**message: object) -> bytes:
    """As the daemon writes it: no spaces, one line."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def articles(size: int, seed: int = SEED) -> Iterator[bytes]:
    """JSON of articles, endless, each `seed` others; with a `size`, cut or put together until they are about that long.

    Their words are shuffled: the generator's phrases come again so often that its texts deflate to a quarter, where
    English news deflates to between 0.4 and 0.5 of its size; its words in random order do so too."""
    random = Random(seed)
    made = ({**article, "content": shuffled(article["content"] or "", random)} for article in generate(seed))
    if size == AS_GENERATED:
        yield from map(encode, made)
    for article in made:
        short: Article = {"article_id": article["article_id"], "title": article["title"]}
        room = max(20, size - len(encode({**short, "content": ""})))
        content = (article["content"] or "").encode()
        while len(content) < room:
            content += (next(made)["content"] or "").encode()
        yield encode({**short, "content": content[:room].decode(errors="ignore")})


def shuffled(content: str, random: Random) -> str:
    """The same words between the same whitespace."""
    parts = re.split(r"(\s+)", content)
    words = parts[::2]
    random.shuffle(words)
    parts[::2] = words
    return "".join(parts)
