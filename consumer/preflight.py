"""Checks before the daemon starts."""

from __future__ import annotations

from collections.abc import Callable

from articles import aws
from consumer import identity
from consumer.identity import Identity
from consumer.settings import Settings

Say = Callable[[str], None]


def identify(settings: Settings) -> Identity:
    """Asks Kinesis which stream this is. Raises UserError."""
    return identity.identify(aws.client("kinesis", region=settings.region, endpoint_url=settings.endpoint_url_kinesis), settings.stream_name)


def check(settings: Settings, stream: Identity, say: Say) -> None:
    """Not yet."""


def start_chain_here(settings: Settings, stream: Identity, say: Say) -> None:
    """Not yet."""
