"""A bucket in a folder, and Spark, started once for all tests of a process."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import pytest

from articles import tombstones
from articles.catalog.build import build
from articles.folder import FolderStore
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from local.emulator import Emulator
from tests.articles.builder import MORNING, Article, Chain, name
from tests.fakes import FakeClock
from tests.readers import maven

ROOT: Final = Path(__file__).parents[2]
THREADS: Final = 4
SECONDS: Final = 120

# Spark is there only with the plan `readers`: `./run_tests.sh readers` installs it and collects these.
collect_ignore = [] if os.environ.get("ARTICLES_TEST_READERS") else ["test_export.py"]


@dataclass(frozen=True, slots=True)
class Done:
    status: int
    out: str
    err: str


Submit = Callable[..., Done]
"""`jobs/export.py` with these arguments."""


def fill(folder: Path) -> Path:
    """Three shards of other codecs over three days; articles that come again, at the same time or without one; KPL
    records, rejected ones, a link without any, a tombstone."""
    store, random = FolderStore(folder), Random(5)
    number = 0
    for shard, codec in enumerate(("deflate", "zstandard", "null")):
        links = Chain(store, shard=name(shard), codec=codec, block_records=5)
        links.root()
        for link in range(6):
            made: list[Article] = []
            for _ in range(0 if link == 4 else random.randrange(4, 24)):
                number += random.randrange(2)
                made.append(
                    Article(
                        1 + number,
                        " ".join(
                            random.choices("news Grüße 東京 of the \U0001f30d day".split(), k=random.randrange(1, 200))
                        ),
                        sub=len(made),
                        arrival=random.choice([None, MORNING, MORNING + 1, MORNING + 2]),
                        article_id=f"id-{random.randrange(150)}",
                    )
                )
            links.link([*made, Article(2 + number, None, sub=99)], page=f"2025-06-{16 + link // 2}")
            number += 2
    retrying = RetryingStore(store, FakeClock())
    for gone in ("id-7", "id-31", "never was"):
        tombstones.add(retrying, Layout("articles"), gone, "asked", FakeClock())
    build(retrying, Layout("articles"), Selection(), FakeClock())
    return folder / "articles"


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("bucket"))


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="session")
def submit(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Submit]:
    if reason := maven.missing():
        pytest.skip(f"{reason}so Spark is left out")
    folder = tmp_path_factory.mktemp("spark")
    home = ROOT / ".venv" / "readers" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": str(THREADS),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={folder}",
        "spark.hadoop.fs.s3a.endpoint": emulator.endpoint_urls["s3"],
        "spark.hadoop.fs.s3a.path.style.access": "true",
    }
    command: list[str | Path] = [
        *(home / "pyspark" / "bin" / "spark-submit", "--master", f"local[{THREADS}]", "--driver-memory", "1g"),
        *("--jars", ",".join(maven.but(maven.fetched(), *maven.SPARKS_OWN))),
        *(word for key, value in settings.items() for word in ("--conf", f"{key}={value}")),
        ROOT / "tests" / "jobs" / "driver.py",
    ]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYSPARK_")},
        **emulator.environment(),
        "JAVA_HOME": str(Path(maven.java()).resolve().parents[1]),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
        "SPARK_HOME": str(home / "pyspark"),
        "SPARK_LOCAL_DIRS": str(folder),
        "TMPDIR": str(folder),
    }
    log = folder / "log"
    with socket.create_server(("127.0.0.1", 0)) as server, log.open("wb") as output:
        server.settimeout(SECONDS)
        port = str(server.getsockname()[1])
        with subprocess.Popen([*command, port], env=environment, cwd=folder, stdout=output, stderr=output) as running:
            try:
                connection, _ = server.accept()
                connection.settimeout(SECONDS)
                with connection, connection.makefile("rw", encoding="utf-8") as stream:

                    def run(*arguments: str | Path) -> Done:
                        stream.write(json.dumps([*map(str, arguments)]) + "\n")
                        stream.flush()
                        return Done(*json.loads(stream.readline()))

                    yield run
            except TimeoutError:
                pytest.fail(log.read_text("utf-8", "replace")[-3000:])
            finally:
                running.terminate()
