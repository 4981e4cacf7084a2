"""Images are built once a run; each test file has a project of its own, which is taken down whatever happens."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.compose import PROJECT, Compose

HERE = Path(__file__).parent
# They build images and take minutes: only the command of their own collects them.
collect_ignore_glob = [] if os.environ.get("ARTICLES_TEST_CONTAINERS") else ["test_*.py"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker("containers")


@pytest.fixture(scope="session")
def images() -> None:
    """Both, from the sources as they are. Where the base image is there, no registry of images is asked."""
    done = subprocess.run(["docker", "compose", "build"], cwd=PROJECT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def compose(images: None) -> Iterator[Compose]:
    project = Compose(RECORDS="1000", RATE="40", SHARDS="6", FILE_AGE="3")
    yield project
    project.down()
