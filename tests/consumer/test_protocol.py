"""The daemon's protocol, spoken with the real process over pipes, and what ends it."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from articles.avro import Avro, read_container
from articles.s3 import S3ObjectStore
from consumer.exits import Exit
from consumer.live import read_shards
from local.emulator import answers, free_ports, ministack_environment
from local.fault_proxy import CONFLICT, Action, Fault, FaultProxy
from local.process import Process, start
from tests.consumer.child import ROOT, SHARD_ID, Child, delivered, environment

pytestmark = pytest.mark.xdist_group("protocol")


@pytest.fixture(scope="module")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """S3 alone, of the embedded emulator."""
    folder = tmp_path_factory.mktemp("s3")
    (port,) = free_ports(1)
    env = dict(os.environ) | ministack_environment(port, "us-east-1", folder) | {"SERVICES": "s3"}
    process = start("S3", [sys.executable, "-m", "ministack"], env, folder / "log")
    try:
        wait_for(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()


def wait_for(process: Process, port: int) -> None:
    until = time.monotonic() + 60
    while not answers(port, "/_ministack/health"):
        assert time.monotonic() < until, process.last_lines()
        assert process.exit_status() is None, process.last_lines()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def bucket(endpoint_url: str) -> str:
    name = f"bucket-{uuid4().hex[:12]}"
    request = urllib.request.Request(f"{endpoint_url}/{name}", method="PUT")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
    return name


class Daemon:
    """Starts children on one prefix, and reads what they stored."""

    def __init__(self, endpoint_url: str, bucket: str, folder: Path, stack: ExitStack) -> None:
        self.prefix = uuid4().hex[:12]
        self.folder = folder
        self.env = environment(endpoint_url, bucket, self.prefix, folder / "state")
        self.store = S3ObjectStore(bucket, region="us-east-1", endpoint_url=endpoint_url)
        self._stack = stack
        self._children = 0

    def child(self, **env: str | None) -> Child:
        self._children += 1
        given = {name: value for name, value in (self.env | env).items() if value is not None}
        return self._stack.enter_context(Child(given, self.folder / f"{self._children}.log"))

    def started(self, sequence_number: str = "TRIM_HORIZON", sub: int = 0, **env: str | None) -> Child:
        child = self.child(**env)
        child.initialize(sequence_number, sub)
        return child

    def keys(self) -> list[str]:
        return [info.key for info in self.store.list(f"{self.prefix}/data")]

    def rows(self) -> list[Avro]:
        bodies = [self.store.read(key) for key in self.keys()]
        return [row for body in bodies if body for row in read_container(io.BytesIO(body))]

    def held(self) -> list[str]:
        return [row["sequence_number"] for row in self.rows()]


@pytest.fixture
def faulty(endpoint_url: str) -> Iterator[FaultProxy]:
    with FaultProxy(endpoint_url) as running:
        yield running


@pytest.fixture
def daemon(endpoint_url: str, bucket: str, tmp_path: Path) -> Iterator[Daemon]:
    with ExitStack() as stack:
        yield Daemon(endpoint_url, bucket, tmp_path, stack)


def test_a_shard_from_its_start_to_its_end(daemon: Daemon) -> None:
    child = daemon.started()
    child.deliver(delivered(1), delivered(2, b"not an article"), delivered(3))
    child.checkpoints("2:0")
    child.done("processRecords")
    child.deliver()
    child.done("processRecords")
    child.send("shardEnded")
    child.checkpoints(None)
    child.done("shardEnded")
    child.close_input()
    assert child.next() is None
    assert child.exit_status() == 0
    assert child.strays == []
    assert daemon.held() == ["1", "3"]
    (live,) = read_shards(daemon.folder / "state")
    assert (live.shard, live.records, live.rejected, live.words, live.ended) == (SHARD_ID, 2, 1, 6, True)
    assert [line["event"] for line in child.logged()] == [
        "started", "chain-begun", "rejected", "stored", "stored",
    ]  # fmt: skip


def test_shutdown_and_a_lost_lease(daemon: Daemon) -> None:
    child = daemon.started()
    child.deliver(delivered(1))
    child.done("processRecords")
    child.send("shutdownRequested")
    child.checkpoints("1:0")
    child.done("shutdownRequested")
    child.send("leaseLost")
    child.done("leaseLost")
    child.close_input()
    assert child.exit_status() == 0
    again = daemon.started("1")
    again.deliver(delivered(1), delivered(2))
    again.done("processRecords")
    again.send("leaseLost")
    again.done("leaseLost")
    assert daemon.held() == ["1"]


def test_the_checkpoint_is_the_very_string_and_the_place_inside_an_aggregate(daemon: Daemon) -> None:
    child = daemon.started()
    child.deliver(delivered("007"), delivered("007", subSequenceNumber=1), delivered("007", subSequenceNumber=2))
    child.checkpoints("007:1")
    child.done("processRecords")


def test_end_of_input_ends_the_child_with_status_0(daemon: Daemon) -> None:
    child = daemon.child()
    child.close_input()
    assert child.ends_without_an_answer() == 0
    assert child.logged() == []


def test_a_record_without_an_arrival_time_is_stored(daemon: Daemon) -> None:
    child = daemon.started()
    child.deliver(delivered(1, approximateArrivalTimestamp=None), delivered(2))
    child.checkpoints("2:0")
    child.done("processRecords")
    assert [row["arrival_timestamp"] is None for row in daemon.rows()] == [True, False]


@pytest.mark.parametrize("arrival", [-(2**63), -1, 10**15, 2**63 - 1])
def test_a_record_with_an_impossible_arrival_time_is_stored_readably(daemon: Daemon, arrival: int) -> None:
    child = daemon.started()
    child.deliver(
        delivered(1, approximateArrivalTimestamp=arrival), delivered(2, b"x", approximateArrivalTimestamp=arrival)
    )
    child.checkpoints("2:0")
    child.done("processRecords")
    assert daemon.held() == ["1"]


@pytest.mark.parametrize("fields", [{"data": ""}, {"data": None}, {"partitionKey": None}, {"partitionKey": "\ud800é"}])
def test_no_odd_record_ends_the_child(daemon: Daemon, fields: dict[str, Any]) -> None:
    child = daemon.started()
    child.deliver(delivered(1, b"rejected") | fields, delivered(2))
    child.checkpoints("2:0")
    child.done("processRecords")
    assert daemon.held() == ["2"]


def test_a_partition_key_that_is_not_utf_8_does_not_end_the_child(daemon: Daemon) -> None:
    child = daemon.started()
    line = json.dumps(
        {"action": "processRecords", "records": [delivered(1, b"x"), delivered(2)], "millisBehindLatest": 0}
    )
    child.write(line.encode().replace(b'"key"', b'"k\xe9y"') + b"\n")
    child.checkpoints("2:0")
    child.done("processRecords")


def test_a_position_that_no_key_can_hold_parks_the_shard(daemon: Daemon) -> None:
    child = daemon.started()
    child.deliver(delivered(1), delivered("1" * 57))
    child.done("processRecords")
    child.deliver(delivered(2), delivered(3))
    child.done("processRecords")
    child.send("shardEnded")
    child.done("shardEnded")
    (live,) = read_shards(daemon.folder / "state")
    assert "56 digits" in (live.parked or "")
    child.deliver(delivered("2" * 57))
    child.done("processRecords")
    assert len(child.logged("parked")) == 1
    assert daemon.keys() == []


def test_a_file_is_sealed_by_its_age_though_no_record_comes(daemon: Daemon) -> None:
    child = daemon.started(FILE_AGE="1")
    child.deliver(delivered(1))
    child.done("processRecords")
    until = time.monotonic() + 20
    while time.monotonic() < until:
        child.deliver()
        if (said := child.next()) and said["action"] == "checkpoint":
            child.answer(said)
            child.done("processRecords")
            break
    assert daemon.held() == ["1"]


@pytest.mark.parametrize(
    "file, found", [(f'{{"{SHARD_ID}": "4711"}}', "4711"), ("{", None), ("[]", None), (None, None)]
)
def test_the_root_says_where_its_shard_starts_where_that_is_known(
    daemon: Daemon, file: str | None, found: str | None
) -> None:
    shards = daemon.folder / "shards.json"
    if file is not None:
        shards.write_text(file)
    child = daemon.started(SHARDS_FILE=str(shards))
    child.deliver(delivered(1))
    child.done("processRecords")
    (key,) = [info.key for info in daemon.store.list(f"{daemon.prefix}/chain")]
    assert json.loads(daemon.store.read(key) or b"")["starting_sequence_number"] == found


def test_what_others_print_leaves_the_protocol_intact(daemon: Daemon) -> None:
    """A thread prints without end, through Python and past it."""
    noise = """
import atexit, os, threading
end = threading.Event()
def shout():
    while not end.is_set():
        print('{"action": "status", "responseFor": "processRecords"}', flush=True)
        os.write(1, b'half a line {"action":')
shouting = threading.Thread(target=shout)
def hush():
    end.set()
    shouting.join()
    print("at the end")
print("before anything is set up")
threading._register_atexit(hush)
shouting.start()
"""
    (daemon.folder / "sitecustomize.py").write_text(noise)
    child = daemon.child(PYTHONPATH=f"{daemon.folder}{os.pathsep}{ROOT}")
    while "half a line" not in child.log.read_text():  # from here on the pipe is the protocol's alone
        assert child.process.poll() is None
        time.sleep(0.01)
    while not child._lines.empty():
        child._lines.get()
    child.initialize()
    child.deliver(delivered(1), delivered(2))
    child.checkpoints("2:0")
    child.done("processRecords")
    child.close_input()
    assert child.next() is None
    assert child.exit_status() == 0
    assert daemon.held() == ["1", "2"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_to_the_process_group_are_the_daemons_business(daemon: Daemon, number: signal.Signals) -> None:
    child = daemon.started()
    child.process.send_signal(number)
    child.deliver(delivered(1), delivered(2))
    child.checkpoints("2:0")
    child.done("processRecords")


# S3 in trouble, as it looks over HTTP


def fault(action: Action, left: int | None = 1, method: str = "PUT", **fields: Any) -> Fault:
    """By default of the put of a link."""
    kind = f"{'' if left == 1 else left}{method}-{action.name}-{fields.get('status', '')}".lower().strip("-")
    return Fault(kind, action, **({"methods": frozenset({method}), "left": left, "pattern": "*.avro"} | fields))


@pytest.mark.parametrize(
    "faults, puts",
    [
        ([fault(Action.LOSE)], 1),  # a HEAD finds our own object
        ([fault(Action.MISREPORT, status=500)], 1),
        ([fault(Action.REFUSE, 3)], 4),
        ([fault(Action.CUT, 2)], 3),
        ([fault(Action.CORRUPT, 2)], 3),
        ([fault(Action.REFUSE, 2, status=409, body=CONFLICT)], 3),
        ([fault(Action.REFUSE, status=412)], 2),  # "exists", then absent
        ([fault(Action.MISREPORT, status=409, body=CONFLICT)], 1),  # somebody made it meanwhile: we did
        ([fault(Action.REFUSE, 2, "HEAD"), fault(Action.CUT, 1, "HEAD")], 1),
        (
            [
                fault(Action.REFUSE, 2, "GET", pattern="*/chain/*"),
                fault(Action.TRUNCATE, 1, "GET", pattern="*/chain/*"),
            ],
            1,
        ),
    ],
    ids=lambda faults: "+".join(one.kind for one in faults) if isinstance(faults, list) else "",
)
def test_whatever_s3_answers_a_link_is_stored_and_counted_once(
    daemon: Daemon, faulty: FaultProxy, faults: list[Fault], puts: int
) -> None:
    faulty.set(faults)
    child = daemon.started(AWS_ENDPOINT_URL_S3=faulty.url, S3_DEADLINE="60")
    child.deliver(delivered(1), delivered(2))
    child.checkpoints("2:0")
    child.done("processRecords")
    child.send("shutdownRequested")
    child.done("shutdownRequested")
    assert faulty.counts == {one.kind: one.left for one in faults}
    assert sum(number for call, number in faulty.calls.items() if re.match("s3:PutObject .*avro", call)) == puts
    assert daemon.held() == ["1", "2"]
    (live,) = read_shards(daemon.folder / "state")
    assert (live.records, live.objects) == (2, 1)


def test_a_store_that_refuses_access_ends_the_child_at_once(daemon: Daemon, faulty: FaultProxy) -> None:
    denied = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    faulty.set([fault(Action.REFUSE, None, status=403, body=denied)])
    child = daemon.started(AWS_ENDPOINT_URL_S3=faulty.url, S3_DEADLINE="600")
    child.deliver(delivered(1), delivered(2))
    ends(child, Exit.STORE)


def test_a_store_that_goes_away_ends_the_child_and_the_next_one_goes_on(daemon: Daemon, faulty: FaultProxy) -> None:
    faulty.set([fault(Action.REFUSE, None)])
    child = daemon.started(AWS_ENDPOINT_URL_S3=faulty.url)
    child.deliver(delivered(1), delivered(2))
    ends(child, Exit.STORE)
    again = daemon.started()
    again.deliver(delivered(1), delivered(2))
    again.checkpoints("2:0")
    again.done("processRecords")
    assert daemon.held() == ["1", "2"]


# What ends the child: a status of its own, one line that says why, and no answer


def ends(child: Child, code: Exit) -> str:
    """The message of the only line that says why."""
    assert child.ends_without_an_answer() == code
    (line,) = child.logged("leaving")
    assert (line["level"], line["code"]) == ("ERROR", code)
    return str(line["message"])


BROKEN = """
import consumer.enrich
def broken(self, content):
    raise RuntimeError(f"cannot count {content}")
consumer.enrich.WordCount.__call__ = broken
"""


def test_an_unexpected_error_ends_the_child_before_kclpy_swallows_it(daemon: Daemon) -> None:
    (daemon.folder / "sitecustomize.py").write_text(BROKEN)
    child = daemon.started(PYTHONPATH=f"{daemon.folder}{os.pathsep}{ROOT}")
    child.deliver(delivered(1, b'{"article_id":"a","content":"Xyzzy"}'))
    assert ends(child, Exit.UNEXPECTED) == ""
    (line,) = child.logged("leaving")
    assert line["error"] == "RuntimeError"
    assert line["at"].startswith("broken:")
    assert "Xyzzy" not in child.log.read_text()


def test_positions_that_decrease_end_the_child(daemon: Daemon) -> None:
    child = daemon.started()
    child.deliver(delivered(2), delivered(1))
    assert "1:0 was delivered after 2:0" in ends(child, Exit.ORDER)


@pytest.mark.parametrize("line", [b"not json\n", b'{"no": "action"}\n', b'{"action":"unheard-of"}\n'])
def test_a_line_that_is_not_the_protocols_ends_the_child(daemon: Daemon, line: bytes) -> None:
    child = daemon.started()
    child.write(line)
    assert ends(child, Exit.UNEXPECTED) == ""


def test_a_callback_before_initialize_ends_the_child(daemon: Daemon) -> None:
    child = daemon.child()
    child.deliver(delivered(1))
    assert "before initialize" in ends(child, Exit.UNEXPECTED)


def test_input_that_ends_inside_a_checkpoint_ends_the_child(daemon: Daemon) -> None:
    child = daemon.started()
    child.deliver(delivered(1), delivered(2))
    child.asks("2:0")
    child.close_input()
    assert ends(child, Exit.UNEXPECTED) == ""


@pytest.mark.parametrize("error", ["ThrottlingException", "KinesisClientLibDependencyException"])
def test_a_checkpoint_that_failed_for_now_is_asked_for_again(daemon: Daemon, error: str) -> None:
    child = daemon.started()
    child.deliver(delivered(1), delivered(2))
    child.answer(child.asks("2:0"), error)
    child.answer(child.asks("2:0"), error)
    child.checkpoints("2:0")
    child.done("processRecords")


@pytest.mark.parametrize("error", ["InvalidStateException", "IllegalArgumentException", "NullPointerException"])
def test_a_checkpoint_that_will_never_do_ends_the_child(daemon: Daemon, error: str) -> None:
    child = daemon.started()
    child.deliver(delivered(1), delivered(2))
    child.answer(child.asks("2:0"), error)
    assert error in ends(child, Exit.CHECKPOINT)


def test_an_answer_that_is_no_checkpoint_ends_the_child(daemon: Daemon) -> None:
    child = daemon.started()
    child.deliver(delivered(1), delivered(2))
    child.asks("2:0")
    child.send("leaseLost")
    assert "InvalidStateException" in ends(child, Exit.CHECKPOINT)


def test_a_lease_that_is_gone_at_a_checkpoint_is_given_up_quietly(daemon: Daemon) -> None:
    child = daemon.started()
    child.deliver(delivered(1), delivered(2))
    child.answer(child.asks("2:0"), "ShutdownException")
    child.done("processRecords")
    child.deliver(delivered(3), delivered(4))
    child.done("processRecords")
    child.send("leaseLost")
    child.done("leaseLost")
    assert daemon.held() == ["1", "2"]


def test_an_end_of_shard_that_is_refused_ends_the_child_instead_of_wedging_the_shard(daemon: Daemon) -> None:
    child = daemon.started()
    child.send("shardEnded")
    child.answer(child.asks(None), "InvalidStateException")
    ends(child, Exit.CHECKPOINT)


def test_a_store_that_is_not_there_ends_the_child_after_the_deadline(daemon: Daemon) -> None:
    (port,) = free_ports(1)
    child = daemon.child(AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{port}")
    child.send("initialize", shardId=SHARD_ID, sequenceNumber="TRIM_HORIZON", subSequenceNumber=0)
    ends(child, Exit.STORE)
    # By the child's own clock: how long Python takes to start says nothing about the deadline.
    first, last = (datetime.fromisoformat(child.logged(event)[0]["time"]) for event in ("store-retry", "leaving"))
    assert 4 < (last - first).total_seconds() < 12


def test_a_bucket_that_is_not_there_ends_the_child_at_once(daemon: Daemon) -> None:
    child = daemon.child(BUCKET=f"none-{uuid4().hex}", S3_DEADLINE="600")
    child.send("initialize", shardId=SHARD_ID, sequenceNumber="TRIM_HORIZON", subSequenceNumber=0)
    assert "none-" in ends(child, Exit.STORE)


def test_without_its_environment_a_child_says_what_is_missing(daemon: Daemon) -> None:
    child = daemon.child(STREAM_NAME=None, BUCKET=None)
    message = ends(child, Exit.SETTINGS)
    assert "STREAM_NAME is not set" in message
    assert "BUCKET is not set" in message
    assert len(child.logged()) == 1


@pytest.mark.parametrize(
    "name, value",
    [("STREAM_ARN", None), ("STREAM_CREATED", None), ("STREAM_CREATED", "x"), ("STREAM_RETENTION_HOURS", "")],
)
def test_without_the_streams_identity_a_child_says_what_is_missing(
    daemon: Daemon, name: str, value: str | None
) -> None:
    child = daemon.child(**{name: value})
    assert name in ends(child, Exit.SETTINGS)


LOOK = """
import json, os, sys
end = os._exit
def look(code):
    with open(os.environ["SEEN"], "w") as file:
        json.dump(sorted(sys.modules), file)
    end(code)
os._exit = look
"""


def test_a_child_that_has_stored_a_file_never_imported_boto3(daemon: Daemon) -> None:
    (daemon.folder / "sitecustomize.py").write_text(LOOK)
    seen = daemon.folder / "seen"
    child = daemon.started(PYTHONPATH=f"{daemon.folder}{os.pathsep}{ROOT}", SEEN=str(seen))
    child.deliver(delivered(1), delivered(2))
    child.checkpoints("2:0")
    child.done("processRecords")
    child.close_input()
    assert child.exit_status() == 0
    loaded = set(json.loads(seen.read_text()))
    assert loaded & {"boto3", "botocore", "asyncio", "consumer.launcher", "consumer.preflight"} == set()
    assert "consumer.kcl" in loaded
