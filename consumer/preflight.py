"""Checks before the daemon starts."""

from __future__ import annotations

from collections.abc import Callable

from articles import aws
from consumer.identity import Identity
from consumer.settings import Settings

Say = Callable[[str], None]


def identify(settings: Settings) -> Identity:
    """Asks Kinesis which stream this is. Raises UserError."""
    kinesis = aws.client("kinesis", region=settings.region, endpoint_url=settings.endpoint_url_kinesis)
    stream = aws.describe_stream(kinesis, settings.stream_name)
    numbers = {shard.id: shard.starting_sequence for shard in aws.list_shards(kinesis, settings.stream_name)}
    return Identity(stream.arn, stream.created, stream.retention_hours, numbers)


def check(settings: Settings, identity: Identity, say: Say) -> None:
    """Not yet."""


def start_chain_here(settings: Settings, identity: Identity, say: Say) -> None:
    """Not yet."""
