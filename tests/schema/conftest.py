"""A bucket that both versions wrote."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest

from tests.consumer.kit import Bench
from tests.schema.sides import Side, lease
from tests.schema.worked_example import Version2


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    version = Version2(tmp_path_factory.mktemp("version-2"))
    yield Side(version.module)
    version.close()


@pytest.fixture(scope="module")
def old() -> Side:
    return Side(importlib.import_module)


@pytest.fixture
def mixed(old: Side, new: Side) -> Bench:
    """Version 2 took over from version 1, and was rolled back."""
    bench = Bench()
    first = old.worker(bench, file_records=3)
    first.process(*old.records(*range(1, 8)))
    first.shut_down()
    second = new.worker(bench, *lease(first), file_records=3)
    second.process(*new.records(*range(6, 16)))
    second.shut_down()
    third = old.worker(bench, *lease(second), file_records=3)
    third.process(*old.records(*range(14, 21)))
    third.shut_down()
    assert [first.parked, second.parked, third.parked] == [""] * 3
    return bench
