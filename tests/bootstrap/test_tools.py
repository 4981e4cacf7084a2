"""Java and Node are used where they are there and new enough, and an upgrade is noticed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap import tools

Program = Callable[..., str]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Makes a program that prints `said` on stderr, as java does, and ends with `status`."""

    def make(path: str, said: str, status: int = 0) -> str:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit {status}\n")
        file.chmod(0o755)
        return str(file)

    return make


@pytest.mark.parametrize(
    "said,major",
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17),
        ('java version "1.8.0_392"', 1),
        ('openjdk version "21-ea" 2023-09-19', 21),
        ('openjdk version "25" 2025-09-16 LTS', 25),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "11.0.2" 2019-01-15', 11),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", 0),
        ("", 0),
    ],
)
def test_javas_version_is_the_first_number(said: str, major: int) -> None:
    assert tools.java_major(said) == major


@pytest.mark.parametrize("said,major", [("v20.20.2\n", 20), ("v8.10.0", 8), ("20.1.0", 0), ("", 0)])
def test_nodes_version_is_the_first_number(said: str, major: int) -> None:
    assert tools.node_major(said) == major


def test_java_home_comes_before_the_path(program: Program, tmp_path: Path) -> None:
    program("home/bin/java", 'version "21"')
    program("path/java", 'version "17"')
    environment = {"JAVA_HOME": str(tmp_path / "home"), "PATH": str(tmp_path / "path")}
    assert tools.java_candidates(environment) == [str(tmp_path / "home/bin/java"), str(tmp_path / "path/java")]


def test_a_java_that_is_too_old_broken_or_absent_is_passed_over(program: Program, tmp_path: Path) -> None:
    old = program("old", 'version "11.0.2"')
    broken = program("broken", 'version "21"', status=1)
    good = program("good", 'version "17.0.1"')
    assert tools.first_java([str(tmp_path / "absent"), old, broken, good]) == good
    assert tools.first_java([old, broken]) is None


def test_node_counts_only_with_npm(program: Program, tmp_path: Path) -> None:
    node = program("bin/node", "v22.1.0")
    environment = {"PATH": str(tmp_path / "bin")}
    assert tools.node_candidates(environment) == []
    program("bin/npm", "10")
    assert tools.node_candidates(environment) == [node]


def test_the_fingerprint_changes_with_an_upgrade_and_a_removal(program: Program, tmp_path: Path) -> None:
    java = program("java", 'version "17"')
    first = tools.fingerprint([java])
    assert tools.fingerprint([java]) == first
    program("java", 'version "17.0.1"')
    second = tools.fingerprint([java])
    Path(java).unlink()
    assert len({first, second, tools.fingerprint([java])}) == 3
