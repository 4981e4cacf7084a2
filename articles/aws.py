"""AWS through boto3, for what runs once: looking at a stream, its shards and leases. The only import of boto3; the
children do without it. Errors come out as UserError: what happened, to what, and what to do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import boto3
from botocore import exceptions
from botocore.config import Config

from articles.errors import UserError

_CONFIG: Final = Config(
    retries={"mode": "adaptive", "max_attempts": 6},
    connect_timeout=5,
    read_timeout=30,
    user_agent_extra="articles",
    # Whatever ~/.aws/config says: on an emulator a bucket's name is no host that resolves, and goes into the path.
    s3={"addressing_style": "auto"},
)
_ONCE: Final = _CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
CLIENT_METHODS: Final = ("env", "assume-role-with-web-identity", "container-role", "iam-role")
"""Ways to credentials that the S3 client knows too; a profile, SSO or a process it does not."""
_ACTIVE_SECONDS: Final = 300
_NO_CREDENTIALS: Final = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
)
_DENIED: Final = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403")
_BAD_KEYS: Final = (
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "AuthFailure",
)
_EXPIRED: Final = ("ExpiredToken", "ExpiredTokenException")
_SKEWED: Final = ("RequestTimeTooSkewed", "RequestExpired", "Signature expired", "Signature not yet current")
"""Codes of S3 and others; the rest say it in the message alone."""
_ABSENT: Final = ("ResourceNotFoundException", "NoSuchBucket", "404", "NotFound")
_ELSEWHERE: Final = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301")


@dataclass(frozen=True, slots=True)
class StreamIdentity:
    """`created` is the creation time, floor of epoch seconds: it tells a stream from one made again under its name."""

    arn: str
    name: str
    created: int
    retention_hours: int
    status: str


@dataclass(frozen=True, slots=True)
class Shard:
    """`ending_sequence` is None while the shard is open; hash keys are decimal strings, both ends included."""

    id: str
    parents: tuple[str, ...]
    starting_sequence: str
    ending_sequence: str | None
    starting_hash: str
    ending_hash: str


@dataclass(frozen=True, slots=True)
class Lease:
    """One item of the lease table. `checkpoint` is a sequence number, TRIM_HORIZON, AT_TIMESTAMP or SHARD_END; `moves`
    counts changes of owner since the last checkpoint; `handed_by` still holds it while it is handed over gracefully,
    for a moment: while it stays, nobody reads the shard (KCL issue 1729)."""

    key: str
    checkpoint: str
    sub: int
    owner: str | None
    counter: int
    parents: tuple[str, ...]
    moves: int
    handed_by: str | None = None


def client(
    service: str, *, region: str | None = None, endpoint_url: str | None = None, tries_again: bool = True
) -> Any:
    """A boto3 client; without arguments the environment decides (AWS_REGION, AWS_ENDPOINT_URL and its forms for one
    service). One that does not try again never does twice what it is told once. Raises UserError when there is no
    region."""
    region = region or os.environ.get("AWS_REGION")  # boto3 itself reads AWS_DEFAULT_REGION alone
    with translated(service, f"region {region}"):
        session: Any = boto3.session.Session(region_name=region)  # its types want the service as a literal
        return session.client(service, endpoint_url=endpoint_url, config=_CONFIG if tries_again else _ONCE)


def credentials_method() -> str | None:
    """How boto3 found its credentials (`env`, `assume-role-with-web-identity`, `container-role`, `iam-role`, …)."""
    with translated("credentials", "looking for credentials"):
        found = boto3.session.Session().get_credentials()
    return None if found is None else str(found.method)


def describe_stream(kinesis: Any, name: str) -> StreamIdentity:
    """Raises UserError when there is no such stream."""
    with translated("kinesis", f"stream {name}"):
        said = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    created: datetime = said["StreamCreationTimestamp"]
    return StreamIdentity(
        said["StreamARN"], name, int(created.timestamp()), said["RetentionPeriodHours"], said["StreamStatus"]
    )


def list_shards(kinesis: Any, name: str, *, at_trim_horizon: bool = False) -> list[Shard]:
    """All listed shards, or those that were open at the trim horizon: where KCL starts a new application."""
    request: dict[str, Any] = {"StreamName": name}
    if at_trim_horizon:
        request["ShardFilter"] = {"Type": "AT_TRIM_HORIZON"}
    shards: list[Shard] = []
    with translated("kinesis", f"stream {name}"):
        while True:
            page = kinesis.list_shards(**request)
            shards += [_shard(said) for said in page["Shards"]]
            if not page.get("NextToken"):
                return shards
            request = {"NextToken": page["NextToken"]}


def _shard(said: Mapping[str, Any]) -> Shard:
    parents = (said.get("ParentShardId"), said.get("AdjacentParentShardId"))
    numbers, hashes = said["SequenceNumberRange"], said["HashKeyRange"]
    return Shard(
        said["ShardId"],
        tuple(parent for parent in parents if parent),
        numbers["StartingSequenceNumber"],
        numbers.get("EndingSequenceNumber"),
        hashes["StartingHashKey"],
        hashes["EndingHashKey"],
    )


def read_leases(dynamodb: Any, table: str) -> list[Lease] | None:
    """Every lease, read consistently; None when there is no such table."""
    leases: list[Lease] = []
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
    with translated("dynamodb", f"lease table {table}"):
        while True:
            try:
                page = dynamodb.scan(**request)
            except dynamodb.exceptions.ResourceNotFoundException:
                return None
            leases += [_lease(item) for item in page["Items"] if "checkpoint" in item]
            if not page.get("LastEvaluatedKey"):
                return sorted(leases, key=lambda lease: lease.key)
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _lease(item: Mapping[str, Any]) -> Lease:
    def text(name: str) -> str | None:
        value = item.get(name, {}).get("S")
        return None if value is None else str(value)

    def number(name: str) -> int:
        return int(item.get(name, {}).get("N", 0))

    return Lease(
        text("leaseKey") or "",
        text("checkpoint") or "",
        number("checkpointSubSequenceNumber"),
        text("leaseOwner"),
        number("leaseCounter"),
        tuple(sorted(item.get("parentShardId", {}).get("SS", ()))),
        number("ownerSwitchesSinceCheckpoint"),
        text("checkpointOwner"),
    )


def has_item(dynamodb: Any, table: str, key: str, value: str) -> bool:
    """False where there is no such table, too."""
    with translated("dynamodb", f"table {table}"):
        try:
            return "Item" in dynamodb.get_item(TableName=table, Key={key: {"S": value}}, ConsistentRead=True)
        except dynamodb.exceptions.ResourceNotFoundException:
            return False


def wait_until(what: str, ready: Callable[[], bool], seconds: float = _ACTIVE_SECONDS, every: float = 0.2) -> None:
    """Polls until `ready()` is true; raises UserError when it takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise UserError(f"{what} was not ready after {seconds:.0f} s; look at it in the AWS console and try again")
        time.sleep(every)
        every = min(every * 1.5, 5.0)


@contextmanager
def translated(service: str, what: str) -> Iterator[None]:
    """Turns botocore's errors about `what` into a UserError of one line."""
    try:
        yield
    except exceptions.ClientError as error:
        raise UserError(_said(service, what, error)) from error
    except _NO_CREDENTIALS as error:
        raise UserError(
            f"no AWS credentials for {what}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run under a role"
        ) from error
    except exceptions.NoRegionError as error:
        raise UserError(f"no region for {service}: set AWS_REGION") from error
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        advice = "check the network, AWS_REGION and AWS_ENDPOINT_URL"
        raise UserError(f"{service} does not answer ({what}): {_first_line(error)}; {advice}") from error
    except (exceptions.BotoCoreError, ValueError) as error:
        raise UserError(f"{service} ({what}): {_first_line(error)}") from error


def _said(service: str, what: str, error: Any) -> str:
    code = str(error.response.get("Error", {}).get("Code", ""))
    message = str(error.response.get("Error", {}).get("Message", "")) or _first_line(error)
    region = getattr(error, "_region", "") or "this region"
    if code in _ABSENT:
        return f"there is no {what} in {region}; check its name, AWS_REGION and AWS_ENDPOINT_URL"
    if code in _ELSEWHERE:
        return f"{what} lies in another region; set AWS_REGION to the region it was made in"
    if code in _DENIED:
        action = getattr(error, "operation_name", service)
        return f"access to {what} was denied ({service}:{action}), see properties/iam-policy.json; AWS said: {message}"
    if any(sign in f"{code} {message}" for sign in _SKEWED):
        return f"this machine's clock is not AWS's ({what}): {message}; set the clock (NTP) and start again"
    if code in _EXPIRED:
        return f"the AWS credentials have expired ({what}); get new ones and try again"
    if code in _BAD_KEYS:
        return f"the AWS credentials are not accepted ({what}, {code}); check the AWS_… variables or the role"
    return f"{service} refused ({what}): {code}: {message}"


def _first_line(error: object) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
