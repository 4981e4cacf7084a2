"""What the real daemon and the emulator cannot be made to do: two children of one shard that are told different things.

The children are real, and so is the store; the test stands in the daemon's place.
"""

from __future__ import annotations

import base64
import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

from tests.consumer.child import Child, Line, delivered
from tests.end_to_end.another import another, begin
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.stored import File

SHARD = "shardId-000000000000"
MIB = 1 << 20
CALL = 10
"""Records of a mebibyte that Kinesis gives at once."""


def test_the_trim_horizon_passes_what_a_dead_worker_had_buffered(make_pipeline: MakePipeline) -> None:
    """Two children see different first records after position 5. The successor is first: the other one, that was only
    thought dead, adopts its link, drops what it had, and both go on along one line."""
    pipeline = make_pipeline(1)
    with another(pipeline, "dead", FILE_RECORDS="5") as dead, another(pipeline, "next", FILE_RECORDS="5") as successor:
        deliver(dead, 1, 8, begin_at="TRIM_HORIZON", stored="5:0")
        deliver(successor, 9, 13, begin_at="5", stored="13:0")
        deliver(dead, 9, 10)
        deliver(dead, 11, 18, stored="18:0")
        deliver(successor, 14, 18, stored="18:0")
    assert line(pipeline) == [("dead", 1, 5), ("next", 9, 13), ("dead", 14, 18)]


def test_a_dead_workers_buffer_is_stored_after_the_trim_horizon_has_passed_it(make_pipeline: MakePipeline) -> None:
    """The other way round: the late link is first, and the successor keeps what it does not hold."""
    pipeline = make_pipeline(1)
    with another(pipeline, "dead", FILE_RECORDS="5") as dead, another(pipeline, "next", FILE_RECORDS="5") as successor:
        deliver(dead, 1, 8, begin_at="TRIM_HORIZON", stored="5:0")
        deliver(successor, 9, 12, begin_at="5")
        deliver(dead, 9, 10, stored="10:0")
        deliver(successor, 13, 13, stored="10:0")
        deliver(successor, 14, 15, stored="15:0")
    assert line(pipeline) == [("dead", 1, 5), ("dead", 6, 10), ("next", 11, 15)]


@pytest.mark.parametrize(
    "lease, settings, reason",
    [
        ("9", {}, "is past the end of the chain, 5:0"),
        ("5", {"START_AT": "2026-01-31T00:00:00Z"}, "the chain was started at TRIM_HORIZON"),
        ("5", {"STREAM_ARN": "arn:aws:kinesis:us-east-1:123456789012:stream/x"}, "its chain is of the stream"),
    ],
    ids=["lease-past-the-chain", "another-start", "another-account"],
)
def test_a_lease_that_does_not_fit_its_chain_parks_the_child_that_gets_it(
    make_pipeline: MakePipeline, lease: str, settings: dict[str, str], reason: str
) -> None:
    """The launcher refuses such leases; a child gets one where a lease moves to a worker that runs already. It stays,
    answers every call, and neither stores nor checkpoints."""
    pipeline = make_pipeline(1)
    with another(pipeline, "first", FILE_RECORDS="5") as first, another(pipeline, "other", **settings) as other:
        deliver(first, 1, 5, begin_at="TRIM_HORIZON", stored="5:0")
        begin(other, SHARD, lease)
        deliver(other, 6, 15)
        for action in ("shutdownRequested", "leaseLost"):
            other.send(action)
            other.done(action)
    (parked,) = other.logged("parked")
    assert reason in parked["reason"]
    live = json.loads(Path(pipeline.folder, "state", "other", "shards", f"{SHARD}.json").read_text())
    assert reason in live["parked"]
    assert line(pipeline) == [("first", 1, 5)]


@pytest.mark.parametrize("size", [8, pytest.param(64, marks=pytest.mark.soak)])
def test_a_childs_memory_is_bounded_under_calls_full_of_the_largest_records(
    make_pipeline: MakePipeline, size: int
) -> None:
    """Twice the size of a file, and 64 MiB. The emulator takes minutes over calls of 10 MiB, so they come from here."""
    pipeline = make_pipeline(1)
    text = base64.b85encode(random.Random(size).randbytes(MIB * 4 // 5 - 1024)).decode()  # hardly packs
    with another(pipeline, "large", FILE_SIZE=f"{size}MiB") as child:
        begin(child, SHARD)
        number = 0
        while number * MIB < 3 * size * MIB:
            number += CALL
            bodies = (
                json.dumps({"article_id": f"{n}", "content": text}).encode() for n in range(number, number + CALL)
            )
            child.deliver(*(delivered(number + at, body) for at, body in enumerate(bodies)))
            while (said := child.next()) and said["action"] == "checkpoint":
                child.answer(said)
        status = Path(f"/proc/{child.process.pid}/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(f"FILE_SIZE {size} MiB: {peak:.0f} MiB at most")
    stored = pipeline.stored()
    assert len(stored.files) >= 2
    assert set(stored.articles.values()) == {1}
    assert peak < 2 * size + 64


def deliver(child: Child, first: int, last: int, begin_at: str = "", stored: str = "") -> None:
    """One delivery; `stored` is the checkpoint that the child asks for."""
    if begin_at:
        begin(child, SHARD, begin_at)
    records: list[Line] = [delivered(number) for number in range(first, last + 1)]
    child.deliver(*records)
    if stored:
        child.checkpoints(stored)
    child.done("processRecords")


def line(pipeline: Pipeline) -> list[tuple[str, int, int]]:
    """The chain: worker, first and last record of each link; each link begins where the one before it ended."""
    files = pipeline.stored().files
    for before, after in pairwise(files):
        assert before.said["after"] == after.said["before"]
    return [(file.said["worker"], *ends(file)) for file in files]


def ends(file: File) -> tuple[int, int]:
    numbers = [int(record["sequence_number"]) for record in file.records]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    return numbers[0], numbers[-1]
