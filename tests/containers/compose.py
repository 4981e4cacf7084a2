"""A Compose project of a test's own: its name, its containers, what they say."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

PROJECT = Path(__file__).parents[2]


class Compose:
    """`docker compose` for one project; nothing is pulled, and no port of the host is used."""

    def __init__(self, **settings: str) -> None:
        self.name = f"articles-test-{uuid4().hex[:8]}"
        self._env = os.environ | settings

    def __call__(self, *words: str, check: bool = True, seconds: float = 240.0) -> str:
        """Its output. Fails the test with the end of what it said."""
        done = subprocess.run(
            ["docker", "compose", "--project-name", self.name, "--progress", "quiet", *words],
            cwd=PROJECT,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
        assert not check or done.returncode == 0, (
            f"{words}: {done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{self.said()}"
        )
        return done.stdout

    def up(self, workers: int) -> None:
        self("up", "--detach", "--pull", "never", "--no-build", "--scale", f"worker={workers}")

    def scale(self, workers: int) -> None:
        """Only the workers: nothing else is started again."""
        self("up", "--detach", "--pull", "never", "--no-build", "--no-deps", "--scale", f"worker={workers}", "worker")

    def down(self) -> None:
        """With what `run` started beside it."""
        left = docker("ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={self.name}").split()
        if left:
            docker("rm", "--force", *left)
        self("down", "--volumes", "--timeout", "1", check=False)

    def said(self) -> str:
        done = subprocess.run(
            ["docker", "compose", "--project-name", self.name, "logs", "--tail", "15", "--no-color"],
            cwd=PROJECT,
            env=self._env,
            capture_output=True,
            text=True,
        )
        return done.stdout[-6000:]

    def report(self, at_least: int, *, seconds: int = 150) -> str:
        """What the report says, once as many records are stored; it fails where `verify` does."""
        options = ("--pull", "never", "--no-deps", "--rm")
        command = ("report", "--at-least", str(at_least), "--within", str(seconds))
        return self("run", *options, *command, seconds=seconds + 60.0)

    def populate(self, records: int, rate: int) -> None:
        """Puts more, beside what goes on."""
        words = ("populate", "--records", str(records), "--rate", str(rate), "--ledger", "/var/lib/articles")
        options = ("--pull", "never", "--no-deps", "--rm", "--detach", "--name", f"{self.name}-more-{uuid4().hex[:6]}")
        self("run", *options, "--entrypoint", "articles", "populate", *words)

    def workers(self) -> list[str]:
        """The containers that run, by id."""
        return sorted(self("ps", "--quiet", "worker").split())

    def leases(self) -> dict[str, str | None]:
        """Who holds each shard, by the worker's id."""
        code = (
            "import json; from articles import aws; "
            "found = aws.read_leases(aws.client('dynamodb'), 'articles'); "
            "print(json.dumps({lease.key: lease.owner for lease in found}))"
        )
        options = ("--pull", "never", "--no-deps", "--rm", "-T", "--entrypoint", "python")
        found: dict[str, str | None] = json.loads(self("run", *options, "report", "-P", "-c", code))
        return found


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True, timeout=120).stdout


def inspect(container: str) -> Mapping[str, Any]:
    (found,) = json.loads(docker("inspect", container))
    assert isinstance(found, dict)
    return found


def eventually(what: str, condition: Callable[[], bool], seconds: float, compose: Compose | None = None) -> float:
    """Polls; how many seconds it took. Fails the test after `seconds`."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        assert waited < seconds, f"{what}: not within {seconds:.0f} s\n{compose.said() if compose else ''}"
        time.sleep(0.2)
    return time.monotonic() - began
