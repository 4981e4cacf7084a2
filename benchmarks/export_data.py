"""A large snapshot in a folder, made without the consumer, which would take ten times as long:
`python -P -m benchmarks.export_data FOLDER RECORDS`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

from articles import container, schema
from articles.catalog.build import build
from articles.chain import Link, Root, ShardName, State, Totals
from articles.clock import SystemClock
from articles.container import BLOCK_BYTES, Block
from articles.encode import encode_article
from articles.folder import FolderStore
from articles.keys import Layout
from articles.position import ZERO, Position
from articles.retry import RetryingStore
from articles.scan import Selection
from benchmarks.lines import articles, shuffled

SHARDS: Final = 4
PER_FILE: Final = 5000
DISTINCT: Final = 5000
"""Articles that are generated; more have the words of one of them in another order."""
ARRIVAL: Final = 1_750_032_000_000
PAGE: Final = "2025-06-16"


def make(folder: Path, records: int) -> None:
    """A snapshot of so many articles of 3 KB in `folder`."""
    folder.mkdir(parents=True)
    layout, store = Layout(folder.name), RetryingStore(FolderStore(folder.parent))
    shards = [ShardName("Benchmark", ARRIVAL // 1000, f"shardId-{number:012d}") for number in range(SHARDS)]
    states = {shard: State(ZERO, PAGE) for shard in shards}
    for shard in shards:
        root = Root(shard, PAGE, "TRIM_HORIZON", "", "1", ARRIVAL, "benchmark")
        store.create(layout.root_key(shard), root.to_json(), {})
    made = _made()
    for number, first in enumerate(range(0, records, PER_FILE)):
        shard = shards[number % SHARDS]
        few = list(islice(made, min(PER_FILE, records - first)))
        states[shard] = _link(store, layout, shard, states[shard], few, first)
    build(store, layout, Selection(), SystemClock())


def encoded(shard_id: str = "shardId-000000000000") -> Iterator[bytes]:
    """Such articles as records of a file, endless."""
    for number, article in enumerate(_made()):
        yield encode_article(_record(article, shard_id, number))


def _made() -> Iterator[dict[str, Any]]:
    random = Random(7)
    known: list[dict[str, Any]] = []
    for text in islice(articles(3000), DISTINCT):
        known.append(json.loads(text))
        yield known[-1]
    while True:
        one = known[random.randrange(DISTINCT)]
        yield {**one, "article_id": f"{random.getrandbits(128):032x}", "content": shuffled(one["content"], random)}


def _record(article: dict[str, Any], shard_id: str, number: int) -> dict[str, Any]:
    return {
        "article_id": article["article_id"],
        "title": article.get("title"),
        "author": None,
        "publish_date": None,
        "content": article["content"],
        "word_count": len(article["content"].split()),
        "shard_id": shard_id,
        "sequence_number": _sequence(number),
        "sub_sequence_number": 0,
        "arrival_timestamp": ARRIVAL + number,
        "extra": None,
    }


def _sequence(number: int) -> str:
    return f"4965{number:052d}"


def _link(
    store: RetryingStore, layout: Layout, shard: ShardName, before: State, few: list[dict[str, Any]], first: int
) -> State:
    blocks: list[Block] = []
    held: list[bytes] = []
    size = words = 0
    positions = [Position.of(_sequence(first + number), 0) for number in (0, len(few) - 1)]
    for number, article in enumerate(few):
        record = _record(article, shard.shard, first + number)
        words += record["word_count"]
        held.append(encode_article(record))
        size += len(held[-1])
        if size >= BLOCK_BYTES or number == len(few) - 1:
            blocks.append(Block(len(held), container.compress("deflate", b"".join(held))))
            held, size = [], 0
    after = State(positions[-1], PAGE)
    link = Link(
        shard=shard,
        before=before,
        after=after,
        first=positions[0],
        last=positions[-1],
        first_arrival=ARRIVAL,
        last_arrival=ARRIVAL + first + len(few),
        totals=Totals(len(few), 0, words),
        worker="benchmark",
        digest=container.digest(blocks),
        dead_letter_key="",
        dead_letter_digest="",
        schema=schema.VERSION,
        enrichment="word-count-1",
        software="benchmark",
        blocks=tuple((block.count, len(block.data)) for block in blocks),
    )
    key = layout.link_key(shard, before)
    store.create(key, container.assemble(key, schema.ARTICLE, "deflate", link.to_metadata(), blocks), {})
    return after


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
