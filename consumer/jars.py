"""Holds the daemon's jars against the SHA-256 list of `jars.sha256`.

`amazon_kclpy` downloads them while it is built, without checksums, so pip's hashes say nothing about them. The set-up
checks them before anything runs, in whatever Python there is: this module needs only the standard library.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

LIST: Final = Path(__file__).with_name("jars.sha256")


def listed(text: str) -> dict[str, str]:
    """Jar name to SHA-256, from lines as `sha256sum` prints them."""
    return {name: digest for digest, name in (line.split() for line in text.splitlines())}


def problems(folder: Path, expected: dict[str, str] | None = None) -> list[str]:
    """One line for each jar that is missing, extra or changed; empty when all is well."""
    expected = listed(LIST.read_text("ascii")) if expected is None else expected
    there = {jar.name: jar for jar in folder.glob("*.jar")}
    return [
        *(f"{name} is missing" for name in sorted(expected.keys() - there.keys())),
        *(f"{name} is not on the list" for name in sorted(there.keys() - expected.keys())),
        *(
            f"{name} has changed: its SHA-256 is {digest}, not {expected[name]}"
            for name in sorted(expected.keys() & there.keys())
            if (digest := _sha256(there[name])) != expected[name]
        ),
    ]


def _sha256(jar: Path) -> str:
    with jar.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
