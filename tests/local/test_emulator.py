"""The emulator comes up on ports of its own, answers, and leaves nothing behind, however it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from articles.aws import client
from articles.errors import UserError
from local import emulator as module
from local.emulator import Emulator, answers, exports
from tests.local.conftest import running_module
from tests.waiting import eventually

PROJECT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def ports(urls: dict[str, str]) -> set[int]:
    return {port for url in urls.values() if (port := urlsplit(url).port)}


def silent(urls: dict[str, str]) -> bool:
    paths = ("/healthcheck", "/_ministack/health")
    return not any(answers(port, path) for port in ports(urls) for path in paths)


@pytest.fixture
def command(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`articles emulator --json` in a folder of its own."""
    with running_module("articles", "emulator", "--json", folder=tmp_path, stderr=subprocess.DEVNULL) as process:
        yield process


def said(process: subprocess.Popen[str]) -> dict[str, dict[str, str]]:
    assert process.stdout
    found: dict[str, dict[str, str]] = json.loads(process.stdout.readline())
    return found


def test_two_run_at_once_and_know_nothing_of_each_other(emulator: Emulator) -> None:
    with Emulator("eu-west-1") as other:
        assert not ports(emulator.endpoint_urls) & ports(other.endpoint_urls)
        assert other.environment()["AWS_REGION"] == "eu-west-1"
        bucket = client("s3", region="eu-west-1", endpoint_url=other.endpoint_urls["s3"])
        bucket.create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        here = client("s3", region="us-east-1", endpoint_url=emulator.endpoint_urls["s3"])
        assert "theirs" not in {found["Name"] for found in here.list_buckets()["Buckets"]}
    assert silent(other.endpoint_urls)


def test_it_answers_on_the_loopback_interface_alone(emulator: Emulator) -> None:
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    everywhere = {
        int(row[1].split(":")[1], 16) for row in listening if row[3] == "0A" and row[1].startswith("00000000")
    }
    six = [line.split() for line in Path("/proc/net/tcp6").read_text().splitlines()[1:]]
    everywhere |= {int(row[1].split(":")[1], 16) for row in six if row[3] == "0A" and row[1].startswith("0" * 32)}
    assert not ports(emulator.endpoint_urls) & everywhere


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_cleanly(command: subprocess.Popen[str], number: int, tmp_path: Path) -> None:
    urls = said(command)["endpoint_urls"]
    command.send_signal(number)
    assert command.wait(timeout=20) == 0
    assert silent(urls)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="needs the kernel's help")
def test_it_does_not_outlive_a_parent_that_was_killed(command: subprocess.Popen[str]) -> None:
    urls = said(command)["endpoint_urls"]
    command.kill()
    assert eventually(lambda: silent(urls))


def test_a_service_that_ends_at_once_is_told_with_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "main.js"
    broken.write_text("console.error('no room left'); process.exit(3)")
    monkeypatch.setattr(module, "KINESIS_PROGRAM", broken)
    with pytest.raises(UserError, match=r"(?s)Kinesis emulator ended with status 3.*no room left"), Emulator():
        pass


@pytest.mark.parametrize("service", ["kinesis", "s3"])
def test_another_emulators_port_is_never_taken_for_ours(
    service: str, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    taken = ports(emulator.endpoint_urls)
    (theirs,) = ports({service: emulator.endpoint_urls[service]})
    real = module.free_ports
    offered = [[theirs, *real(2)] if service == "kinesis" else [*real(2), theirs], real(3)]
    monkeypatch.setattr(module, "free_ports", lambda _count: offered.pop(0))
    with Emulator() as started:
        assert not ports(started.endpoint_urls) & taken
    assert not offered


def test_without_node_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("ARTICLES_NODE", raising=False)
    with pytest.raises(UserError, match="needs Node 20"), Emulator():
        pass


def test_exports_are_quoted_for_a_shell() -> None:
    assert exports({"A": "x y"}) == "export A='x y'"
