"""The embedded emulator: Kinesis by kinesis-local (Node), DynamoDB, S3 and CloudWatch by ministack (Python).

Both listen on free ports of the loopback interface, unless an address and ports are given (in a container). They keep
everything in memory and in one temporary directory; no process outlives this one, even when it is killed. Kinesis'
plain port speaks HTTP/2 with prior knowledge, which the daemon's client asks for. Many emulators can run at the same
time.

For thousands of records, not millions: kinesis-local takes and hands out a few hundred records a second in all. Its
PutRecords looks at all that a shard holds, for each record: 25 ms for five at 10,000 records in four shards, 0.8 s at
190,000. Its PutRecord takes 2 to 8 ms at any size.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shlex
import shutil
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from articles.errors import UserError
from local.interrupts import Interrupts
from local.process import Process, start

KINESIS_PROGRAM = Path(__file__).parent / "node_modules" / "kinesis-local" / "main.js"
LOOPBACK = Path(__file__).with_name("loopback.cjs")
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT", "VIRTUAL_ENV")
KINESIS, MINISTACK = "/healthcheck", "/_ministack/health"
START_SECONDS = 60.0
ATTEMPTS = 3
MOCK_DURATIONS = (
    *("CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS", "UPDATE_SHARD_COUNT", "UPDATE_STREAM_MODE"),
    *("REGISTER_STREAM_CONSUMER", "DEREGISTER_STREAM_CONSUMER"),
    *("START_STREAM_ENCRYPTION", "STOP_STREAM_ENCRYPTION"),
)


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; another process may still take one first, so be ready to try again."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [opened.getsockname()[1] for opened in sockets]
    finally:
        for opened in sockets:
            opened.close()


def find_node() -> str:
    """The Node to run: ARTICLES_NODE, or the one on the PATH."""
    node = os.environ.get("ARTICLES_NODE") or shutil.which("node")
    if not node:
        raise UserError("the emulator needs Node 20 or later on the PATH, or its name in ARTICLES_NODE")
    if not KINESIS_PROGRAM.exists():
        raise UserError(f"{KINESIS_PROGRAM} is missing: run ./run_kcl.sh demo once, which installs it")
    return node


@dataclass(frozen=True, slots=True)
class Place:
    """Where to listen when it is to be known beforehand: `kinesis` and `port` (all the rest) on `host`, which may be
    every interface."""

    host: str
    port: int
    kinesis: int


class Emulator:
    """A context manager; between enter and exit, `endpoint_urls` answer.

    Raises UserError with the end of the log when a service does not answer within `START_SECONDS`.
    """

    def __init__(
        self, region: str = "us-east-1", interrupts: Interrupts | None = None, place: Place | None = None
    ) -> None:
        self.region = region
        self.place = place
        self.endpoint_urls: dict[str, str] = {}
        self.processes: list[Process] = []
        self._interrupts = interrupts or Interrupts()
        self._directory: Path | None = None

    def __enter__(self) -> Emulator:
        self._directory = Path(tempfile.mkdtemp(prefix="articles-emulator-"))
        try:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    self._start(self._directory)
                    return self
                except UserError as error:
                    # Only a port lost to another process is worth another try.
                    if attempt == ATTEMPTS or "in use" not in str(error).replace("EADDRINUSE", "in use"):
                        raise
                    self._kill()
            raise AssertionError("unreachable")
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes at once (what they hold is thrown away anyway) and remove the directory."""
        self._kill()
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def environment(self) -> dict[str, str]:
        """What a client of this emulator, in any language, needs in its environment."""
        urls = {f"AWS_ENDPOINT_URL_{service.upper()}": url for service, url in self.endpoint_urls.items()}
        return urls | {
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,  # boto3 reads this one alone
            "AWS_ACCESS_KEY_ID": "emulator",
            "AWS_SECRET_ACCESS_KEY": "emulator",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def check(self) -> None:
        """Raise UserError if one of the processes has ended."""
        for process in self.processes:
            status = process.exit_status()
            if status is not None:
                raise UserError(f"{process.name} ended with status {status}; its last lines:\n{process.last_lines()}")

    def _start(self, directory: Path) -> None:
        host = "127.0.0.1"
        plain, tls, gateway = free_ports(3)
        if self.place:
            host, plain, gateway = self.place.host, self.place.kinesis, self.place.port
        identity = uuid.uuid4().hex
        base = {name: os.environ[name] for name in INHERITED if name in os.environ} | {"TMPDIR": str(directory)}
        kinesis = start(
            "the Kinesis emulator",
            [find_node(), "--require", str(LOOPBACK), str(KINESIS_PROGRAM)],
            base | kinesis_environment(plain, tls, host),
            directory / "kinesis.log",
        )
        self.processes.append(kinesis)
        ministack = start(
            "the S3 and DynamoDB emulator",
            [sys.executable, "-m", "ministack"],
            base | ministack_environment(gateway, self.region, directory, identity, host),
            directory / "ministack.log",
        )
        self.processes.append(ministack)
        deadline = time.monotonic() + START_SECONDS
        # An answer alone may come from another emulator, on a port that ours did not get.
        self._wait(
            kinesis, deadline, lambda: kinesis.printed(f"listening on port {plain}\n") and answers(plain, KINESIS)
        )
        self._wait(ministack, deadline, lambda: answers(gateway, MINISTACK, identity))
        other = f"http://127.0.0.1:{gateway}"
        self.endpoint_urls = {
            "kinesis": f"http://127.0.0.1:{plain}",
            "s3": other,
            "dynamodb": other,
            "cloudwatch": other,
        }

    def _wait(self, process: Process, deadline: float, ready: Callable[[], bool]) -> None:
        while not ready():
            self._interrupts.check()
            self.check()
            if time.monotonic() > deadline:
                raise UserError(
                    f"{process.name} did not answer within {START_SECONDS:.0f} s; its last lines:\n"
                    f"{process.last_lines()}"
                )
            time.sleep(0.05)

    def _kill(self) -> None:
        for process in self.processes:
            process.kill()
        self.processes.clear()


def kinesis_environment(plain: int, tls: int, host: str = "127.0.0.1") -> dict[str, str]:
    """Stream changes take 100 ms, so that a test sees UPDATING as with AWS but hardly waits."""
    return {
        "BIND_HOST": host,
        "KINESIS_MOCK_PLAIN_PORT": str(plain),
        "KINESIS_MOCK_TLS_PORT": str(tls),
        "KINESIS_MOCK_CERT_PATH": str(KINESIS_PROGRAM.with_name("server.json")),
        "SHARD_LIMIT": "1000",
        "LOG_LEVEL": "WARN",
    } | {f"{name}_DURATION": "100ms" for name in MOCK_DURATIONS}


def ministack_environment(
    port: int, region: str, directory: Path, identity: str = "light", host: str = "127.0.0.1"
) -> dict[str, str]:
    """Only the services that we use are started; nothing is persisted outside `directory`. Its health answer names
    `identity` as its edition."""
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": host,
        "MINISTACK_EDITION": identity,
        "SERVICES": "s3,dynamodb,cloudwatch",
        "MINISTACK_REGION": region,
        "LOG_LEVEL": "WARNING",
        "STATE_DIR": str(directory / "state"),
        "S3_DATA_DIR": str(directory / "s3"),
        "DOCKER_HOST": "unix:///nonexistent",  # never look for a Docker daemon
        "PYTHONUNBUFFERED": "1",
    }


def answers(port: int, path: str, holding: str = "") -> bool:
    """Whether an HTTP GET gets a 200 that has `holding` in it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status == 200 and holding.encode() in response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def exports(environment: Mapping[str, str]) -> str:
    """Lines for a POSIX shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items())


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--region", default=os.environ.get("AWS_REGION") or "us-east-1", help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print one JSON object: endpoint_urls, environment, pid")
    parser.add_argument("--host", help="listen there instead of on loopback, at --port and --kinesis-port (0.0.0.0)")
    parser.add_argument("--port", type=int, default=4566, help="with --host: of S3, DynamoDB, CloudWatch (%(default)s)")
    parser.add_argument("--kinesis-port", type=int, default=4567, help="with --host: of Kinesis (%(default)s)")
    parser.add_argument(
        "--probe", action="store_true", help="ask the one that runs at these ports; status 1: no answer"
    )


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C or SIGTERM, then end cleanly with status 0."""
    if args.probe:
        return 0 if answers(args.kinesis_port, KINESIS) and answers(args.port, MINISTACK) else 1
    place = Place(args.host, args.port, args.kinesis_port) if args.host else None
    with Interrupts() as interrupts:
        try:
            with Emulator(args.region, interrupts, place) as emulator:
                environment = emulator.environment()
                if args.json:
                    value = {"endpoint_urls": emulator.endpoint_urls, "environment": environment, "pid": os.getpid()}
                    print(json.dumps(value), flush=True)
                else:
                    print(exports(environment), flush=True)
                print("The emulator runs; Ctrl-C ends it and throws away what it holds.", file=sys.stderr, flush=True)
                while True:
                    interrupts.sleep(0.2)
                    emulator.check()
        except KeyboardInterrupt:
            return 0
