"""A jar that is missing, extra or changed is named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from consumer import jars
from consumer.java import jars_folder


@pytest.fixture
def listed(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "__init__.py").touch()
    for name in ("a.jar", "b.jar"):
        (tmp_path / name).write_bytes(name.encode())
    return {name: hashlib.sha256(name.encode()).hexdigest() for name in ("a.jar", "b.jar")}


def test_the_installed_jars_are_those_of_the_list() -> None:
    assert jars.problems(jars_folder()) == []


def test_the_list_names_the_daemon() -> None:
    listed = jars.listed(jars.LIST.read_text("ascii"))
    assert len(listed) == 79
    assert {"amazon-kinesis-client-3.1.3.jar", "amazon-kinesis-client-multilang-3.1.3.jar"} <= listed.keys()


def test_jars_that_are_as_listed_are_no_problem(tmp_path: Path, listed: dict[str, str]) -> None:
    assert jars.problems(tmp_path, listed) == []


def test_a_missing_an_extra_and_a_changed_jar_are_each_named(tmp_path: Path, listed: dict[str, str]) -> None:
    (tmp_path / "a.jar").unlink()
    (tmp_path / "b.jar").write_bytes(b"changed")
    (tmp_path / "c.jar").touch()
    changed = hashlib.sha256(b"changed").hexdigest()
    assert jars.problems(tmp_path, listed) == [
        "a.jar is missing",
        "c.jar is not on the list",
        f"b.jar has changed: its SHA-256 is {changed}, not {listed['b.jar']}",
    ]


def test_a_folder_that_is_not_there_misses_all(tmp_path: Path, listed: dict[str, str]) -> None:
    assert jars.problems(tmp_path / "none", listed) == ["a.jar is missing", "b.jar is missing"]
