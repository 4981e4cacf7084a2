"""A child's memory: bounded by the file's size, however large records are and however long S3 is away; small idle."""

from __future__ import annotations

import base64
import json
import random
from pathlib import Path
from uuid import uuid4

import pytest

from articles import aws
from local.emulator import Emulator
from local.fault_proxy import Action, Fault, FaultProxy
from tests.consumer.child import Child, Line, delivered, environment
from tests.waiting import eventually

MIB = 1 << 20
FILE_MIB = 8
CALLS, RECORDS = 6, 9
"""A call of Kinesis holds 10 MiB at most."""


def article(number: int, chance: random.Random) -> Line:
    """Almost 1 MiB, which hardly compresses."""
    content = base64.b64encode(chance.randbytes(780_000)).decode()
    return delivered(number, json.dumps({"article_id": str(number), "content": content}).encode())


def status_mib(child: Child, name: str) -> float:
    status = Path(f"/proc/{child.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def bucket_of(emulator: Emulator) -> str:
    bucket = f"bucket-{uuid4().hex[:12]}"
    aws.client("s3", region=emulator.region, endpoint_url=emulator.endpoint_urls["s3"]).create_bucket(Bucket=bucket)
    return bucket


def test_a_child_that_rests_after_a_file_holds_no_memory_of_it(emulator: Emulator, tmp_path: Path) -> None:
    """6 MB of articles leave 10 MB behind in glibc's heap unless they are given back."""
    env = environment(emulator.endpoint_urls["s3"], bucket_of(emulator), "news", tmp_path) | {"FILE_RECORDS": "2000"}
    payload = json.dumps({"article_id": "1", "content": "three kilobytes " * 190}).encode()
    with Child(env, tmp_path / "child.log") as child:
        child.initialize()
        idle = status_mib(child, "RssAnon")
        child.deliver(*(delivered(number, payload) for number in range(1, 2001)))
        while (said := child.next()) and said["action"] == "checkpoint":
            child.answer(said)
        assert said == {"action": "status", "responseFor": "processRecords"}
        assert len(child.logged("stored")) == 1
        assert eventually(lambda: status_mib(child, "RssAnon") < idle + 4, seconds=20)


@pytest.mark.slow
def test_calls_full_of_1_mib_records_and_an_s3_that_is_away_leave_memory_bounded(
    emulator: Emulator, tmp_path: Path
) -> None:
    """At most twice the file's size and 64 MiB: a call of 10 MiB is large in the daemon's base64 and again unpacked."""
    bucket, chance = bucket_of(emulator), random.Random(1)
    with FaultProxy(emulator.endpoint_urls["s3"]) as proxy:
        env = environment(proxy.url, bucket, "news", tmp_path)
        env |= {"FILE_SIZE": f"{FILE_MIB}MiB", "FILE_RECORDS": "1000000", "S3_DEADLINE": "60"}
        with Child(env, tmp_path / "child.log") as child:
            child.initialize()
            for call in range(CALLS):
                proxy.set([Fault("down", Action.REFUSE, methods=frozenset({"PUT"}), left=4)])
                child.deliver(*(article(1 + call * RECORDS + number, chance) for number in range(RECORDS)))
                while (said := child.next()) and said["action"] == "checkpoint":
                    child.answer(said)
                assert said == {"action": "status", "responseFor": "processRecords"}
            peak = status_mib(child, "VmHWM")
            assert len(child.logged("stored")) >= CALLS - 2
            assert child.logged("store-retry")
    print(f"{peak:.0f} MiB at most")
    assert peak < 2 * FILE_MIB + 64
