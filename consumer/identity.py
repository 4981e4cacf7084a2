"""Which stream this is: asked once by the launcher, handed to the children in the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from articles import aws
from articles.aws import Shard


@dataclass(frozen=True, slots=True)
class Identity:
    """`created` is in epoch seconds, floor; `shards` are those listed when the worker starts."""

    stream: str
    stream_arn: str
    created: int
    retention_hours: int
    shards: tuple[Shard, ...]

    @property
    def starting_sequence_numbers(self) -> dict[str, str]:
        return {shard.id: shard.starting_sequence for shard in self.shards}

    def to_environment(self, shards_file: str) -> Mapping[str, str]:
        return {
            "STREAM_ARN": self.stream_arn,
            "STREAM_CREATED": str(self.created),
            "STREAM_RETENTION_HOURS": str(self.retention_hours),
            "SHARDS_FILE": shards_file,
        }


def identify(kinesis: Any, stream: str) -> Identity:
    """Asks Kinesis. Raises UserError."""
    said = aws.describe_stream(kinesis, stream)
    return Identity(stream, said.arn, said.created, said.retention_hours, tuple(aws.list_shards(kinesis, stream)))
