"""One emulator for a process's tests of this folder; each test makes a stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from articles.aws import client, describe_stream, wait_until
from local.emulator import Emulator


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator() as started:
        yield started


@pytest.fixture
def kinesis(emulator: Emulator) -> Any:
    return client("kinesis", region=emulator.region, endpoint_url=emulator.endpoint_urls["kinesis"])


@pytest.fixture
def stream(kinesis: Any, request: pytest.FixtureRequest) -> Callable[[int], str]:
    """Makes a stream with that many shards, named after the test."""

    def make(shards: int) -> str:
        name: str = request.node.name[:100].replace("[", "-").replace("]", "")
        kinesis.create_stream(StreamName=name, ShardCount=shards)
        wait_until(f"stream {name}", lambda: describe_stream(kinesis, name).status == "ACTIVE", every=0.02)
        return name

    return make
