"""A worker is known to the leader before its daemon runs."""

from __future__ import annotations

from typing import Any

from consumer.announce import START_SECONDS, announce
from consumer.provision import Clients, Plan, provision
from tests.fakes import FakeClock


def entries(clients: Clients, table: str) -> dict[str, dict[str, Any]]:
    return {item["wid"]["S"]: item for item in clients.dynamodb.scan(TableName=table, ConsistentRead=True)["Items"]}


def test_each_worker_has_an_entry_that_a_new_start_renews(aws_env: dict[str, str], clients: Clients) -> None:
    """What the daemon has written beside the time stays as it is."""
    application, clock = aws_env["APPLICATION_NAME"], FakeClock()
    provision(Plan(aws_env["STREAM_NAME"], aws_env["BUCKET"], application, shards=1), clients)
    table = f"{application}-WorkerMetricStats"
    of_the_daemon: dict[str, Any] = {"sts": {"M": {}}, "opr": {"M": {}}}
    of_a_new_one = {name: {"M": {"T": {"L": [{"N": value}]}}} for name, value in (("sts", "1"), ("opr", "100"))}
    clients.dynamodb.put_item(TableName=table, Item={"wid": {"S": "w1"}, "lut": {"N": "1"}} | of_the_daemon)
    for worker in ("w1", "w2"):
        announce(clients.dynamodb, application, worker, clock)
    due = {"lut": {"N": str(int(clock.wall() + START_SECONDS))}}
    assert entries(clients, table) == {
        "w1": {"wid": {"S": "w1"}} | due | of_the_daemon,
        "w2": {"wid": {"S": "w2"}} | due | of_a_new_one,
    }


def test_without_tables_there_is_nothing_to_enter(aws_env: dict[str, str], clients: Clients) -> None:
    announce(clients.dynamodb, aws_env["APPLICATION_NAME"], "w1", FakeClock())
