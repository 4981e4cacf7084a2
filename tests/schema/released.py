"""What lies in `versions/`: of each released version of the schema its schemas, a bucket, and the records in it."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

VERSIONS: Final = Path(__file__).parent / "versions"


def numbers() -> list[int]:
    return sorted(int(path.name) for path in VERSIONS.iterdir() if path.name.isdigit())


def schemas(version: int) -> dict[str, Any]:
    """By the name of the record."""
    found: dict[str, Any] = json.loads((VERSIONS / str(version) / "schemas.json").read_text("utf-8"))
    return found


def records(version: int) -> dict[str, list[dict[str, Any]]]:
    """By key, in the order of the file; times are epoch milliseconds, bytes in base64."""
    found: dict[str, Any] = json.loads((VERSIONS / str(version) / "records.json").read_text("utf-8"))
    return found


def as_json(value: object) -> object:
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """As it stands in `records.json`."""
    said: dict[str, Any] = json.loads(json.dumps(record, default=as_json))
    return said
