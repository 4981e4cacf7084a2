"""`articles export` over folders: processes of its own, memory, being killed for real."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random

import fastavro
import pytest

from articles import cli
from articles.export import export as exporting
from articles.export import formats, plan
from articles.export.limits import Limits
from articles.folder import FolderStore
from tests.articles.builder import Article, Chain, name
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
RECORDS = 1200
Articles = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a snapshot: 3.6 MB of articles that deflate badly, in many small files."""
    folder = tmp_path_factory.mktemp("bucket")
    store, random = FolderStore(folder), Random(1)
    for shard in range(3):
        chain = Chain(store, shard=name(shard), block_records=20)
        chain.root()
        for link in range(8):
            first = 1 + (shard * 8 + link) * RECORDS // 24
            numbers = range(first, first + RECORDS // 24)
            chain.link([Article(n, f"article {n} " + random.randbytes(1500).hex()) for n in numbers])
    assert cli.main(["catalog", "build", str(folder / "articles")]) == 0
    return folder / "articles"


def content(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def ids(folder: Path) -> list[str]:
    parts = [fastavro.reader(io.BytesIO(file.read_bytes())) for file in sorted(folder.rglob("*.avro"))]
    return [str(record["article_id"]) for part in parts for record in part if isinstance(record, dict)]


@pytest.fixture
def articles(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Articles:
    """`articles export newest` of it, with a scratch folder: status, output, errors."""

    def run(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        try:
            status = cli.main(["export", "newest", str(source), *words, "--scratch", str(tmp_path / "scratch")])
        except SystemExit as left:
            status = int(left.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def test_many_small_files_become_few_and_the_source_stays(articles: Articles, source: Path, tmp_path: Path) -> None:
    before = content(source)
    status, out, _ = articles("--to", str(tmp_path / "one"), "--file-size", "1MiB")
    assert status == 0
    assert out.startswith("2 files, 1,200 records, ")
    assert [*content(tmp_path / "one")] == ["manifest.json", "part-00000-of-00002.avro", "part-00001-of-00002.avro"]
    assert ids(tmp_path / "one") == ids(source / "data")
    assert content(source) == before
    assert [*(tmp_path / "scratch").iterdir()] == []
    status, out, _ = articles("--to", str(tmp_path / "one"), "--file-size", "1MiB")
    assert (status, "all there already" in out) == (0, True)


def test_any_number_of_processes_and_any_memory_give_the_same(articles: Articles, tmp_path: Path) -> None:
    wanted = ("--shuffle", "--seed", "5", "--split", "0.8/0.2", "--file-size", "512KiB", "--json")
    status, out, _ = articles("--to", str(tmp_path / "one"), *wanted, "--processes", "1", "--memory", "120MiB")
    assert status == 0
    said = json.loads(out)
    assert said["totals"]["records"] == RECORDS
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("articles.export.plan.TASK_BYTES", 1 << 20)
        assert articles("--to", str(tmp_path / "three"), *wanted, "--processes", "3")[0] == 0
    assert content(tmp_path / "three") == content(tmp_path / "one")
    assert sorted(ids(tmp_path / "one")) == sorted(f"a-{n}-0" for n in range(1, RECORDS + 1))


def test_it_may_be_killed_and_goes_on(source: Path, articles: Articles, tmp_path: Path) -> None:
    wanted = ["--shuffle", "--profile", "dense", "--file-size", "100KiB", "--processes", "2"]
    to, scratch = tmp_path / "killed", tmp_path / "scratch"
    command = [sys.executable, "-P", "-m", "articles", "export", "newest", str(source), "--to", str(to), *wanted]
    with subprocess.Popen(
        [*command, "--scratch", str(scratch)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert eventually(lambda: any(to.glob("part-*")) or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        assert process.stderr
        assert process.stderr.read() == b""  # until its own processes have ended, too
    assert process.returncode == -signal.SIGKILL
    there = content(to)
    assert there
    assert "manifest.json" not in there
    assert eventually(lambda: articles("--to", str(to), *wanted)[0] == 0)  # a lock is let go of when all have ended
    assert articles("--to", str(tmp_path / "whole"), *wanted)[0] == 0
    assert content(to) == content(tmp_path / "whole")
    assert there.items() <= content(to).items()


def test_a_process_that_ends_is_said(articles: Articles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("articles.export.pool._PROGRAM", "import os; os._exit(9)")
    monkeypatch.setattr("articles.export.plan.TASK_BYTES", 1 << 20)
    status, _, err = articles("--to", str(tmp_path / "one"), "--processes", "2")
    assert status == 2
    assert "a process of the export ended (9)" in err


def test_ten_times_the_memory_that_a_process_may_work_with(
    articles: Articles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = 350 << 10
    monkeypatch.setattr(exporting, "divide", lambda *_: Limits(1, each, 1))
    monkeypatch.setattr(formats, "BLOCK_BYTES", 64 << 10)
    assert articles("--to", str(tmp_path / "warm"), "--file-size", "150KiB")[0] == 0
    tracemalloc.start()
    try:
        assert articles("--to", str(tmp_path / "one"), "--shuffle", "--file-size", "150KiB")[0] == 0
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 10 * each < RECORDS * 3000
    assert peak < 2.5 * each + (1 << 20)


@pytest.mark.parametrize(
    "words, said",
    [
        (("--to", "SOURCE/exports"), "which stays as it is"),
        (("--to", "SOURCE"), "which stays as it is"),
        (("--to", "OUT", "--seed", "3"), "--seed belongs to --shuffle"),
        (("--to", "OUT", "--split", "1"), "is no split"),
        (("--to", "OUT", "--memory", "10MiB"), "give 237MiB or more"),
        (("--to", "OUT", "--processes", "0"), "--processes must be"),
        (("--to", "OUT", "--file-size", "big"), "is no size"),
        (("--to", "OUT", "--format", "csv"), "invalid choice"),
        ((), "--to"),
    ],
)
def test_mistakes_are_said(articles: Articles, source: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    words = tuple(word.replace("SOURCE", str(source)).replace("OUT", str(tmp_path / "out")) for word in words)
    status, out, err = articles(*words)
    assert (status, out) == (2, "")
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_a_snapshot_is_a_number_or_newest(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, said in (("latest", "its number, or newest"), ("7", "there is no snapshot 7")):
        assert cli.main(["export", number, str(source), "--to", str(tmp_path / "out")]) == 2
        assert said in capsys.readouterr().err


def test_without_pyarrow_parquet_is_refused_at_once(
    articles: Articles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("pyarrow", "articles.export.parquet"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    status, _, err = articles("--to", str(tmp_path / "one"), "--format", "parquet")
    assert status == 2
    assert "needs pyarrow" in err


def test_two_at_the_same_export_do_not_share_a_scratch_folder(
    articles: Articles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[tuple[int, str, str]] = []
    readings = plan.readings

    def meanwhile(*args: object) -> object:
        answers.append(articles("--to", str(tmp_path / "other")))
        return readings(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting, "readings", meanwhile)
    assert articles("--to", str(tmp_path / "one"))[0] == 0
    (status, _, err), *_ = answers
    assert status == 2
    assert "another process is at the same export" in err
