"""The table of scenarios in docs/reliability.md: it leaves none out, and names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = (TESTS.parent / "docs" / "reliability.md").read_text().partition("\n## Scenarios\n")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (\d+) \| .+? \| (.+) \|$", TABLE, re.MULTILINE)
NAMED = re.compile(r"`([a-z_/]+\.py)::(test_\w+)`")


def test_every_scenario_has_a_test_that_is_there() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 28))
    for number, tests in ROWS:
        named = NAMED.findall(tests)
        assert named, f"scenario {number} has no test"
        missing = [f"{file}::{name}" for file, name in named if f"\ndef {name}(" not in (TESTS / file).read_text()]
        assert not missing
