"""A small catalogue, for all tests of a process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.training.adapters.stored import store, store_with_gaps

HERE = Path(__file__).parent

# PyTorch and the others are 5 GB: only the command of their own, `./run_tests.sh training`, installs and collects them.
collect_ignore = (
    [] if os.environ.get("ARTICLES_TEST_TRAINING") else ["test_arrow.py", "test_huggingface.py", "test_torch.py"]
)


# Of machines with few cores, of newer Pythons on any fork, of torchdata on PyTorch.
IGNORED = (
    "ignore:This DataLoader will create",
    "ignore:This process .* is multi-threaded",
    "ignore:'set_vital' is deprecated",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for warning in IGNORED:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(scope="session")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    return store(tmp_path_factory.mktemp("stored"))


@pytest.fixture(scope="session")
def uri_with_gaps(tmp_path_factory: pytest.TempPathFactory) -> str:
    return store_with_gaps(tmp_path_factory.mktemp("gaps"))
