"""Write the folder of a schema version that is about to be released: `python -m tests.schema.release`.

A consumer stores articles with all kinds of values, in each codec; what it stored, the schemas, and what a plain Avro
reader makes of the files stay in `versions/<version>/` for good.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from articles import container, schema
from articles.avro import read_container
from articles.keys import Layout
from articles.position import Position
from consumer.record import Record
from tests.consumer.kit import DAY, NOW, SHARD, Bench
from tests.schema.released import VERSIONS, as_json

LAYOUT: Final = Layout("articles")
_STREAM_START: Final = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898

ARTICLES: Final[list[dict[str, Any]]] = [
    {
        "article_id": "a-1",
        "title": "Rain, then sun",
        "author": "A. Writer",
        "publish_date": "2025-06-15",
        "content": "One two. Three four! Five?",
    },
    {"article_id": "a-2", "content": "no title, no author, no date"},
    {"article_id": "a-3" * 50, "title": "t" * 300, "content": "a sentence of a text longer than a block. " * 1600},
    {"article_id": "a-4", "title": None, "author": "", "publish_date": "last Tuesday", "content": "word"},
    {
        "article_id": "статья-5",
        "title": "新闻",
        "author": "Ōe 🖋",
        "content": "記事の本文。 ข่าว\u00a0خبر\u2003😀 \U0001f468\u200d\U0001f469",
    },
    {
        "article_id": "a-5",
        "content": " \t\n",
        "language": "en",
        "tags": ["x", {"deep": [1, 2.5, None, True]}],
        "é": "ü",
    },
    {"article_id": "a-1", "title": "The same article again", "content": "two words"},
    {"article_id": "a-8", "content": 'quotes " and \\ and \x7f and \u0001'},
]
SHORT: Final = [said | {"content": said["content"][:10_000]} for said in ARTICLES]
REJECTED: Final = (b"not JSON", b'{"article_id": "x"}', b"\xff\xfe", b"")


def records(start: int, articles: Sequence[dict[str, Any]] = ARTICLES) -> list[Record]:
    """On two days, one without an arrival, three in each aggregate; then what is rejected."""
    made = []
    for number, said in enumerate(articles):
        arrival = None if number == 4 else (NOW + (number > 5) * DAY) * 1000 + number
        position = Position.of(str(start + number // 3), number % 3)
        made.append(Record(position, arrival, json.dumps(said, ensure_ascii=False).encode(), f"key-{number}"))
    for number, data in enumerate(REJECTED, 1):
        made.append(Record(Position.of(str(start + 100 + number)), (NOW + DAY) * 1000, data, None))
    return made


def fill(bench: Bench) -> None:
    """A shard for each codec, the first with a file of several blocks and an end."""
    for number, codec in enumerate(container.CODECS):
        shard = replace(SHARD, shard=f"shardId-{number:012d}")
        worker = bench.worker(layout=LAYOUT, shard=shard, codec=codec, file_records=5, worker=f"worker-{number}")
        worker.process(*records(_STREAM_START + 1000 * number, ARTICLES if number == 0 else SHORT))
        worker.end() if number == 0 else worker.shut_down()


def release(folder: Path) -> None:
    folder.mkdir(parents=True)
    bench = Bench()
    fill(bench)
    for key in sorted(bench.store.objects):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bench.store.objects[key].body)
    held = {
        key: list(read_container(io.BytesIO(bench.store.objects[key].body)))
        for key in sorted(bench.store.objects)
        if key.endswith(".avro")
    }
    schemas = {"Article": schema.ARTICLE, "DeadLetter": schema.DEAD_LETTER}
    for name, said in (("schemas", schemas), ("records", held)):
        text = json.dumps(said, indent=1, ensure_ascii=False, default=as_json)
        (folder / f"{name}.json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    target = VERSIONS / str(schema.VERSION)
    if target.exists():
        sys.exit(f"version {schema.VERSION} is released: change VERSION in articles/schema.py first")
    release(target)
    print(f"{target}: look at records.json before you commit it")
