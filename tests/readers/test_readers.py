"""Whatever reads Avro reads the files: every record that was put, in all its columns, and the average."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import fastavro
import pytest

from local.emulator import Emulator
from tests.readers import maven
from tests.readers.document import ROOT, SQL, athena, can, code, query, table
from tests.readers.stored import BUCKET, IN_ZSTD, PREFIX, Row, Stored

ELSEWHERE = Path(sys.prefix) / "readers" / "bin" / "python"
SECONDS = 240
PLAIN = ("fastavro", "pandas", "Polars", "DuckDB")
OURS = ("Hugging Face", "PyTorch")
IN_ZSTD_TOO = f"""
zstandard = spark.read.format("avro").load("s3a://{BUCKET}/{IN_ZSTD}/data")
assert zstandard.select(avg("word_count")).first()[0] > 5000
"""
ASSERTED = {
    "Spark": IN_ZSTD_TOO + "assert articles.schema['dt'].dataType.typeName() == 'date'\n",
    "pandas": "assert articles['title'].isna().any()\n",
}
"""What else the page says of a reader, behind its code."""


@dataclass(frozen=True, slots=True)
class Read:
    rows: Sequence[Row]
    average: Sequence[float]


class Failed(Exception):
    """With the end of what the reader said."""


Reader = Callable[..., Read]


@pytest.fixture
def read(stored: Stored, emulator: Emulator, tmp_path: Path, request: pytest.FixtureRequest) -> Reader:
    """The page's code under that heading, in a process of its own, in a time zone that is not UTC."""

    def read(heading: str, prefix: str = PREFIX, snippet: str | None = None) -> Read:
        snippet = code(heading) if snippet is None else snippet
        environment = {**os.environ, **stored.environment, "PYTHONPATH": str(ROOT), "TZ": "Asia/Kolkata"}
        environment |= dict.fromkeys(("TMPDIR", "HF_HOME", "SPARK_LOCAL_DIRS"), str(tmp_path))
        if heading in ("Spark", "Hive"):
            jars: Path = request.getfixturevalue("jars")
            environment |= spark(emulator.endpoint_urls["s3"], jars, tmp_path)
        kind = {"DuckDB": "duckdb", "Hive": "hive"}.get(heading, "python")
        python = sys.executable if heading in OURS else ELSEWHERE
        output = tmp_path / "rows"
        done = subprocess.run(
            [python, "-P", "-m", "tests.readers.side", kind, output],
            input=snippet.replace(f"{BUCKET}/{PREFIX}", f"{BUCKET}/{prefix}"),
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        if done.returncode:
            raise Failed(done.stderr[-3000:])
        return Read(rows_in(output), json.loads(done.stdout.splitlines()[-1]))

    return read


def spark(endpoint: str, jars: Path, folder: Path) -> dict[str, str]:
    """What spark-submit is told by who has it write to AWS, and where the emulator is."""
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={folder}",
        "spark.hadoop.hive.exec.scratchdir": str(folder / "hive"),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.hadoop.fs.s3a.endpoint": endpoint,
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",  # of Athena's s3://
    }
    told = " ".join(f"--conf {name}={value}" for name, value in settings.items())
    own = [
        "--master local[2] --driver-memory 1g",
        f"--jars {','.join(maven.but(jars, *maven.SPARKS_OWN))}",
        told,
        "pyspark-shell",
    ]
    home = str(Path(maven.java()).resolve().parents[1])
    return {"PYSPARK_SUBMIT_ARGS": " ".join(own), "PYSPARK_PYTHON": str(ELSEWHERE), "JAVA_HOME": home}


def java(stored: Stored, program: str, jars: Sequence[str], *arguments: str | Path) -> str:
    command = [maven.java(), "-cp", os.pathsep.join(jars), maven.HERE / f"{program}.java", *arguments]
    environment = {**os.environ, **stored.environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise Failed(done.stderr[-3000:])
    return done.stdout


def rows_in(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]


def place(row: Row) -> tuple[str, int, int]:
    return row["shard_id"], int(row["sequence_number"]), row["sub_sequence_number"]


def assert_same(found: Sequence[Row], put: Sequence[Row]) -> None:
    rows = [{name: value for name, value in row.items() if name != "dt"} for row in found]
    assert sorted(rows, key=place) == sorted(put, key=place)


def assert_all_there(found: Read, put: Sequence[Row], with_dt: bool, total: tuple[int, int]) -> None:
    """`total`: words and records, as `articles average` gives them."""
    words, records = total
    assert ["dt" in row for row in found.rows] == [with_dt] * len(found.rows)
    assert_same(found.rows, put)
    average, *exact = found.average
    assert average == words / records
    assert not exact or Fraction(int(exact[0]), int(exact[1])) == Fraction(words, records)


@pytest.fixture(scope="session")
def total(stored: Stored) -> tuple[int, int]:
    """Of `articles average`; and there is a snapshot afterwards."""
    said = json.loads(articles(stored, "average", "--bucket", BUCKET, "--json"))
    articles(stored, "catalog", "build", f"s3://{BUCKET}/{PREFIX}")
    articles(stored, "catalog", "build", f"s3://{BUCKET}/{IN_ZSTD}")
    return said["words"], said["records"]


def articles(stored: Stored, *words: str) -> str:
    command = [sys.executable, "-P", "-m", "articles", *words]
    environment = {**os.environ, **stored.environment, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_bucket_has_all_that_readers_stumble_over(stored: Stored, total: tuple[int, int]) -> None:
    pages = {key.split("/")[2] for key in stored.links}
    assert len(pages) == 4
    assert sorted(stored.links.values())[:4] == [0, 0, 0, 1]
    assert max(stored.links.values()) > 1_000
    ids = [row["article_id"] for row in stored.rows]
    assert len(ids) - len(set(ids)) == 24
    assert {None} < {row["extra"] for row in stored.rows}
    assert {None} < {row["arrival_timestamp"] for row in stored.rows}
    assert total == (sum(row["word_count"] for row in stored.rows), len(stored.rows))


@pytest.mark.parametrize("reader", [*PLAIN, *OURS, "Spark"])
def test_a_reader_finds_every_record_and_the_average(
    reader: str, read: Reader, stored: Stored, total: tuple[int, int]
) -> None:
    assert can(reader, "from S3")
    checked = code(reader) + ASSERTED.get(reader, "")
    assert_all_there(read(reader, snippet=checked), stored.rows, can(reader, "dt"), total)


def test_java_finds_every_record_and_the_average(
    stored: Stored, jars: Path, total: tuple[int, int], tmp_path: Path
) -> None:
    assert can("Java", "from S3")
    said = java(stored, "ReadArticles", maven.but(jars), BUCKET, PREFIX, tmp_path / "rows")
    found = Read(rows_in(tmp_path / "rows"), json.loads(said))
    assert_all_there(found, stored.rows, can("Java", "dt"), total)


def test_athenas_table_has_every_record_and_the_average_in_hives_reader(
    read: Reader, stored: Stored, total: tuple[int, int]
) -> None:
    assert can("Athena, Glue, Trino", "zstandard")
    assert can("Spark", "zstandard")
    zstandard = (
        athena().replace(f"{BUCKET}/{PREFIX}", f"{BUCKET}/{IN_ZSTD}").replace("TABLE articles", "TABLE zstandard")
    )
    length = sum(len(row["content"].encode()) for row in stored.zstd)
    zstandard += f"SELECT assert_true(sum(octet_length(content)) = {length}) FROM zstandard;\n"
    found = read("Hive", snippet=zstandard + athena() + query())
    assert_all_there(found, stored.rows, can("Athena, Glue, Trino", "dt"), total)


def test_trinos_parser_takes_the_statement(stored: Stored, jars: Path) -> None:
    said = java(stored, "ParseTrino", maven.but(jars), SQL / "trino.sql").splitlines()
    assert [line for line in said if line.startswith("column ")][5] == "column word_count integer"
    assert "dt property partition_projection_range ARRAY['2024-01-01','NOW']" in said
    assert "property partitioned_by ARRAY['dt']" in said


def test_the_folder_s_day_is_a_date_in_duckdb(read: Reader) -> None:
    kind = "SELECT typeof(dt), count(*) FROM articles WHERE dt = DATE '2026-11-23' GROUP BY ALL"
    assert read("DuckDB", snippet=code("DuckDB") + kind).average == ["DATE", 23]


@pytest.mark.parametrize("reader", [*PLAIN, *OURS])
def test_who_reads_zstandard(reader: str, read: Reader, stored: Stored, total: tuple[int, int]) -> None:
    if table()[reader]["zstandard"] == "yes":
        assert_same(read(reader, IN_ZSTD).rows, stored.zstd)
    else:  # or not with the packages that are here
        with pytest.raises(Failed, match="codec"):
            read(reader, IN_ZSTD)


def test_fastavro_reads_zstandard_with_the_package_for_it(stored: Stored) -> None:
    """Which is here, and not where the readers are."""
    found: list[Any] = []
    for path in (stored.copy / BUCKET / IN_ZSTD).glob("data/dt=*/*.avro"):
        with path.open("rb") as file:
            found += fastavro.reader(file)
    assert [row["content"] for row in found] == [row["content"] for row in stored.zstd]


def test_java_reads_zstandard_with_the_package_for_it(stored: Stored, jars: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows"
    java(stored, "ReadArticles", maven.but(jars), BUCKET, IN_ZSTD, output)
    assert_same(rows_in(output), stored.zstd)
    with pytest.raises(Failed, match="NoClassDefFoundError: com/github/luben/zstd"):
        java(stored, "ReadArticles", maven.but(jars, "zstd-"), BUCKET, IN_ZSTD, output)


@pytest.mark.parametrize(
    "reader, snippet",
    [
        ("Polars", 'import polars as pl\npl.scan_avro("s3://my-bucket/articles/data")'),
        ("Polars", 'import polars as pl\npl.read_avro("data/dt=*/*.avro")'),
        ("Polars", 'import polars as pl\npl.read_avro("s3://my-bucket/articles/data/dt=2026-11-24/x.avro")'),
        ("pandas", 'import pandas as pd\npd.read_avro("a.avro")'),
        ("Hugging Face", 'from datasets import packaged_modules as p\np._PACKAGED_DATASETS_MODULES["avro"]'),
    ],
)
def test_what_a_reader_cannot_do(reader: str, snippet: str, read: Reader) -> None:
    with pytest.raises(Failed, match=r"no attribute '(scan|read)_avro'|No such file or directory|KeyError: 'avro'"):
        read(reader, snippet=snippet)
