"""Two versions of the software, and what each makes of one bucket."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any
from unittest import mock

from articles import schema
from tests.consumer.kit import LAYOUT, Bench, Worker
from tests.fakes import FakeClock

ALL = [field["name"] for field in schema.ARTICLE["fields"]]
WORDS, BOTH = "word-count-1", "word-count-1+sentence-count-1"


class Side:
    """What one version makes of a bucket."""

    def __init__(self, module: Callable[[str], Any]) -> None:
        self.module = module
        self.kit = module("tests.consumer.kit")
        self.schema = module("articles.schema")

    def worker(self, bench: Bench, start: str = "TRIM_HORIZON", sub: int = 0, **changed: Any) -> Worker:
        worker: Worker = self.kit.Worker(bench, **changed)
        worker.shard.start(start, sub)
        return worker

    def records(self, *numbers: int) -> list[Any]:
        return [self.kit.record(number, content(number)) for number in numbers]

    def store(self, bench: Bench) -> Any:
        return self.module("articles.retry").RetryingStore(bench.store, FakeClock())

    def verify(self, bench: Bench) -> Any:
        verify = self.module("articles.verify")
        return verify.verify(self.store(bench), self.kit.LAYOUT, None, verify.Checks(deep=True))

    def average(self, bench: Bench) -> Any:
        return self.module("articles.average").compute(self.store(bench), self.kit.LAYOUT)

    def build(self, bench: Bench) -> Any:
        selection = self.module("articles.scan").Selection()
        built = self.module("articles.catalog.build")
        return built.build(self.store(bench), self.kit.LAYOUT, selection, FakeClock()).manifest

    def dataset(self, bench: Bench, **said: Any) -> Any:
        opened = self.store(bench), self.kit.LAYOUT
        with mock.patch.object(self.module("articles.location"), "open_uri", return_value=opened):
            return self.module("articles").ArticleDataset("memory://p", tolerate=0, **said)


def content(number: int) -> str:
    return "A sentence. And 第二句。 " * (number % 4) + "the rest"


def sentences(number: int) -> int:
    return 2 * (number % 4)


def copy(bench: Bench) -> Bench:
    made = Bench()
    made.store.objects = deepcopy(bench.store.objects)
    return made


def rows(bench: Bench) -> list[dict[str, Any]]:
    return [row for key in bench.store.keys(LAYOUT.data) for row in bench.rows(key)]


def versions(bench: Bench) -> list[tuple[int, str]]:
    links = [bench.link(key) for key in bench.store.keys(LAYOUT.data)]
    return [(link.schema, link.enrichment) for link in links]


def check(bench: Bench, count: int, old: Side, new: Side) -> None:
    """Every record is stored once, by whichever version, and both versions say so."""
    stored = rows(bench)
    assert [row["sequence_number"] for row in stored] == [str(number) for number in range(1, count + 1)]
    assert [row["content"] for row in stored] == [content(number) for number in range(1, count + 1)]
    assert all(row.get("sentence_count", sentences(n)) == sentences(n) for n, row in enumerate(stored, 1))
    assert old.verify(bench).ok
    assert new.verify(bench).ok
    assert old.average(bench).value == new.average(bench).value


def lease(worker: Worker) -> tuple[str, int]:
    sequence, _, sub = worker.lease.written[-1].partition(":")
    return sequence, int(sub)
