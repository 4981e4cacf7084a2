"""A whole worker between a stub of Kinesis and an emulator of the rest: what it stores a second, and what that costs.

A side is started as its users start it: ours by the launcher, which becomes the real daemon, the other as its one
process. The stream is full before. The clock runs from the first read that got records until all are stored; CPU is
read from /proc at both ends, of each process and, where that tells more, of its threads.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import fastavro

from articles.errors import UserError
from benchmarks.lines import AS_GENERATED
from benchmarks.process import cpu_seconds, status_bytes
from benchmarks.sides import BUCKET, HERE, Side
from consumer.provision import Clients, Plan, provision
from local.emulator import MINISTACK, answers, free_ports, ministack_environment
from local.process import Process, start

OTHER_PYTHON: Final = HERE.parent / ".venv" / "async-kinesis" / "bin" / "python"
WORKER: Final = Side("ours", [sys.executable, "-P", "-m", "consumer.launcher"])
ASYNC: Final = Side("async-kinesis", [str(OTHER_PYTHON), "-P", str(HERE / "async_kinesis_consumer.py")])
REGION: Final = "us-east-1"
START_SECONDS: Final = 60.0
RUN_SECONDS: Final = 240.0
DAEMON, CHILDREN, CHILDREN_S3 = "daemon", "children", "children: S3 client"
COMPILER = "daemon: compiler"
KINESIS, STORE = "Kinesis stub", "S3 and DynamoDB emulator"
THREADS: Final = {
    "C1 Compiler": COMPILER,
    "C2 Compiler": COMPILER,
    "VM Thread": "daemon: garbage collection",
    "GC Thread": "daemon: garbage collection",
    "G1 ": "daemon: garbage collection",
    "aws-java-sdk-Ne": "daemon: network",
    "sdk-async-respo": "daemon: records from CBOR",
    "prefetch-cache-": "daemon: reading shards",
    "multi-lang-daem": "daemon: pipes to children",
    "ShardRecordProc": "daemon: record processor",
}
"""Java's threads by the beginning of their names, of which the system keeps 15 characters."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Load:
    """`limits`: as much a second as Kinesis lets a shard be read."""

    shards: int
    records: int
    """In each shard."""
    file_records: int
    limits: bool = False
    size: int = AS_GENERATED
    """Of a record, in bytes."""

    @property
    def total(self) -> int:
        return self.shards * self.records


@dataclass(frozen=True, slots=True)
class Run:
    """`start` is seconds from the worker's start to its first records, `wall` from there until all was stored. `cpu` is
    CPU seconds of each part in that time, `start_cpu` of the worker before it; `peak` and `resident` are bytes."""

    start: float
    wall: float
    cpu: Mapping[str, float]
    start_cpu: float
    daemon_peak: int
    stored: int

    @property
    def worker_cpu(self) -> float:
        return sum(self.cpu[part] for part in (DAEMON, CHILDREN, CHILDREN_S3))


class Place:
    """Stub, emulator and worker of one run; a context manager that ends them all."""

    def __init__(self, folder: Path, load: Load) -> None:
        self._folder, self._load = folder, load
        self._processes: dict[str, Process] = {}
        self._threads: dict[int, tuple[str, float]] = {}

    def __enter__(self) -> Place:
        load = self._load
        stub = [sys.executable, "-P", "-m", "benchmarks.kinesis_stub", "--shards", str(load.shards)]
        stub += ["--records", str(load.records), "--size", str(load.size), *(["--limits"] if load.limits else [])]
        try:
            self._kinesis = self._start(KINESIS, stub, {**os.environ, "PYTHONPATH": str(HERE.parent)})
            port = free_ports(1)[0]
            own = ministack_environment(port, REGION, self._folder, str(port))
            base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
            env = base | own | {"TMPDIR": str(self._folder)}
            emulator = self._start(STORE, [sys.executable, "-m", "ministack"], env)
            self._wait(emulator, lambda: answers(port, MINISTACK, str(port)))
            self._wait(self._kinesis, lambda: self._kinesis.printed("\n"))
        except BaseException:
            self.__exit__()
            raise
        self._url = self._kinesis.log.read_text().split()[0]
        other = f"http://127.0.0.1:{port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "PYTHONPATH": str(HERE.parent),
            "TMPDIR": str(self._folder),
            "STREAM_NAME": "benchmark",
            "APPLICATION_NAME": "benchmark",
            "WORKER_ID": "worker-1",
            "BUCKET": BUCKET,
            "FILE_RECORDS": str(load.file_records),
            "FILE_SIZE": str(256 << 20),
            "FILE_AGE": "3600",
            "STATE_DIR": "",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_KINESIS": self._url,
            **{f"AWS_ENDPOINT_URL_{service}": other for service in ("S3", "DYNAMODB", "CLOUDWATCH")},
        }
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()

    def run(self, side: Side, settings: Mapping[str, str] | None = None) -> Run:
        """Start the side and wait until everything is stored. Raises UserError when it is not, or not all of it."""
        os.environ.update({name: value for name, value in self.environment.items() if name.startswith("AWS_")})
        clients = Clients.open(REGION)
        provision(Plan("benchmark", BUCKET, "benchmark"), clients)
        began = time.time()
        worker = self._start("the worker", side.command, self.environment | dict(settings or {}))
        self._wait(worker, lambda: self._served()["first"] is not None, pause=0.02)
        first, before = self._served()["first"], self._cpu(worker)
        files = self._load.total // self._load.file_records

        def is_done() -> bool:
            self._threads |= _threads(worker.popen.pid)  # some will have ended when all is done
            return len(self._keys(clients.s3)) >= files

        self._wait(worker, is_done, pause=0.1)
        stored, after = time.time(), self._cpu(worker)
        peak = status_bytes(worker.popen.pid, "VmHWM")
        keys = self._keys(clients.s3)
        if (records := self._count(clients.s3, keys)) != self._load.total:
            raise UserError(f"{side.name} stored {records:,} of {self._load.total:,} records in {len(keys)} files")
        cpu = {part: after[part] - before.get(part, 0.0) for part in after}
        start_cpu = sum(before[part] for part in (DAEMON, CHILDREN, CHILDREN_S3))
        return Run(first - began, stored - first, cpu, start_cpu, peak, sum(keys.values()))

    def _start(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> Process:
        log = self._folder / f"{name}.log"
        process = self._processes[name] = start(name, command, env, log, cwd=self._folder)
        return process

    def _wait(self, process: Process, done: Any, pause: float = 0.05) -> None:
        deadline = time.monotonic() + RUN_SECONDS
        while not done():
            if process.exit_status() is not None or time.monotonic() > deadline:
                raise UserError(f"{process.name} did not get there; its log ends:\n{process.last_lines()}")
            time.sleep(pause)

    def _served(self) -> dict[str, Any]:
        with urllib.request.urlopen(self._url, timeout=30) as answer:  # noqa: S310 - our own stub
            served: dict[str, Any] = json.load(answer)
        return served

    def _keys(self, s3: Any) -> dict[str, int]:
        said = s3.list_objects_v2(Bucket=BUCKET, Prefix="articles/data/")
        return {found["Key"]: found["Size"] for found in said.get("Contents", ())}

    def _count(self, s3: Any, keys: Mapping[str, int]) -> int:
        bodies = (s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys)
        return sum(block.num_records for body in bodies for block in fastavro.block_reader(io.BytesIO(body)))

    def _cpu(self, worker: Process) -> Mapping[str, float]:
        """CPU seconds so far, by part."""
        pid = worker.popen.pid
        found = defaultdict(float, {DAEMON: _process_seconds(pid), CHILDREN: 0.0, CHILDREN_S3: 0.0})
        self._threads |= _threads(pid)
        for name, seconds in self._threads.values():
            part = next((part for begin, part in THREADS.items() if name.startswith(begin)), None)
            if part:
                found[part] += seconds
        for child in _children_of(pid):
            whole, main = cpu_seconds(child), _thread_seconds(child, child)
            found[CHILDREN] += main
            found[CHILDREN_S3] += whole - main
        for name in (KINESIS, STORE):
            found[name] = cpu_seconds(self._processes[name].popen.pid)
        return found


def _process_seconds(pid: int) -> float:
    """Of all its threads, also those that have ended; to the hundredth of a second."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _threads(pid: int) -> dict[int, tuple[str, float]]:
    """Each thread's name and CPU seconds; those that end meanwhile are left out."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found[int(task.name)] = (task / "comm").read_text().strip(), _thread_seconds(pid, int(task.name))
    return found


def _thread_seconds(pid: int, thread: int) -> float:
    return int(Path(f"/proc/{pid}/task/{thread}/schedstat").read_text().split()[0]) / 1e9


def _children_of(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for found in lists for child in found.read_text().split()]
