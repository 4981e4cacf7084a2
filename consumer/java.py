"""Finds the Java that runs the daemon, and the daemon's jars."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from articles.errors import UserError

OLDEST_JAVA: Final = 17
_VERSION: Final = re.compile(r'version "(\d+)')


def find_java(env: Mapping[str, str]) -> str:
    """The `java` to run: ARTICLES_JAVA, then JAVA_HOME, then PATH. Raises UserError when there is none or it is
    too old; a Java that was named but does not run is an error, not a reason to look further."""
    for name, java in (
        ("ARTICLES_JAVA", env.get("ARTICLES_JAVA")),
        ("JAVA_HOME", f"{env['JAVA_HOME']}/bin/java" if env.get("JAVA_HOME") else None),
        ("PATH", shutil.which("java", path=env.get("PATH"))),
    ):
        if java:
            found = java_version(java)
            if found is None:
                raise UserError(f"{java} (from {name}) does not run; install Java {OLDEST_JAVA} or newer")
            if found < OLDEST_JAVA:
                raise UserError(f"{java} (from {name}) is Java {found}; the daemon needs Java {OLDEST_JAVA} or newer")
            return java
    raise UserError(f"no Java found: install Java {OLDEST_JAVA} or newer, or name it in ARTICLES_JAVA")


def java_version(java: str) -> int | None:
    """The major version that this `java` reports; None when it cannot be run."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(said.stderr + said.stdout)
    return int(match[1]) if match else None


def jars_folder() -> Path:
    """Where `amazon_kclpy` keeps the daemon's jars; it is not imported. Raises UserError when they are missing."""
    spec = importlib.util.find_spec("amazon_kclpy")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("amazon_kclpy is not installed in this Python; ./run_kcl.sh sets everything up")
    folder = Path(spec.submodule_search_locations[0]) / "jars"
    if not any(folder.glob("amazon-kinesis-client-multilang-*.jar")):
        raise UserError(f"{folder} does not hold the daemon's jars; install amazon_kclpy again: ./run_kcl.sh does")
    return folder
