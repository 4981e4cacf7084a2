"""Writes our articles once more, as each other reader wants them: `.venv/peers/bin/python -m … BUCKET PREFIX`.

In the order of our keys, the six fields of the model, and "" where an article has no title, author or date: not every
format knows null. What is there stays; a folder is whole once it has its name.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable, Sequence
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import fastavro

from benchmarks.training.readers import FIELDS

TYPES: Final = {"word_count": "int"}
FILES: Final = 24
"""As many as ours, so that readers which shuffle whole files have some to shuffle."""
ENTRY: Final = 100
"""Articles in an entry of a tar file."""
CHUNK_BYTES: Final = 1 << 26
"""What LitData and MosaicML advise for a file."""
Article = dict[str, Any]


def read_ours(data: Path) -> list[Article]:
    """In the order of the keys: what position in the source means."""
    articles: list[Article] = []
    for path in sorted(data.glob("dt=*/*.avro")):
        with path.open("rb") as file:
            records: Any = fastavro.reader(file)
            articles += [{name: record[name] for name in FIELDS} for record in records]
    return [{name: "" if value is None else value for name, value in article.items()} for article in articles]


def arrow(articles: Sequence[Article], folder: Path) -> None:
    import_module("datasets").Dataset.from_list(list(articles)).save_to_disk(folder)


def parquet(articles: Sequence[Article], folder: Path) -> None:
    table, write = import_module("pyarrow").Table, import_module("pyarrow.parquet").write_table
    for number, part in enumerate(_parts(articles)):
        write(table.from_pylist(list(part)), folder / f"{number:05d}.parquet", compression="zstd", row_group_size=1000)


def mds(articles: Sequence[Article], folder: Path) -> None:
    columns = {name: TYPES.get(name, "str") for name in FIELDS}
    with import_module("streaming").MDSWriter(out=str(folder), columns=columns, size_limit=CHUNK_BYTES) as writer:
        for article in articles:
            writer.write(article)


def litdata(articles: Sequence[Article], folder: Path) -> None:
    cache = import_module("litdata.streaming.cache").Cache(str(folder), chunk_bytes=CHUNK_BYTES)
    for number, article in enumerate(articles):
        cache[number] = article
    cache.done()
    cache.merge()


def webdataset(articles: Sequence[Article], folder: Path) -> None:
    for number, part in enumerate(_parts(articles)):
        with tarfile.open(folder / f"{number:05d}.tar", "w") as tar:
            for first in range(0, len(part), ENTRY):
                body = json.dumps(part[first : first + ENTRY], ensure_ascii=False).encode()
                entry = tarfile.TarInfo(f"{first:06d}.json")
                entry.size = len(body)
                tar.addfile(entry, BytesIO(body))


def _parts(articles: Sequence[Article]) -> list[Sequence[Article]]:
    size = -(-len(articles) // FILES)
    return [articles[start : start + size] for start in range(0, len(articles), size)]


FORMATS: Final[dict[str, Callable[[Sequence[Article], Path], None]]] = {
    "arrow": arrow,
    "parquet": parquet,
    "mds": mds,
    "litdata": litdata,
    "webdataset": webdataset,
}


def main(bucket: Path, prefix: str) -> None:
    os.nice(10)
    missing = [name for name in FORMATS if not (bucket / name).exists()]
    articles = read_ours(bucket / prefix / "data") if missing else []
    for name in missing:
        unfinished = bucket.parent / f"unfinished-{name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        FORMATS[name](articles, unfinished)
        unfinished.rename(bucket / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
