"""Finds Java and Node on this machine, and asks them for their version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

OLDEST_JAVA: Final = 17
OLDEST_NODE: Final = 20
_JAVA_VERSION: Final = re.compile(r'version "(\d+)')
_NODE_VERSION: Final = re.compile(r"v(\d+)\.")


def java_candidates(environment: Mapping[str, str]) -> list[str]:
    """Where a Java may be, the preferred one first."""
    home = environment.get("JAVA_HOME")
    return [*([f"{home}/bin/java"] if home else []), *_on_path("java", environment)]


def node_candidates(environment: Mapping[str, str]) -> list[str]:
    """Node, if npm is there too (Debian has it in a package of its own)."""
    return _on_path("node", environment) if _on_path("npm", environment) else []


def compiler_candidates(environment: Mapping[str, str]) -> list[str]:
    """Where a C compiler may be."""
    return [path for name in (environment.get("CC") or "cc", "gcc", "clang") for path in _on_path(name, environment)]


def python_headers() -> str:
    """Where they usually are."""
    return f"{sys.base_prefix}/include/python{sys.version_info[0]}.{sys.version_info[1]}/Python.h"


def first_java(candidates: Iterable[str]) -> str | None:
    """The first that runs and is new enough. (macOS has a `java` that only says where to get one.)"""
    return next((java for java in candidates if java_major(_said(java, "-version")) >= OLDEST_JAVA), None)


def first_node(candidates: Iterable[str]) -> str | None:
    return next((node for node in candidates if node_major(_said(node, "--version")) >= OLDEST_NODE), None)


def java_major(said: str) -> int:
    """From what `java -version` prints: 17 of `version "17.0.15"`, 1 of `version "1.8.0_392"`, 0 if it is not Java."""
    match = _JAVA_VERSION.search(said)
    return int(match[1]) if match else 0


def node_major(said: str) -> int:
    """From what `node --version` prints: 20 of `v20.20.2`, 0 if it is not Node."""
    match = _NODE_VERSION.match(said)
    return int(match[1]) if match else 0


def fingerprint(candidates: Iterable[str]) -> str:
    """Changes when one of them is installed, upgraded or removed; costs no start of it."""
    return "\n".join(_identity(candidate) for candidate in candidates)


def _identity(candidate: str) -> str:
    try:
        there = Path(candidate).stat()
    except OSError:
        return candidate
    return f"{candidate} {os.path.realpath(candidate)} {there.st_mtime_ns} {there.st_size}"


def _on_path(name: str, environment: Mapping[str, str]) -> list[str]:
    found = shutil.which(name, path=environment.get("PATH"))
    return [os.path.abspath(found)] if found else []  # noqa: PTH100 - links stay: a Java finds its files by its own name


def _said(program: str, option: str) -> str:
    try:
        done = subprocess.run(
            [program, option], check=True, capture_output=True, text=True, timeout=60, errors="replace"
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout + done.stderr
