"""Buckets of a few articles, read as if they were large."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from articles.training import reading


@pytest.fixture(autouse=True, scope="package")
def small_windows() -> Iterator[None]:
    """So that an epoch has several, and fetching ahead an end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "WINDOW_BYTES", 500)
        patch.setattr(reading, "AHEAD_BYTES", 300)
        yield
