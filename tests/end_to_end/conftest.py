"""One emulator for each file of tests, one pipeline for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from local.emulator import Emulator
from tests.end_to_end.pipeline import Pipeline

MakePipeline = Callable[..., Pipeline]


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def make_pipeline(emulator: Emulator, tmp_path: Path) -> Iterator[MakePipeline]:
    """`make_pipeline(shards, SETTING="value")`: provisioned and watched; whatever still runs at the end is killed."""
    with ExitStack() as stack:

        def make(shards: int, **settings: str) -> Pipeline:
            pipeline = Pipeline(emulator, tmp_path, shards, settings)
            stack.callback(pipeline.close)
            stack.enter_context(pipeline.watcher)
            return pipeline

        yield make
