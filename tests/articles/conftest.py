"""A bucket in memory, behind the retry policy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from articles import cli, options
from articles.keys import Layout
from articles.retry import RetryingStore
from tests.fakes import FakeClock, MemoryStore


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def store(memory: MemoryStore) -> RetryingStore:
    return RetryingStore(memory, FakeClock())


@pytest.fixture
def layout() -> Layout:
    return Layout("articles")


@pytest.fixture
def articles(
    monkeypatch: pytest.MonkeyPatch, store: RetryingStore, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The console script over that bucket: exit status, standard output, standard error."""
    for name in ("BUCKET", "PREFIX", "STREAM_NAME", "APPLICATION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(options, "open_store", lambda _args: store)

    def run(*words: str) -> tuple[int, str, str]:
        try:
            status = cli.main(words)
        except SystemExit as left:
            status = int(left.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run
