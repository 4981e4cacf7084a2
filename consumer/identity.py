"""Which stream this is: found once by the launcher, handed to the children in the environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from articles.errors import UserError


@dataclass(frozen=True, slots=True)
class Identity:
    """`created` is in epoch seconds, floor. `starting_sequence_numbers` holds the shards listed when the worker
    started: one that came from a later split is not in it."""

    stream_arn: str
    created: int
    retention_hours: int
    starting_sequence_numbers: Mapping[str, str]


def read_identity(env: Mapping[str, str]) -> Identity:
    """What the launcher handed on. Raises UserError where a child was started without it."""
    try:
        shards = env.get("SHARDS_FILE")
        numbers = json.loads(Path(shards).read_text(encoding="utf-8")) if shards else {}
        return Identity(env["STREAM_ARN"], int(env["STREAM_CREATED"]), int(env["STREAM_RETENTION_HOURS"]), numbers)
    except (KeyError, ValueError, OSError) as error:
        raise UserError(f"started without the launcher, which hands on the stream's identity ({error!r})") from error
