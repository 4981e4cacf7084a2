"""docs/readers.md, as the tests hold it to its word: the table, and the code under each heading."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SQL: Final = ROOT / "deploy" / "sql"
DOCUMENT: Final = ROOT / "docs" / "readers.md"


def table() -> dict[str, dict[str, str]]:
    """A row for each reader, its cells by their column's title."""
    lines = [line for line in DOCUMENT.read_text("utf-8").splitlines() if line.startswith("| ")]
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[: _length(lines)]]
    titles, _, *rows = rows
    return {re.sub(r"\[(.*)\]\(.*\)", r"\1", row[0]): dict(zip(titles, row, strict=True)) for row in rows}


def _length(lines: list[str]) -> int:
    """Of the first table: the next has other columns."""
    columns = lines[0].count("|")
    return next((n for n, line in enumerate(lines) if line.count("|") != columns), len(lines))


def can(reader: str, column: str) -> bool:
    """What the table says of it. `yes, with …` is yes."""
    said = table()[reader][column].split(",")[0]
    assert said in ("yes", "no"), said
    return said == "yes"


def code(heading: str) -> str:
    """The first block under it."""
    section = DOCUMENT.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    found = re.search(r"^```\w+\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert found, heading
    return found[1]


def query() -> str:
    """What the page asks of the tables."""
    return code("Athena, Glue and Trino")


def athena() -> str:
    return (SQL / "athena.sql").read_text("utf-8")


def trino() -> str:
    return (SQL / "trino.sql").read_text("utf-8")
