"""A right that is missing is told in one line before the daemon starts, which would go on and fill its log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from articles import aws
from articles.errors import UserError
from consumer.identity import identify
from consumer.permission_checks import check_reads, check_tables
from consumer.provision import Clients, Plan, provision, tables_of
from local.fault_proxy import Action, Fault, FaultProxy

POLICY = Path(__file__).parents[2] / "properties" / "iam-policy.json"


@pytest.fixture
def application(aws_env: dict[str, str], clients: Clients) -> str:
    provision(Plan(aws_env["STREAM_NAME"], aws_env["BUCKET"], aws_env["APPLICATION_NAME"], shards=2), clients)
    return aws_env["APPLICATION_NAME"]


def test_whoever_has_every_right_changes_nothing_by_asking(
    application: str, aws_env: dict[str, str], clients: Clients
) -> None:
    def items() -> list[object]:
        return [clients.dynamodb.scan(TableName=table)["Items"] for table, _ in tables_of(application)]

    before = items()
    check_reads(clients.kinesis, identify(clients.kinesis, aws_env["STREAM_NAME"]))
    assert check_tables(clients.dynamodb, application) == []
    assert items() == before


DENIED = json.dumps({"__type": "com.amazonaws#AccessDeniedException", "message": "not authorized"}).encode()

ABSENT = json.dumps({"__type": "com.amazonaws#ResourceNotFoundException", "message": "not found"}).encode()


@pytest.mark.parametrize("operation", ["GetShardIterator", "GetRecords"])
def test_a_right_to_the_stream_that_is_missing_is_named(
    operation: str, application: str, aws_env: dict[str, str], clients: Clients
) -> None:
    stream = identify(clients.kinesis, aws_env["STREAM_NAME"])
    with FaultProxy(clients.kinesis.meta.endpoint_url) as proxy:
        proxy.set([Fault("denied", Action.REFUSE, operations=frozenset({operation}), status=400, body=DENIED)])
        kinesis = aws.client("kinesis", region=clients.region, endpoint_url=proxy.url)
        with pytest.raises(UserError, match=f"stream {stream.stream} was denied .kinesis:{operation}"):
            check_reads(kinesis, stream)


@pytest.mark.parametrize("operation", ["DescribeTable", "UpdateItem", "Query"])
def test_a_right_to_a_table_that_is_missing_is_named(operation: str, application: str, clients: Clients) -> None:
    with FaultProxy(clients.dynamodb.meta.endpoint_url) as proxy:
        proxy.set([Fault("denied", Action.REFUSE, operations=frozenset({operation}), status=400, body=DENIED)])
        dynamodb = aws.client("dynamodb", region=clients.region, endpoint_url=proxy.url)
        with pytest.raises(UserError) as caught:
            check_tables(dynamodb, application)
    assert f"table {application} was denied (dynamodb:{operation}), see properties/iam-policy.json" in str(caught.value)


def test_tables_that_are_not_there_are_no_refusal(clients: Clients) -> None:
    assert check_tables(clients.dynamodb, "nobody") == [
        "nobody",
        "nobody-CoordinatorState",
        "nobody-WorkerMetricStats",
    ]


@pytest.mark.parametrize("operation", ["UpdateItem", "Query"])
def test_a_table_or_index_that_another_worker_is_making_is_no_refusal(
    operation: str, application: str, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS takes seconds to make a table and minutes for an index, and answers no question of either until then."""
    describe = clients.dynamodb.describe_table

    def being_made(**given: Any) -> Any:
        said = describe(**given)
        said["Table"]["TableStatus"] = "CREATING" if operation == "UpdateItem" else "UPDATING"
        for index in said["Table"].get("GlobalSecondaryIndexes", ()):
            index["IndexStatus"] = "CREATING"
        return said

    with FaultProxy(clients.dynamodb.meta.endpoint_url) as proxy:
        proxy.set([Fault("absent", Action.REFUSE, operations=frozenset({operation}), status=400, body=ABSENT)])
        dynamodb = aws.client("dynamodb", region=clients.region, endpoint_url=proxy.url)
        monkeypatch.setattr(dynamodb, "describe_table", being_made)
        assert check_tables(dynamodb, application) == []


def test_the_workers_policy_allows_what_is_asked() -> None:
    allowed = {action for statement in json.loads(POLICY.read_text())["Statement"] for action in statement["Action"]}
    assert allowed >= {"kinesis:GetShardIterator", "kinesis:GetRecords"}
    assert allowed >= {"dynamodb:DescribeTable", "dynamodb:UpdateItem", "dynamodb:Query"}
