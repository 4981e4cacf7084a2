"""The articles of benchmark `training`, made once: as the consumer stores them, then in every other side's format."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import fastavro

from articles.errors import UserError
from benchmarks import lines
from benchmarks.bench import S3Stub
from benchmarks.process import feed
from benchmarks.say import say
from benchmarks.sides import BUCKET, HERE, OURS, environment

SHARDS: Final = 4
DAYS: Final = 3
BATCH: Final = 500
FILE_SIZE: Final = "4MiB"
PREFIX: Final = "articles"
PEERS: Final = HERE.parent / ".venv" / "peers" / "bin" / "python"
_DAY: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class _Shard:
    """What is put into a shard: `records` articles, spread evenly over DAYS."""

    number: int
    records: int
    today: int
    """Milliseconds of the clock that all shards go by."""

    def calls(self) -> Iterator[bytes]:
        payloads = tuple(islice(lines.articles(lines.AS_GENERATED, seed=1000 + self.number), self.records))
        day = -(-self.records // DAYS)
        for turn in range(DAYS):
            part = payloads[turn * day : (turn + 1) * day]
            arrival = self.today - (DAYS - 1 - turn) * _DAY
            yield from lines.Load(len(part), BATCH, part).calls(first=turn * day, arrival=arrival)


def make(folder: Path, records: int, peers: bool) -> Path:
    """A folder with a bucket: `articles/` is ours, the others' formats lie beside it. What is there stays."""
    bucket = folder / f"{records}" / BUCKET
    if not (bucket / PREFIX / "catalog").exists():
        shutil.rmtree(bucket, ignore_errors=True)
        bucket.mkdir(parents=True)
        _make_ours(bucket, records)
    if peers:
        say("  writing them in the other sides' formats")
        module = "benchmarks.training.formats"
        _run("writing the other sides' formats", [str(PEERS), "-P", "-m", module, str(bucket), PREFIX])
    return bucket


def source(bucket: Path) -> list[str]:
    """The articles' ids in the order of our keys, which is that of all formats."""
    ids: list[str] = []
    for path in sorted((bucket / PREFIX / "data").glob("dt=*/*.avro")):
        with path.open("rb") as file:
            records: Any = fastavro.reader(file)
            ids += [record["article_id"] for record in records]
    return ids


def _make_ours(bucket: Path, records: int) -> None:
    say(f"  making {records:,} articles, and storing them with the consumer")
    today = int(time.time() * 1000)
    with S3Stub(bucket.parent, keep=True) as stub:
        # Processes that are made anew, not forked: this one may have threads.
        with ProcessPoolExecutor(
            SHARDS, multiprocessing.get_context("spawn"), initializer=os.nice, initargs=(10,)
        ) as pool:
            share = records // SHARDS
            given = [_Shard(n, share + (records % SHARDS if n == 0 else 0), today) for n in range(SHARDS)]
            for _ in pool.map(_store, given, [stub.url] * SHARDS, [bucket.parent] * SHARDS):
                pass
        stub.save(PREFIX, bucket.parent)
    _run("making the catalogue", [sys.executable, "-P", "-m", "articles", "catalog", "build", str(bucket / PREFIX)])


def _store(shard: _Shard, url: str, folder: Path) -> None:
    state = folder / f"state-{shard.number}"
    state.mkdir()
    env = environment(url, PREFIX, state, FILE_SIZE=FILE_SIZE, LOG_LEVEL="WARNING")
    feed(OURS.command, env, shard.calls(), state / "log", shard.number)


def _run(what: str, command: list[str]) -> None:
    env = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise UserError(f"{what} failed:\n{done.stderr[-4000:]}")
