"""What the launcher checks in AWS before the daemon starts: everything that would lose records or fork a chain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from articles import aws, tail
from articles.aws import Shard
from articles.chain import ShardName
from articles.errors import StoreError, UserError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.s3 import S3ObjectStore
from consumer import bucket_checks, permission_checks
from consumer.chain_checks import Expected, Standing, problems
from consumer.chain_restart import LEASE_SECONDS, restart
from consumer.identity import Identity, identify
from consumer.settings import Settings, SettingsError

Say = Callable[[str], None]

_AT_ONCE: Final = 16
_STORE_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Preflight:
    """Everything the checks look at. Methods raise UserError."""

    settings: Settings
    stream: Identity
    kinesis: Any
    dynamodb: Any
    s3: Any
    store: S3ObjectStore

    @classmethod
    def open(cls, settings: Settings) -> Preflight:
        method = aws.credentials_method()
        if method is not None and method not in aws.CLIENT_METHODS:
            raise UserError(
                f"AWS credentials come from a profile ({method}), which the children's S3 client does not read; put "
                'them into the environment: eval "$(aws configure export-credentials --format env)"'
            )
        region = settings.region
        kinesis = aws.client("kinesis", region=region, endpoint_url=settings.endpoint_url_kinesis)
        return cls(
            settings,
            identify(kinesis, settings.stream_name),
            kinesis,
            aws.client("dynamodb", region=region, endpoint_url=settings.endpoint_url_dynamodb),
            aws.client("s3", region=region, endpoint_url=settings.endpoint_url_s3),
            S3ObjectStore(settings.bucket, region=region, endpoint_url=settings.endpoint_url_s3),
        )

    def check(self, say: Say, warn: Say) -> None:
        """All checks; `say` hears of each that is fine."""
        settings, stream = self.settings, self.stream
        permission_checks.check_reads(self.kinesis, stream)
        say(f"ok  stream {stream.stream_arn}, made at {stream.created}, {len(stream.shards)} shards")
        ahead = bucket_checks.check_clock(self.s3, settings.bucket, settings.prefix, time.time())
        say(f"ok  clock, {abs(ahead):.0f} s from S3's")
        with self._store_errors():
            bucket_checks.check_create_once(self.store, settings.prefix)
        say(f"ok  bucket {settings.bucket} creates a key only once")
        absent = permission_checks.check_tables(self.dynamodb, settings.application_name)
        if absent:
            warn(
                f"there is no table {', '.join(absent)} yet: the daemon makes it, which takes longer and the right to "
                "dynamodb:CreateTable; `articles provision` makes it beforehand"
            )
        standings = self.standings()
        found = problems(standings, self.expected, time.time())
        if found:
            raise SettingsError(found)
        leases = sum(standing.lease is not None for standing in standings)
        chains = sum(standing.tail is not None for standing in standings)
        say(f"ok  {leases} leases in table {settings.application_name} agree with {chains} chains")

    def start_chain_here(self, say: Say) -> None:
        """Lets chains go on at their leases' checkpoints where the leases are past them."""
        before = self.standings()
        # A worker that runs renews its leases several times in this time.
        time.sleep(LEASE_SECONDS)
        with self._store_errors():
            restart(self._retrying(), self.layout, before, self.standings(), self.expected, time.time(), say)

    @property
    def layout(self) -> Layout:
        return Layout(self.settings.prefix)

    @property
    def expected(self) -> Expected:
        retention = self.stream.retention_hours * 3600.0
        settings, stream = self.settings, self.stream
        return Expected(stream.stream_arn, stream.created, settings.start_mode, retention, settings.application_name)

    def standings(self) -> Sequence[Standing]:
        """Every listed shard with its lease and its chain's tail, many at a time."""
        found = aws.read_leases(self.dynamodb, self.settings.application_name)
        leases = {lease.key: lease for lease in found or []}
        # Listed after its lease was read: a shard that other workers have ended since the start is closed by now.
        shards = aws.list_shards(self.kinesis, self.settings.stream_name)

        def stand(shard: Shard) -> Standing:
            name = ShardName(self.stream.stream, self.stream.created, shard.id)
            return Standing(shard, leases.get(shard.id), tail.find(self._retrying(), self.layout, name))

        with self._store_errors(), ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(stand, shards))

    def _retrying(self) -> RetryingStore:
        return RetryingStore(self.store, deadline=_STORE_SECONDS)

    @contextmanager
    def _store_errors(self) -> Iterator[None]:
        try:
            yield
        except StoreError as error:
            raise UserError(f"{error}; check BUCKET, AWS_REGION and the role (properties/iam-policy.json)") from error
