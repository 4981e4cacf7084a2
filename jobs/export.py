"""`articles export` on Spark: what is read, where each record goes and how a file is written is the same code, so the
files are the same, byte for byte. Spark finds the duplicates, takes the records to where their file is made, and sorts
them.

    spark-submit --packages org.apache.spark:spark-avro_2.13:4.1.1 jobs/export.py SNAPSHOT URI --to URI [OPTION…]

Articles are read block by block as the catalogue describes them: spark-avro checks no CRC, does not number records, and
asks the store for every file before it begins. It reads the catalogue's rows, few large files, in which duplicates are
found.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyspark.sql import SparkSession, Window
from pyspark.sql.functions import collect_list, desc, row_number

from articles import cli
from articles.catalog import CatalogFile, Snapshot
from articles.commands import export as command
from articles.errors import ChainError, StoreError, StoreRefused, UserError
from articles.export import make
from articles.export.export import Exported, Means, begin, finish, not_tolerated
from articles.export.make import Job, Made, Stores
from articles.export.options import Options
from articles.export.order import KEY_BYTES
from articles.export.plan import Part, Plan, chosen, readings
from articles.export.pool import Places
from articles.export.spill import Buckets, Entry, Lost, spill
from articles.keys import Layout
from articles.location import is_remote
from articles.progress import note
from articles.training.blocks import File

Row = tuple[int, bytes, int, bytes]
"""Part, key, words, record. Under the empty key: what cannot be read, or nothing."""

COLUMNS: Final = {"part": pa.int32(), "key": pa.binary(), "words": pa.int32(), "record": pa.binary()}
ROW: Final = "part int, key binary, words int, record binary"
BATCH: Final = 200
"""Records that Spark hands to Python at a time: some 600 KB, and hardly ever more than 200 MB."""
BATCH_BYTES: Final = 4 << 20
"""What Python hands to Spark at a time."""
SLICES: Final = 5_000
"""Tasks that read, at most: each leaves a piece of the shuffle for every file."""
MEMORY: Final = 64 << 20
"""Of a task that reads, beside the interpreter."""


@dataclass(frozen=True, slots=True)
class Sorted(Buckets):
    """A part's records, sorted already."""

    entries: Iterable[Entry] = ()

    def load(self, bucket: int, writers: int) -> Iterable[Entry]:
        del bucket, writers
        return self.entries


@dataclass(frozen=True, slots=True)
class Work:
    """What executors know of an export; `parts` are to be made."""

    plan: Plan
    places: Places
    parts: frozenset[int]
    tolerate: bool

    def read(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Of pickled `Reading`s the records; what cannot be read is told to every part."""
        source = self.places.open().source
        held: list[Row] = []
        size = 0
        for (reading,) in _rows(batches):
            with _scratch() as scratch:
                buckets = Buckets(scratch, 1, self.parts)
                found = spill(self.plan, pickle.loads(reading), source, buckets, 0, MEMORY)  # noqa: S301 - our own
                for row in self._of(buckets, found.lost):
                    held.append(row)
                    size += len(row[3])
                    if size >= BATCH_BYTES:
                        yield _batch(held)
                        held, size = [], 0
        yield _batch(held)

    def _of(self, buckets: Buckets, lost: Sequence[Lost]) -> Iterator[Row]:
        said = [json.dumps(one).encode() for one in lost]
        for part in self.parts:
            yield from ((part, key, words, record) for key, record, words in buckets.load(part, 1))
            yield from ((part, b"", 0, one) for one in said)

    def write(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Of whole parts, sorted: a pickled `Made` for each, or what could not be read, or an error for the user."""
        for part, rows in groupby(_rows(batches), itemgetter(0)):
            yield pa.RecordBatch.from_pydict({"done": [pickle.dumps(self._make(part, rows))]})

    def _make(self, part: int, rows: Iterator[Row]) -> Made | list[Lost] | Exception:
        lost: list[Lost] = []
        for first in rows:
            if first[1]:
                rows = chain([first], rows)
                break
            if first[3]:
                lost.append(tuple(json.loads(first[3])))
        if lost and not self.tolerate:
            return lost
        entries = ((key, record, words) for _, key, words, record in rows)
        with _scratch() as scratch:
            buckets = Sorted(scratch, 1, set(), entries)
            return self._told(make.make, part, Job(self.plan, buckets, scratch, 0, 1, 1, sorted(lost)))

    def check(self, part: int) -> Made | Exception:
        """One that is there."""
        with _scratch() as scratch:
            return self._told(make.check, part, Job(self.plan, Buckets(scratch, 1, set()), scratch, 0, 1, 1))

    def _told(self, function: Callable[[Job, Stores, int, Part], Made], part: int, job: Job) -> Made | Exception:
        """Errors that another try does not mend are answers."""
        try:
            return function(job, self.places.open(), 0, self.plan.parts()[part])
        except (UserError, StoreRefused) as error:
            return error


def export(
    stores: Stores,
    number: int | None,
    options: Options,
    means: Means,
    places: Places,
    progress: Callable[[str, int, int], None],
) -> Exported:
    """As `articles.export.export.export`. Spark shows its own progress, and knows its own means."""
    del progress
    spark = SparkSession.builder.appName("articles export").getOrCreate()
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(BATCH))

    def choose(snapshot: Snapshot, deduplicate: bool) -> list[File]:
        folder = _hadoop(places.source[0])
        return without_older(spark, snapshot, stores.source_layout, folder) if deduplicate else chosen(snapshot, False)

    begun = begin(stores, number, options, means.tolerate, choose)
    if isinstance(begun, Exported):
        return begun
    work = Work(begun.plan, places, frozenset(part.number for part in begun.missing), means.tolerate)
    done = check(spark, work, [part.number for part in begun.there]) + make_all(spark, work, begun.files)
    return finish(stores, begun, places, done, spark=spark.version)


def without_older(spark: SparkSession, snapshot: Snapshot, layout: Layout, folder: str) -> list[File]:
    """The snapshot's files, and which of their records are to be read: of several with one id the newest. `folder` is
    the prefix, as Spark names it. Raises UserError for a snapshot without rows."""
    files = snapshot.files()
    if not snapshot.manifest.rows:
        next(snapshot.rows(()))  # says so
    names = [layout.inside(layout.rows_key(one.name)) for one in snapshot.manifest.segments if one.records]
    rows = spark.read.format("avro").load([f"{folder}/{name}" for name in names]).select("key", "ids", "arrivals")
    newest = Window.partitionBy("id").orderBy(desc("arrival"), desc("key"), desc("record"))
    records = rows.mapInArrow(_records, "id binary, arrival long, key string, record int")
    older = records.withColumn("place", row_number().over(newest)).where("place > 1")
    by_file = older.groupBy("key").agg(collect_list("record").alias("records")).toLocalIterator()
    dropped = {layout.whole(row.key): frozenset(row.records) for row in by_file}
    return [kept for file in files if (kept := _without(file, dropped.get(file.key)))]


def make_all(spark: SparkSession, work: Work, files: Sequence[File]) -> list[Made]:
    """The parts that are to be made. Raises UserError and ChainError."""
    if not work.parts:
        return []
    tasks = [(pickle.dumps(one),) for one in readings(files)]
    slices = spark.sparkContext.parallelize(tasks, min(len(tasks), SLICES))
    records = spark.createDataFrame(slices, "reading binary").mapInArrow(work.read, ROW)
    # A part without records is a file too.
    empty = spark.createDataFrame([(part, b"", 0, b"") for part in work.parts], ROW)
    parts = records.union(empty).repartition(len(work.parts), "part").sortWithinPartitions("part", "key")
    return [_good(row.done) for row in parts.mapInArrow(work.write, "done binary").collect()]


def check(spark: SparkSession, work: Work, parts: Sequence[int]) -> list[Made]:
    """Those that are there. Raises likewise."""
    if not parts:
        return []
    slices = spark.sparkContext.parallelize(parts, min(len(parts), SLICES))
    return [_good(done) for done in slices.map(lambda part: pickle.dumps(work.check(part))).collect()]


def _records(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Of files' rows."""
    for key, ids, arrivals in _rows(batches):
        count = len(ids) // KEY_BYTES
        columns = [
            pa.Array.from_buffers(pa.binary(KEY_BYTES), count, [None, pa.py_buffer(ids)]).cast(pa.binary()),
            pa.Array.from_buffers(pa.int64(), count, [None, pa.py_buffer(arrivals)]),
            pa.array([key] * count, pa.string()),
            pa.array(range(count), pa.int32()),
        ]
        yield pa.RecordBatch.from_arrays(columns, ["id", "arrival", "key", "record"])


def _without(file: CatalogFile, dropped: frozenset[int] | None) -> File | None:
    """None where nothing is left."""
    if not dropped:
        return File(file)
    kept = array("L", (number for number in range(sum(file.counts)) if number not in dropped))
    return File(file, kept) if kept else None


def _good(done: bytes) -> Made:
    found = pickle.loads(done)  # noqa: S301 - our own
    if isinstance(found, Exception):
        raise found
    if not isinstance(found, Made):
        raise not_tolerated(found[0])
    return found


def _rows(batches: Iterable[pa.RecordBatch]) -> Iterator[Any]:
    for batch in batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _batch(rows: Sequence[Row]) -> pa.RecordBatch:
    values = [*zip(*rows, strict=True)] or [()] * len(COLUMNS)
    arrays = [pa.array(one, kind) for one, kind in zip(values, COLUMNS.values(), strict=True)]
    return pa.RecordBatch.from_arrays(arrays, [*COLUMNS])


@contextmanager
def _scratch() -> Iterator[Path]:
    """On the disks that Spark itself uses."""
    folders = os.environ.get("LOCAL_DIRS") or os.environ.get("SPARK_LOCAL_DIRS") or tempfile.gettempdir()
    with tempfile.TemporaryDirectory(dir=folders.split(",")[0], prefix="articles-export-") as folder:
        yield Path(folder)


def _hadoop(uri: str) -> str:
    """As Hadoop's file systems name it: without escapes."""
    if not is_remote(uri):
        return f"file://{Path(unquote(urlsplit(uri).path) if ':' in uri else uri).resolve()}"
    return uri.rstrip("/").replace("s3://", "s3a://", 1)


def main() -> int:
    """Exit status as of `articles`."""
    parser = argparse.ArgumentParser(
        "export.py",
        description="`articles export` on Spark: the same files. Spark's settings say what it may take: --memory,\n"
        "--processes and --scratch change nothing.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    try:
        return command.run(parser.parse_args(), export)
    except (UserError, StoreError) as error:
        note(f"export.py: {error}")
        return cli.WRONG if isinstance(error, ChainError) else cli.MISTAKE


if __name__ == "__main__":
    sys.exit(main())
