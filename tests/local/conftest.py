"""One emulator for a process's tests of this folder; each test makes a stream of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from articles.aws import client, describe_stream, wait_until
from local.emulator import Emulator


@contextmanager
def running_module(module: str, *arguments: str, folder: Path, stderr: int) -> Iterator[subprocess.Popen[str]]:
    """`python -m module` with temporary files of its own in `folder`; killed at the end, if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments],
        env=os.environ | {"TMPDIR": str(folder), "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


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
