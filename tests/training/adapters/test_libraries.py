from __future__ import annotations

import os
from importlib.metadata import version

import pytest


@pytest.mark.skipif(
    not os.environ.get("ARTICLES_TEST_TRAINING"),
    reason="the adapters' tests with PyTorch, datasets, Arrow, pandas and Polars: ./run_tests.sh training",
)
def test_the_libraries_are_there() -> None:
    assert all(map(version, ("torch", "torchdata", "datasets", "pyarrow", "pandas", "polars")))
