"""The locks: exact, hashed, and silent about where the files come from, so that everybody's own mirror serves."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LOCKS = sorted((ROOT / "bootstrap" / "requirements").glob("*.lock"))


def _pins(lock: Path) -> set[tuple[str, str]]:
    return set(re.findall(r"(?m)^([a-z0-9-]+)==([^ ]+)", lock.read_text("utf-8")))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.stem))
def test_every_line_is_an_exact_version_with_hashes(lock: Path) -> None:
    text = re.sub(r"#.*\n", "", lock.read_text("utf-8")).replace("\\\n", " ")
    requirement = re.compile(r"[a-z0-9-]+==[0-9][^ ]*( ; [^-]+)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert text
    assert [line for line in text.splitlines() if not requirement.fullmatch(line)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.stem))
def test_the_lock_holds_what_was_asked_for(lock: Path) -> None:
    names = r"(?m)^[a-z0-9-]+"
    asked = set(re.findall(names, lock.with_suffix(".in").read_text("utf-8")))
    assert asked
    assert asked <= set(re.findall(names, lock.read_text("utf-8")))


def test_two_locks_never_ask_for_different_versions() -> None:
    apart = ("benchmarks", "peers", "readers")  # which have their own environments
    together = [lock for lock in LOCKS if lock.stem not in apart]
    pins = set().union(*map(_pins, together))
    assert len({name for name, _ in pins}) == len(pins)


def test_our_reader_has_the_same_versions_beside_the_peers_as_in_a_worker() -> None:
    pins = {lock.stem: dict(_pins(lock)) for lock in LOCKS}
    ours = ("backports-zstd", "fastavro", "isal", "msgspec", "obstore")
    assert {name: pins["peers"][name] for name in ours} == {name: pins["runtime"][name] for name in ours}


def test_what_a_worker_needs_is_what_the_project_declares() -> None:
    declared = (ROOT / "pyproject.toml").read_text("utf-8").split("dependencies = [", 1)[1].split("]", 1)[0]
    asked = (ROOT / "bootstrap" / "requirements" / "runtime.in").read_text("utf-8")
    assert set(re.findall(r'(?m)^    "([a-z0-9-]+)', declared)) == set(re.findall(r"(?m)^[a-z0-9-]+", asked))


def test_the_emulators_npm_package_is_held_by_its_hash() -> None:
    packages = json.loads((ROOT / "local" / "package-lock.json").read_text("utf-8"))["packages"]
    asked = packages.pop("")["dependencies"]
    assert asked == {"kinesis-local": packages["node_modules/kinesis-local"]["version"]}
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
