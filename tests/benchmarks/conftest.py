"""The benchmarks' own S3, and children that are driven as the benchmarks drive them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.bench import S3Stub


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[S3Stub]:
    with S3Stub(tmp_path, keep=True) as running:
        yield running


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stub looks at none, but a client wants some."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
