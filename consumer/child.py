"""Puts a shard's child process together."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from io import FileIO
from typing import TypeVar

from articles.chain import ShardName
from articles.clock import SystemClock
from articles.errors import StoreUnavailable, UserError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.s3 import S3ObjectStore
from consumer import kcl
from consumer.enrich import WordCount
from consumer.exits import Exit
from consumer.lease_losses import LeaseLosses
from consumer.lines import Lines
from consumer.live import Live, Publisher
from consumer.logs import Log
from consumer.settings import Settings, read_settings
from consumer.shard import Shard
from consumer.shard_config import ShardConfig

_T = TypeVar("_T")


def main() -> int:
    # The daemon drives the shutdown; a signal to the whole process group must not end its children first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    target = _take_stdout()
    log = Log()
    try:
        settings = read_settings(os.environ)
        log = Log(settings.log_level, worker=settings.worker_id)
        kcl.run(_factory(settings, os.environ, log), log, Lines(0), target)
    except UserError as error:
        log.error("leaving", code=int(Exit.SETTINGS), message=f"{error} (children are started by the launcher)")
        return Exit.SETTINGS
    return 0


def _take_stdout() -> FileIO:
    """Keep the protocol's pipe for the protocol: what anybody else prints goes to stderr."""
    protocol = FileIO(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return protocol


def _factory(settings: Settings, env: Mapping[str, str], log: Log) -> kcl.ShardFactory:
    stream_arn, created = _handed(env, "STREAM_ARN", str), _handed(env, "STREAM_CREATED", int)
    retention = _handed(env, "STREAM_RETENTION_HOURS", float) * 3600

    def make(shard_id: str) -> tuple[Shard, Log]:
        clock = SystemClock()
        bound = log.bind(shard=shard_id)

        def on_retry(key: str, error: StoreUnavailable) -> None:
            bound.warning("store-retry", key=key, reason=error)

        store = RetryingStore(
            S3ObjectStore(settings.bucket, region=settings.region, endpoint_url=settings.endpoint_url_s3),
            clock,
            settings.s3_deadline_seconds,
            on_retry,
        )
        config = ShardConfig(
            layout=Layout(settings.prefix),
            shard=ShardName(settings.stream_name, created, shard_id),
            worker=settings.worker_id,
            start_mode=settings.start_mode,
            stream_arn=stream_arn,
            starting_sequence_number=_starting_sequence_number(env.get("SHARDS_FILE"), shard_id),
            retention_seconds=retention,
            file_bytes=settings.file_bytes,
            file_seconds=settings.file_seconds,
            file_records=settings.file_records,
            codec=settings.codec,
            idle_turn=settings.idle_turn,
            deadline_seconds=settings.s3_deadline_seconds,
        )
        live = Live(shard=shard_id, worker=settings.worker_id, pid=os.getpid(), started=clock.wall())
        losses = LeaseLosses(settings.state_dir, shard_id)
        return Shard(config, store, WordCount(), clock, bound, Publisher(settings.state_dir, live), losses), bound

    return make


def _handed(env: Mapping[str, str], name: str, kind: Callable[[str], _T]) -> _T:
    """What only the launcher knows; raises UserError."""
    try:
        return kind(env[name])
    except (KeyError, ValueError):
        raise UserError(f"{name}={env.get(name, '')!r} is missing or makes no sense") from None


def _starting_sequence_number(shards_file: str | None, shard_id: str) -> str | None:
    """For the root's information only; unknown for shards that came after the worker's start."""
    try:
        with open(shards_file or "", encoding="utf-8") as file:
            return str(json.load(file)[shard_id])
    except (OSError, ValueError, LookupError, TypeError):
        return None
