"""`articles provision`: makes what a worker needs, and changes nothing that is there.

A bucket; the daemon's three tables, the lease table with its index; and a first lease for every shard. The daemon
would make the tables itself, but takes ten seconds for the index and waits at random on an empty lease table: with
everything there, the first record arrives within seconds of a start.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, Final

from articles import aws
from articles.errors import UserError
from consumer.lease_seed import seed_leases
from consumer.settings import TRIM_HORIZON, read_start

OWNER_INDEX: Final = "LeaseOwnerToLeaseKeyIndex"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to make. `capacity` is (read, write) units for provisioned billing, None for on-demand; `shards` is set
    to make the stream too, for local use; `tags` go on what is made now."""

    stream: str
    bucket: str
    application: str = "articles"
    start_at: str = TRIM_HORIZON
    versioning: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    capacity: tuple[int, int] | None = None
    shards: int | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was made now and what was there, and how many leases were seeded; `leases` says why, if none."""

    made: list[str]
    there: list[str]
    seeded: int
    leases: str


@dataclass(frozen=True, slots=True)
class Clients:
    kinesis: Any
    dynamodb: Any
    s3: Any
    region: str

    @classmethod
    def open(cls, region: str | None = None, endpoint_url: str | None = None) -> Clients:
        """Without arguments, as the environment says. Raises UserError."""
        kinesis, dynamodb, s3 = (
            aws.client(service, region=region, endpoint_url=endpoint_url) for service in ("kinesis", "dynamodb", "s3")
        )
        return cls(kinesis, dynamodb, s3, str(s3.meta.region_name))


def provision(plan: Plan, clients: Clients) -> Report:
    """Makes what is missing and waits until it can be used. Raises UserError."""
    report = Report([], [], 0, "")
    if plan.shards is not None:
        _stream(plan, plan.shards, clients, report)
    aws.describe_stream(clients.kinesis, plan.stream)  # a name that is wrong is told before anything is made
    _bucket(plan, clients, report)
    tables = [_table(plan, clients, report, name, key) for name, key in tables_of(plan.application)]
    for table in tables:
        aws.wait_until(f"table {table}", partial(_is_active, clients.dynamodb, table))
    seeded = seed_leases(clients.kinesis, clients.dynamodb, plan.stream, plan.application, plan.start_at)
    return Report(report.made, report.there, seeded.count, seeded.said)


def tables_of(application: str) -> list[tuple[str, str]]:
    """The daemon's tables, each with its key."""
    return [
        (application, "leaseKey"),
        (f"{application}-CoordinatorState", "key"),
        (f"{application}-WorkerMetricStats", "wid"),
    ]


def _stream(plan: Plan, shards: int, clients: Clients, report: Report) -> None:
    kinesis, what = clients.kinesis, f"stream {plan.stream}"
    with aws.translated("kinesis", what):
        try:
            kinesis.create_stream(StreamName=plan.stream, ShardCount=shards)
            report.made.append(what)
        except kinesis.exceptions.ResourceInUseException:
            report.there.append(what)
            return
        if plan.tags:
            kinesis.add_tags_to_stream(StreamName=plan.stream, Tags=dict(plan.tags))
    aws.wait_until(what, lambda: aws.describe_stream(kinesis, plan.stream).status == "ACTIVE")


def _bucket(plan: Plan, clients: Clients, report: Report) -> None:
    s3, name, what = clients.s3, plan.bucket, f"bucket {plan.bucket}"
    with aws.translated("s3", what):
        if _bucket_exists(s3, name):
            report.there.append(what)
        else:
            # The one region that must not be named.
            place = {} if clients.region == "us-east-1" else {"LocationConstraint": clients.region}
            s3.create_bucket(Bucket=name, **({"CreateBucketConfiguration": place} if place else {}))
            report.made.append(what)
            if plan.tags:
                s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": _tag_list(plan.tags)})
        if plan.versioning and s3.get_bucket_versioning(Bucket=name).get("Status") != "Enabled":
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
            report.made.append(f"versioning of {what}")


def _bucket_exists(s3: Any, name: str) -> bool:
    try:
        s3.head_bucket(Bucket=name)
    except s3.exceptions.ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == 404:
            return False
        raise
    return True


def _table(plan: Plan, clients: Clients, report: Report, name: str, key: str) -> str:
    dynamodb, what = clients.dynamodb, f"table {name}"
    request = table_definition(plan, name, key)
    with aws.translated("dynamodb", what):
        try:
            found = dynamodb.describe_table(TableName=name)["Table"]
        except dynamodb.exceptions.ResourceNotFoundException:
            dynamodb.create_table(**request)
            report.made.append(what)
            return name
        if found["KeySchema"] != request["KeySchema"]:
            raise UserError(f"{what} is not the daemon's (its key is not {key}); give another APPLICATION_NAME")
        report.there.append(what)
        indexes = request.get("GlobalSecondaryIndexes", [])
        if indexes and not any(index["IndexName"] == OWNER_INDEX for index in found.get("GlobalSecondaryIndexes", [])):
            dynamodb.update_table(
                TableName=name,
                AttributeDefinitions=request["AttributeDefinitions"],
                GlobalSecondaryIndexUpdates=[{"Create": indexes[0]}],
            )
            report.made.append(f"index {OWNER_INDEX} of {what}")
    return name


def table_definition(plan: Plan, name: str, key: str) -> dict[str, Any]:
    """As the daemon makes it (KCL 3.1.3, `DynamoDBLeaseRefresher` and its neighbours)."""
    attributes = [{"AttributeName": key, "AttributeType": "S"}]
    request: dict[str, Any] = {
        "TableName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "AttributeDefinitions": attributes,
        "BillingMode": "PAY_PER_REQUEST",
    }
    throughput: dict[str, Any] = {}
    if plan.capacity:
        units = {"ReadCapacityUnits": plan.capacity[0], "WriteCapacityUnits": plan.capacity[1]}
        throughput = {"ProvisionedThroughput": units}
        request |= {"BillingMode": "PROVISIONED"} | throughput
    if plan.tags:
        request["Tags"] = _tag_list(plan.tags)
    if key == "leaseKey":
        attributes.append({"AttributeName": "leaseOwner", "AttributeType": "S"})
        schema = [("leaseOwner", "HASH"), ("leaseKey", "RANGE")]
        index = {
            "IndexName": OWNER_INDEX,
            "KeySchema": [{"AttributeName": attribute, "KeyType": kind} for attribute, kind in schema],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        request["GlobalSecondaryIndexes"] = [index | throughput]
    return request


def _is_active(dynamodb: Any, table: str) -> bool:
    with aws.translated("dynamodb", f"table {table}"):
        found = dynamodb.describe_table(TableName=table)["Table"]
    indexes = found.get("GlobalSecondaryIndexes", [])
    states = [found["TableStatus"], *(index.get("IndexStatus", "ACTIVE") for index in indexes)]
    return all(state == "ACTIVE" for state in states)


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from articles.options import add_location

    add_location(parser)
    parser.add_argument(
        "--application",
        default=os.environ.get("APPLICATION_NAME") or "articles",
        help="the lease table's name (APPLICATION_NAME, articles)",
    )
    parser.add_argument(
        "--start-at",
        default=os.environ.get("START_AT") or TRIM_HORIZON,
        help="where the workers will start; leases are seeded for TRIM_HORIZON only (START_AT)",
    )
    parser.add_argument("--versioning", action="store_true", help="keep every version of an object (there is only one)")
    parser.add_argument("--tags", nargs="*", default=[], metavar="KEY=VALUE", help="tags for what is made now")
    parser.add_argument("--billing", choices=("on-demand", "provisioned"), default="on-demand", help="of the tables")
    parser.add_argument("--read-capacity", type=int, default=10, help="units of each table, when provisioned (10)")
    parser.add_argument("--write-capacity", type=int, default=10, help="units of each table, when provisioned (10)")
    parser.add_argument("--create-stream", action="store_true", help="make the stream too (for an emulator)")
    parser.add_argument("--shards", type=int, default=4, help="shards of a stream that is made (4)")


def run(args: argparse.Namespace) -> int:
    read_start(args.start_at)  # what the workers will refuse must not pass here
    plan = Plan(
        stream=_needed(args.stream, "--stream or STREAM_NAME"),
        bucket=_needed(args.bucket, "--bucket or BUCKET"),
        application=args.application,
        start_at=args.start_at,
        versioning=args.versioning,
        tags=read_tags(args.tags),
        capacity=(args.read_capacity, args.write_capacity) if args.billing == "provisioned" else None,
        shards=args.shards if args.create_stream else None,
    )
    report = provision(plan, Clients.open(args.region, args.endpoint_url))
    if args.json:
        sys.stdout.write(json.dumps(asdict(report)) + "\n")
        return 0
    lines = [f"made   {what}" for what in report.made] + [f"there  {what}" for what in report.there]
    sys.stdout.write("\n".join([*lines, f"leases {report.leases}"]) + "\n")
    return 0


def read_tags(pairs: Sequence[str]) -> dict[str, str]:
    """Tags from KEY=VALUE; raises UserError."""
    tags = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UserError(f"--tags {pair!r} is not KEY=VALUE")
        tags[key] = value
    return tags


def _needed(value: str | None, name: str) -> str:
    if not value:
        raise UserError(f"{name} is not set")
    return value
