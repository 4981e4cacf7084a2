"""A reader in a process and environment of its own: runs a snippet of docs/readers.md word for word, and writes what it
read as lines of JSON. `python -P -m tests.readers.side READER OUTPUT < SNIPPET`; where the store is comes from the
environment. The last line of standard output is the average, as an array that begins with it.

A snippet in Python leaves `articles`, which is what the reader calls its records, and `average`. One in SQL makes a
view `articles`, and its last statement asks for the average.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

Row = Mapping[str, Any]
Read = tuple[Iterable[Row], list[Any]]


def python(snippet: str) -> Read:
    """Records are dicts, or a DataFrame that says how to be some."""
    found: dict[str, Any] = {"__name__": "snippet"}
    exec(compile(snippet, "docs/readers.md", "exec"), found)
    articles, average = found["articles"], found["average"]
    if hasattr(articles, "to_dicts"):  # Polars
        return articles.to_dicts(), [average]
    if hasattr(articles, "collect"):  # Spark
        # As Python's own datetime, a time would be the local one, without saying so.
        millis = _there("pyspark.sql.functions").unix_millis("arrival_timestamp")
        exact = articles.withColumn("arrival_timestamp", millis)
        return (row.asDict() for row in exact.toLocalIterator()), [average]
    if hasattr(articles, "iterrows"):  # pandas
        return articles.astype(object).where(articles.notna(), None).to_dict("records"), [average]
    return articles, [average]


def duckdb(snippet: str) -> Read:
    library = _there("duckdb")
    # Where INSTALL puts extensions: it downloads none that are there.
    extensions = Path("extensions").resolve()
    (platform,) = library.sql("PRAGMA platform").fetchone()
    for name in ("avro", "httpfs"):
        (package,) = _there(f"duckdb_extension_{name}").__path__
        (packaged,) = Path(package).glob("extensions/*/*")
        target = extensions / packaged.parent.name / platform
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(packaged, target)
    database = library.connect(config={"extension_directory": str(extensions)})
    store = urlsplit(os.environ["AWS_ENDPOINT_URL_S3"])
    database.execute(
        "LOAD httpfs; CREATE SECRET (TYPE s3, KEY_ID 'test', SECRET 'test', REGION 'us-east-1', URL_STYLE 'path', "
        f"USE_SSL false, ENDPOINT '{store.netloc}')"
    )
    average = database.execute(snippet).fetchone()
    names = [name for name, *_ in database.execute("DESCRIBE articles").fetchall()]
    rows = database.execute("SELECT * FROM articles").fetchall()
    return (dict(zip(names, row, strict=True)) for row in rows), list(average or ())


def hive(snippet: str) -> Read:
    """Statements for Athena, in Spark, which brings Hive's own reader of Avro. It finds partitions by looking."""
    metastore = "jdbc:derby:memory:metastore;create=true"
    builder = _there("pyspark.sql").SparkSession.builder.enableHiveSupport()
    spark = builder.config("spark.hadoop.javax.jdo.option.ConnectionURL", metastore).getOrCreate()
    *statements, query = (part for part in re.split(r";\s*(?:\n|$)", snippet) if part.strip())
    for statement in statements:
        spark.sql(statement).collect()
        if created := re.search(r"CREATE EXTERNAL TABLE (\w+)", statement):
            spark.sql(f"MSCK REPAIR TABLE {created[1]}")
    return (row.asDict() for row in spark.table("articles").toLocalIterator()), list(spark.sql(query).head() or ())


def plain(value: Any) -> Any:
    """Times as milliseconds since the epoch. One without a zone is taken for UTC."""
    if isinstance(value, datetime):
        value = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(value.timestamp() * 1000)
    return value.isoformat() if isinstance(value, date) else value


def _there(module: str) -> Any:
    """What only the readers' environment has."""
    return importlib.import_module(module)


READERS: Final[Mapping[str, Callable[[str], Read]]] = {"duckdb": duckdb, "hive": hive, "python": python}


def main() -> None:
    reader, output = sys.argv[1:]
    rows, average = READERS[reader](sys.stdin.read())
    with Path(output).open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps({name: plain(value) for name, value in row.items()}) + "\n")
    print(json.dumps(average, default=str))


if __name__ == "__main__":
    main()
