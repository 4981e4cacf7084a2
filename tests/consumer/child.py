"""The real child process, `python -P -m consumer`, with a test in the daemon's place at the other end of its pipes."""

from __future__ import annotations

import base64
import json
import os
import queue
import shlex
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from articles.position import Position
from consumer.launcher import CHILD

ROOT = Path(__file__).parents[2]
SHARD_ID = "shardId-000000000000"
SECONDS = 30.0
Line = dict[str, Any]


def environment(endpoint_url: str, bucket: str, prefix: str, state_dir: Path) -> dict[str, str]:
    """What the launcher hands to a child."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "STREAM_NAME": "MyStream",
        "APPLICATION_NAME": "app",
        "WORKER_ID": "w1",
        "BUCKET": bucket,
        "PREFIX": prefix,
        "START_AT": "TRIM_HORIZON",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "FILE_RECORDS": "2",
        "STATE_DIR": str(state_dir),
        "S3_DEADLINE": "5",
        "STREAM_ARN": "arn:aws:kinesis:us-east-1:000000000000:stream/MyStream",
        "STREAM_CREATED": "1700000000",
        "STREAM_RETENTION_HOURS": "24",
        "SHARDS_FILE": str(state_dir / "shards.json"),
    }


def delivered(number: int | str, data: bytes | None = None, **fields: Any) -> Line:
    """A record as the daemon writes it."""
    body = json.dumps({"article_id": str(number), "content": "one two three"}).encode() if data is None else data
    return {
        "action": "record",
        "data": base64.b64encode(body).decode(),
        "partitionKey": "key",
        "sequenceNumber": str(number),
        "subSequenceNumber": 0,
        "approximateArrivalTimestamp": 1_750_000_000_000,
    } | fields


class Child:
    """A context manager; at its end the process is gone."""

    def __init__(self, env: Mapping[str, str], log: Path) -> None:
        self.log = log
        self.strays: list[str] = []
        """What came out between the protocol's lines."""
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *shlex.split(CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(env),
                cwd=log.parent,
            )
        self._lines: queue.Queue[bytes] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(b"")

    # What the daemon says

    def send(self, action: str, **fields: Any) -> None:
        self.write(json.dumps({"action": action} | fields).encode() + b"\n")

    def write(self, line: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def initialize(self, sequence_number: str = "TRIM_HORIZON", sub: int = 0) -> None:
        self.send("initialize", shardId=SHARD_ID, sequenceNumber=sequence_number, subSequenceNumber=sub)
        self.done("initialize")

    def deliver(self, *records: Line, behind: int | None = 0) -> None:
        self.send("processRecords", records=records, millisBehindLatest=behind)

    def answer(self, asked: Line, error: str | None = None) -> None:
        """The daemon's answer to a checkpoint."""
        numbers = {name: asked[name] for name in ("sequenceNumber", "subSequenceNumber")}
        self.send("checkpoint", **numbers, error=error)

    # What the child says

    def next(self) -> Line | None:
        """The next line of the protocol; None at the end of the output."""
        while line := self._lines.get(timeout=SECONDS):
            try:
                said = json.loads(line)
            except ValueError:
                said = None
            if isinstance(said, dict) and "action" in said:
                return said
            if line.strip():
                self.strays.append(line.decode())
        return None

    def done(self, action: str) -> None:
        said = self.next()
        assert said == {"action": "status", "responseFor": action}, (said, self.log.read_text())

    def asks(self, position: str | None) -> Line:
        """The child asks for a checkpoint at `sequence:sub`, None for the end of the shard."""
        said = self.next()
        at = Position.parse(position) if position else None
        wanted = {"sequenceNumber": at.sequence if at else None, "subSequenceNumber": at.sub if at else None}
        assert said == {"action": "checkpoint"} | wanted, (said, self.log.read_text())
        return said

    def checkpoints(self, position: str | None) -> None:
        self.answer(self.asks(position))

    def close_input(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def exit_status(self) -> int:
        return self.process.wait(SECONDS)

    def ends_without_an_answer(self) -> int:
        """The exit status of a child that says nothing more."""
        said = self.next()
        assert said is None, (said, self.log.read_text())
        return self.exit_status()

    def logged(self, event: str | None = None) -> list[Line]:
        """Every line of the log is one JSON object."""
        lines: list[Line] = [json.loads(line) for line in self.log.read_text().splitlines()]
        return [line for line in lines if event in (None, line["event"])]
