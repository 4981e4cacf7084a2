"""The jars of tests/readers/java/pom.xml: fetched once with Maven, held against a list of SHA-256 every time."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from consumer import jars

HERE: Final = Path(__file__).with_name("java")
FOLDER: Final = Path(sys.prefix) / "readers" / "jars"
SPARKS_OWN: Final = ("avro-", "commons-", "jackson-", "slf4j-", "zstd-")
"""Jars that PySpark brings too."""
SECONDS: Final = 600


def missing() -> str:
    """Why there can be no jars and no Java programs here; empty when there can."""
    wanted = ("mvn", "javac")
    return "".join(f"there is no `{program}` on the PATH; " for program in wanted if not shutil.which(program))


def java() -> str:
    """The one of the compiler: it runs sources."""
    return str(Path(shutil.which("javac") or "").with_name("java"))


def fetched() -> Path:
    """The folder with the jars. Raises AssertionError for jars that are not those of the list."""
    expected = jars.listed((HERE / "jars.sha256").read_text("ascii"))
    if jars.problems(FOLDER, expected):
        FOLDER.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER.parent) as fresh:
            _fetch(Path(fresh) / "jars")
            shutil.rmtree(FOLDER, ignore_errors=True)
            with contextlib.suppress(OSError):  # another run was first
                os.rename(Path(fresh) / "jars", FOLDER)  # noqa: PTH104
    problems = jars.problems(FOLDER, expected)
    assert not problems, problems
    return FOLDER


def _fetch(target: Path) -> None:
    command = ["mvn", "--batch-mode", "--quiet", "--strict-checksums", "--file", str(HERE / "pom.xml")]
    asked = ["dependency:copy-dependencies", f"-DoutputDirectory={target}"]
    done = subprocess.run([*command, *asked], capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def but(folder: Path, *beginnings: str) -> list[str]:
    """The jars whose names begin otherwise."""
    return [str(jar) for jar in sorted(folder.glob("*.jar")) if not jar.name.startswith(beginnings)]
