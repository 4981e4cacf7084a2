"""The verdict of `articles verify`, run as a user would run it: a process of its own, with the producer's ledger."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from articles.errors import UserError
from local.interrupts import Interrupts
from local.process import start
from local.workers import PROJECT


def verify(environment: Mapping[str, str], ledger: Path, folder: Path, interrupts: Interrupts) -> dict[str, Any]:
    """What `articles verify --json` prints. Raises UserError when it could not look."""
    arguments = ("verify", "--deep", "--leases", "--ledger", str(ledger), "--json")
    output = folder / "verify.json"
    process = start(
        "articles verify",
        (sys.executable, "-P", "-m", "articles", *arguments),
        dict(environment) | {"PYTHONPATH": str(PROJECT)},
        folder / "verify.log",
        output=output,
    )
    try:
        while (status := process.exit_status()) is None:
            interrupts.sleep(0.05)
        try:
            found: dict[str, Any] = json.loads(output.read_text())
        except ValueError:
            raise UserError(f"articles verify failed with status {status}:\n{process.last_lines()}") from None
        return found
    finally:
        process.kill()
