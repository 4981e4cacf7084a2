"""The example, trained for real: it learns, and what it learns from is the same whatever happens to it."""

from __future__ import annotations

import re
import signal
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import pytest

from articles.catalog.build import build
from articles.folder import FolderStore
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from local.generator import generate
from tests.articles.builder import Article, Chain, name
from tests.examples.script import COMPARE, TRAIN, run, start
from tests.fakes import FakeClock
from tests.waiting import eventually

ARTICLES = 400
OPTIONS = ("--epochs", "2", "--batch", "8", "--save-every", "7")


class News(Chain):
    """With the titles of generated articles."""

    titles: ClassVar[dict[str, str | None]] = {}

    def _avro(self, record: Article) -> dict[str, Any]:
        return {**Chain._avro(self, record), "title": self.titles[record.article_id]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds bucket/articles, with a snapshot, and `calm`, a run that nothing happened to, with what it printed."""
    folder = tmp_path_factory.mktemp("example")
    files = FolderStore(folder / "bucket")
    made = list(enumerate(islice(generate(1), ARTICLES), 1))
    News.titles = {str(article["article_id"]): article["title"] for _, article in made}
    for shard in range(3):
        chain = News(files, shard=name(shard), block_records=20)
        chain.root()
        own = [
            Article(number, str(article["content"]), article_id=str(article["article_id"]))
            for number, article in made[shard::3]
        ]
        for first in range(0, len(own), 70):
            chain.link(own[first : first + 70])
    build(RetryingStore(files, FakeClock()), Layout("articles"), Selection(), FakeClock())
    status, printed = run(TRAIN, "bucket/articles", "calm", *OPTIONS, folder=folder)
    assert status == 0, printed
    (folder / "calm" / "printed").write_text(printed)
    return folder


def test_it_learns_to_summarize(folder: Path) -> None:
    printed = (folder / "calm" / "printed").read_text()
    (baseline,) = re.findall(r"baseline ([\d.]+):", printed)
    held_out = [float(loss) for loss in re.findall(r"held out: ([\d.]+);", printed)]
    assert len(held_out) == 2
    assert held_out == sorted(held_out, reverse=True)
    assert held_out[-1] < 0.8 * float(baseline)


def test_epochs_have_different_orders(folder: Path) -> None:
    digests = [line.split("\t")[3] for line in (folder / "calm" / "steps.tsv").read_text().splitlines()]
    assert len(digests) == len(set(digests)) > 80


def test_a_killed_run_goes_on_with_the_very_next_article(folder: Path) -> None:
    log = folder / "killed" / "steps.tsv"
    with start(TRAIN, "bucket/articles", "killed", *OPTIONS, folder=folder) as process:
        assert eventually(lambda: log.exists() and log.read_text().count("\n") >= 40)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
    status, printed = run(TRAIN, "bucket/articles", "killed", *OPTIONS, folder=folder)
    assert status == 0, printed
    assert int(re.findall(r"after step (\d+) of", printed)[0]) >= 35
    status, printed = run(COMPARE, "calm", "killed", folder=folder)
    assert status == 0, printed
    assert "losses within 0.0000" in printed.splitlines()[-1]


def test_two_processes_with_workers_go_on_where_one_was_killed(folder: Path) -> None:
    status, _ = run(TRAIN, "bucket/articles", "grown", *OPTIONS, "--kill-after", "47", folder=folder)
    assert status == -signal.SIGKILL
    two = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    status, printed = run(*two, TRAIN, "bucket/articles", "grown", *OPTIONS, "--workers", "2", folder=folder)
    assert status == 0, printed
    assert "after step 42 of" in printed
    status, printed = run(COMPARE, "calm", "grown", folder=folder)
    assert status == 0, printed
    assert "5 of them twice: the same articles in the same order" in printed


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["bucket/nothing"], "there is no folder"),
        (["empty"], "`articles catalog build`"),
        (["bucket/articles", "--batch", "0"], "--batch 0"),
        (["bucket/articles", "--batch", "1000"], "too few"),
        (["bucket/articles", "calm", "--seed", "1"], "its seed is 0"),
    ],
)
def test_mistakes_are_told(arguments: list[str], said: str, folder: Path) -> None:
    (folder / "empty").mkdir(exist_ok=True)
    status, printed = run(TRAIN, *arguments, folder=folder)
    assert status == 2, printed
    assert said in printed
    assert "Traceback" not in printed
