"""One bucket, filled once, and what each reader needs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.emulator import Emulator
from tests.readers import maven
from tests.readers.stored import Stored, store

# They need gigabytes of packages: only the command of their own, `./run_tests.sh readers`, installs and collects them.
collect_ignore = [] if os.environ.get("ARTICLES_TEST_READERS") else ["test_readers.py"]


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture(scope="session")
def stored(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return store(emulator, tmp_path_factory.mktemp("stored"))


@pytest.fixture(scope="session")
def jars() -> Path:
    if reason := maven.missing():
        pytest.skip(f"{reason}so Java, Spark and Trino's parser are left out")
    return maven.fetched()
