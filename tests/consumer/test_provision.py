"""`articles provision` makes what is missing, changes nothing that is there, and seeds leases before any worker."""

from __future__ import annotations

import argparse
import dataclasses
import json

import pytest

from articles import aws
from articles.aws import Lease, Shard
from articles.errors import UserError
from consumer import provision as command
from consumer.lease_seed import lease_item, oldest, why_not
from consumer.provision import OWNER_INDEX, Clients, Plan, provision, read_tags

FRESH = Lease("shardId-000000000000", "TRIM_HORIZON", 0, None, 0, (), 0)


@pytest.fixture
def plan(aws_env: dict[str, str]) -> Plan:
    return Plan(aws_env["STREAM_NAME"], aws_env["BUCKET"], aws_env["APPLICATION_NAME"], shards=3)


def test_everything_is_made_once(plan: Plan, clients: Clients) -> None:
    application = plan.application
    first = provision(plan, clients)
    assert first.made == [
        f"stream {plan.stream}",
        f"bucket {plan.bucket}",
        f"table {application}",
        f"table {application}-CoordinatorState",
        f"table {application}-WorkerMetricStats",
    ]
    assert first.seeded == 3
    again = provision(plan, clients)
    assert (again.made, again.there, again.seeded) == ([], first.made, 0)
    leases = aws.read_leases(clients.dynamodb, application) or []
    assert [(lease.checkpoint, lease.sub, lease.owner, lease.counter) for lease in leases] == [
        ("TRIM_HORIZON", 0, None, 0)
    ] * 3


def test_the_lease_table_has_the_daemons_index(plan: Plan, clients: Clients) -> None:
    provision(plan, clients)
    table = clients.dynamodb.describe_table(TableName=plan.application)["Table"]
    (index,) = table["GlobalSecondaryIndexes"]
    assert index["IndexName"] == OWNER_INDEX
    assert index["Projection"]["ProjectionType"] == "KEYS_ONLY"
    assert [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]] == [
        ("leaseOwner", "HASH"),
        ("leaseKey", "RANGE"),
    ]


def test_a_lease_table_without_its_index_gets_it(plan: Plan, clients: Clients) -> None:
    definition = command.table_definition(plan, plan.application, "leaseKey")
    del definition["GlobalSecondaryIndexes"]
    definition["AttributeDefinitions"] = definition["AttributeDefinitions"][:1]
    clients.dynamodb.create_table(**definition)
    assert f"index {OWNER_INDEX} of table {plan.application}" in provision(plan, clients).made


def test_a_table_of_something_else_is_left_alone(plan: Plan, clients: Clients) -> None:
    clients.dynamodb.create_table(
        TableName=plan.application,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(UserError, match="another APPLICATION_NAME"):
        provision(plan, clients)


def test_leases_that_have_been_read_are_never_seeded_again(plan: Plan, clients: Clients) -> None:
    provision(plan, clients)
    shards = [lease.key for lease in aws.read_leases(clients.dynamodb, plan.application) or []]
    clients.dynamodb.delete_item(TableName=plan.application, Key={"leaseKey": {"S": shards[0]}})
    clients.dynamodb.update_item(
        TableName=plan.application,
        Key={"leaseKey": {"S": shards[1]}},
        UpdateExpression="SET leaseOwner = :owner",
        ExpressionAttributeValues={":owner": {"S": "worker-1"}},
    )
    report = provision(plan, clients)
    assert report.seeded == 0
    assert report.leases == f"not touched: {shards[1]} belongs to worker-1"
    assert len(aws.read_leases(clients.dynamodb, plan.application) or []) == 2


def test_a_seeding_that_broke_off_is_finished(plan: Plan, clients: Clients) -> None:
    provision(plan, clients)
    leases = aws.read_leases(clients.dynamodb, plan.application) or []
    clients.dynamodb.delete_item(TableName=plan.application, Key={"leaseKey": {"S": leases[0].key}})
    assert provision(plan, clients).seeded == 1


def test_nothing_is_seeded_for_a_start_at_a_time(plan: Plan, clients: Clients) -> None:
    report = provision(dataclasses.replace(plan, start_at="2026-01-31T00:00:00Z"), clients)
    assert report.seeded == 0
    assert aws.read_leases(clients.dynamodb, plan.application) == []


@pytest.mark.parametrize("start_at", ["LATEST", "tomorrow"])
def test_a_start_that_workers_refuse_is_refused(start_at: str) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(UserError, match="START_AT"):
        command.run(parser.parse_args(["--start-at", start_at]))


@pytest.mark.parametrize(
    "lease",
    [
        dataclasses.replace(FRESH, owner="worker-1"),
        dataclasses.replace(FRESH, counter=1),
        dataclasses.replace(FRESH, moves=1),
        dataclasses.replace(FRESH, checkpoint="SHARD_END"),
        dataclasses.replace(FRESH, checkpoint="4968050079898105"),
    ],
)
def test_a_lease_that_a_worker_has_touched_forbids_seeding(lease: Lease) -> None:
    assert why_not([FRESH, lease]) is not None
    assert why_not([FRESH, FRESH]) is None


def test_a_child_shards_lease_names_its_parents() -> None:
    shard = Shard("shardId-000000000002", ("shardId-000000000000", "shardId-000000000001"), "1", None, "0", "9")
    assert lease_item(shard)["parentShardId"] == {"SS": list(shard.parents)}
    assert "parentShardId" not in lease_item(dataclasses.replace(shard, parents=()))


def test_a_child_whose_parent_is_still_listed_waits_for_its_end() -> None:
    parent = Shard("shardId-000000000000", (), "1", "5", "0", "9")
    children = [Shard(f"shardId-00000000000{n}", (parent.id,), "6", None, "0", "9") for n in (1, 2)]
    assert oldest([parent, *children]) == [parent]
    assert oldest(children) == children  # the parent has expired


def test_a_wrong_stream_is_told_before_anything_is_made(plan: Plan, clients: Clients) -> None:
    with pytest.raises(UserError, match="there is no stream"):
        provision(dataclasses.replace(plan, shards=None), clients)
    assert plan.bucket not in [bucket["Name"] for bucket in clients.s3.list_buckets()["Buckets"]]
    assert aws.read_leases(clients.dynamodb, plan.application) is None


def test_versioning_and_capacity_are_options(plan: Plan, clients: Clients) -> None:
    report = provision(dataclasses.replace(plan, versioning=True, capacity=(7, 8), tags={"team": "news"}), clients)
    assert f"versioning of bucket {plan.bucket}" in report.made
    assert clients.s3.get_bucket_versioning(Bucket=plan.bucket)["Status"] == "Enabled"
    table = clients.dynamodb.describe_table(TableName=plan.application)["Table"]
    assert table["ProvisionedThroughput"]["WriteCapacityUnits"] == 8
    tags = clients.dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    assert {"Key": "team", "Value": "news"} in tags


def test_the_command_reports_as_json(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert command.run(parser.parse_args(["--create-stream", "--shards", "2", "--json"])) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["seeded"] == 2
    assert f"stream {plan.stream}" in said["made"]
    assert command.run(parser.parse_args([])) == 0
    assert f"there  bucket {plan.bucket}" in capsys.readouterr().out


def test_tags_are_pairs() -> None:
    assert read_tags(["a=1", "b=x=y"]) == {"a": "1", "b": "x=y"}
    with pytest.raises(UserError, match="KEY=VALUE"):
        read_tags(["a"])
