"""The embedded emulator, one for all tests of a process that need AWS."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from consumer.provision import Clients
from local.emulator import Emulator


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator() as running:
        yield running


@pytest.fixture
def aws_env(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of the emulator, with names of this test's own, also set in this process."""
    name = uuid4().hex[:12]
    env = emulator.environment() | {
        "STREAM_NAME": f"stream-{name}",
        "BUCKET": f"bucket-{name}",
        "APPLICATION_NAME": f"app-{name}",
        "WORKER_ID": "worker-1",
    }
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    return env


@pytest.fixture
def clients(aws_env: dict[str, str]) -> Clients:
    return Clients.open()
