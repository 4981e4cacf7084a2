"""What must not leak: text, ids and partition keys of articles, and credentials, through a whole run with trouble."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fastavro

from local.fault_proxy import THROTTLED, Action, Fault, FaultProxy
from local.source import outgoing
from local.watcher import keys
from tests.consumer.test_logs import MARK, marked
from tests.end_to_end.conftest import MakePipeline
from tests.end_to_end.pipeline import Pipeline
from tests.end_to_end.worker import children

SECRETS = {"AWS_SECRET_ACCESS_KEY": f"{MARK}SecretKey", "AWS_SESSION_TOKEN": f"{MARK}SessionToken"}

TROUBLE = (Action.REFUSE, Action.CORRUPT, Action.CUT, Action.LOSE)


def test_nothing_marked_is_in_a_log_a_file_a_command_line_or_a_key(make_pipeline: MakePipeline) -> None:
    """Bad records among good ones, S3 and DynamoDB in trouble, a child and a worker killed, a refusal to start; with
    everything logged that can be."""
    pipeline = make_pipeline(2, FILE_AGE="1", FILE_RECORDS="10", LOG_LEVEL="DEBUG", **SECRETS)
    environment = pipeline.environment
    with (
        FaultProxy(environment["AWS_ENDPOINT_URL_S3"]) as s3,
        FaultProxy(environment["AWS_ENDPOINT_URL_DYNAMODB"]) as dynamodb,
    ):
        worker = pipeline.worker(AWS_ENDPOINT_URL_S3=s3.url, AWS_ENDPOINT_URL_DYNAMODB=dynamodb.url)
        put(pipeline)
        pipeline.start(worker)
        pipeline.wait_until_stored()
        for pid in (worker.pid, *children(worker.pid)):
            assert all(secret in told(pid, "environ") for secret in SECRETS.values())
            assert MARK not in told(pid, "cmdline")
        s3.set([Fault(action.name, action, frozenset({"PUT"}), left=1) for action in TROUBLE])
        dynamodb.set([Fault("throttled", Action.REFUSE, left=3, status=400, body=THROTTLED)])
        put(pipeline)
        pipeline.wait_for("S3 to fail in every way", lambda: len(s3.counts) == len(TROUBLE))
        worker.kill_child(min(worker.live()))
        assert worker.wait() != 0
        put(pipeline)
        worker.start()
        pipeline.wait_until_stored()
        worker.kill()
        worker.start()
        put(pipeline)
        pipeline.wait_until_stored()
        worker.terminate()
        worker.wait()
    refused = pipeline.launch(BUCKET="bucket-that-is-not-there")
    assert refused.returncode == 2
    assert MARK not in refused.stdout + refused.stderr

    assert worker.said('"event": "rejected"')
    assert worker.said('"event": "store-retry"')
    assert worker.said("Child process exited")
    assert leaks(pipeline) == []
    assert not pipeline.watcher.problems
    stored = pipeline.stored()
    assert [*stored.articles.values(), *stored.dead_letters.values()] == [1] * pipeline.put_so_far
    assert any(MARK.encode() in payload for payload, _ in stored.payloads.values()), "dead letters hold what was sent"


def put(pipeline: Pipeline) -> None:
    """Everything marked, in any order, under marked partition keys."""
    payloads = marked()
    random.Random(pipeline.put_so_far).shuffle(payloads)
    pipeline.put([replace(outgoing(n, payload), key=f"{MARK}-{n}") for n, payload in enumerate(payloads, 1)])


def told(pid: int, what: str) -> str:
    return Path(f"/proc/{pid}/{what}").read_text()


def leaks(pipeline: Pipeline) -> list[str]:
    """Where the mark is: in the files of workers (their logs and states, and whatever they left), in keys, in metadata
    and headers of objects, in roots."""
    return [where for where, said in said_by(pipeline) if MARK.encode() in said]


def said_by(pipeline: Pipeline) -> Iterator[tuple[str, bytes]]:
    files = [path for path in pipeline.folder.rglob("*") if path.is_file() and path != pipeline.ledger]
    assert len(files) > 4, "a log, rendered properties, the shards, live numbers"
    for path in files:
        yield str(path), path.read_bytes() + os.fsencode(path)
    for item in keys(pipeline.s3, pipeline.bucket, ""):
        key = item["Key"]
        found = pipeline.s3.get_object(Bucket=pipeline.bucket, Key=key)
        body = found["Body"].read()
        if key.endswith(".avro"):
            body = repr(fastavro.reader(io.BytesIO(body)).metadata).encode()
        yield f"s3 {key}", key.encode() + repr(found["Metadata"]).encode() + body
