"""Benchmark `commands`: `articles average`, `verify` and `files` over many objects, against listing them alone.

The objects are made by the consumer itself, one record each. The stub of S3 answers at once, and then after 20 ms, as
S3 does: the commands ask for each object (the average is in the objects' metadata), many at a time; a listing names a
thousand in one answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from articles.errors import UserError
from benchmarks.bench import Goal, Result, S3Stub, interleaved, median
from benchmarks.lines import Load
from benchmarks.process import SECONDS, feed
from benchmarks.say import say
from benchmarks.sides import HERE, OURS, environment

OBJECTS: Final = 10_000
SHARDS: Final = 10
MANY, FEW = "many", "few"
TIMES: Final = 10
"""So many times fewer objects are what memory is compared with."""
LATENCY: Final = 0.02
COMMANDS: Final = ("average", "verify", "files")
LISTING: Final = "listing"
LIST: Final = """\
import os
from articles.s3 import S3ObjectStore
bucket, prefix, region, url = (os.environ[n] for n in ("BUCKET", "PREFIX", "AWS_REGION", "AWS_ENDPOINT_URL_S3"))
print(sum(1 for _ in S3ObjectStore(bucket, region=region, endpoint_url=url).list(f"{prefix}/data")))
"""
# Run by a small process, because a child's largest memory starts as its parent's.
MEASURED: Final = """\
import json, os, subprocess, sys, time
began = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
said = child.stderr.read()
_, status, usage = os.wait4(child.pid, 0)
print(json.dumps([time.perf_counter() - began, usage.ru_maxrss << 10, status, said.decode()[-2000:]]))
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds, and bytes of resident memory at its peak."""

    seconds: float
    peak: int


def run(folder: Path, quick: bool) -> list[Result]:
    objects, rounds = (OBJECTS // 10, 1) if quick else (OBJECTS, 3)
    results: list[Result] = []
    with S3Stub(folder, keep=True) as stub:
        for prefix, number in ((MANY, objects), (FEW, objects // TIMES)):
            _fill(stub, folder, prefix, number)

        def take(name: str, prefix: str = MANY) -> Taken:
            return _take(name, environment(stub.url, prefix, folder))

        for seconds in (0.0, LATENCY):
            stub.answer_after(seconds)
            what = f"{objects:,} objects, S3 {seconds * 1000:.0f} ms away"
            found = interleaved([*COMMANDS, LISTING], take, rounds, what)
            rates = {name: median([objects / taken.seconds for taken in takes]) for name, takes in found.items()}
            results += [
                Result(f"{name}, {what}", "objects/s", rates[name], rates[LISTING], LISTING, inverse=True)
                for name in COMMANDS
            ]
        for name in COMMANDS:
            many, few = (take(name, prefix).peak / 1e6 for prefix in (MANY, FEW))
            against = f"{objects // TIMES:,} objects"
            bound = Goal(1.25, at_least=False)
            results.append(Result(f"{name}, {objects:,} objects", "MB peak", many, few, against, bound, inverse=True))
    return results


def _fill(stub: S3Stub, folder: Path, prefix: str, objects: int) -> None:
    say(f"  making {objects:,} objects")
    given = Load.of(objects // SHARDS, 100, size=500)
    for shard in range(SHARDS):
        env = environment(stub.url, prefix, folder, FILE_RECORDS="1", LOG_LEVEL="WARNING")
        feed(OURS.command, env, given.calls(), folder / "filling.log", shard)


def _take(name: str, env: dict[str, str]) -> Taken:
    python = [sys.executable, "-P"]
    command = [*python, "-c", LIST] if name == LISTING else [*python, "-m", "articles", name, "--json"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", MEASURED, *command],
        env={**os.environ, **env, "PYTHONPATH": str(HERE.parent)},
        check=True,
        capture_output=True,
        timeout=SECONDS,
    )
    seconds, peak, status, said = json.loads(done.stdout)
    if status:
        raise UserError(f"articles {name} failed: {said}")
    return Taken(seconds, peak)
