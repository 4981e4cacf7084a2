"""Workers that start together on an application without a leader start one after the other; one that led when it was
killed leaves no lock behind."""

from __future__ import annotations

import pytest

from consumer.first_start import APART_SECONDS, CLAIM_SECONDS, wait_for_turn
from consumer.provision import Clients, Plan, provision
from tests.fakes import FakeClock


class ClockThatTells(FakeClock):
    """`after` seconds from its start, somebody leads."""

    def __init__(self, clients: Clients, table: str, after: float = float("inf")) -> None:
        super().__init__()
        self._clients, self._table, self._due = clients, table, self.monotonic() + after

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self.monotonic() >= self._due:
            self._clients.dynamodb.put_item(TableName=self._table, Item={"key": {"S": "Leader"}})


@pytest.fixture
def application(aws_env: dict[str, str], clients: Clients) -> str:
    name = aws_env["APPLICATION_NAME"]
    provision(Plan(aws_env["STREAM_NAME"], aws_env["BUCKET"], name, shards=1), clients)
    return name


def waited(clients: Clients, application: str, worker: str, after: float = float("inf")) -> float:
    clock = ClockThatTells(clients, f"{application}-CoordinatorState", after)
    wait_for_turn(clients.dynamodb, application, worker, clock)
    return sum(clock.slept)


def test_the_first_starts_at_once_and_the_others_when_it_leads(clients: Clients, application: str) -> None:
    assert waited(clients, application, "w1") == 0
    assert waited(clients, application, "w1") == 0  # its container was started again
    assert waited(clients, application, "w2", after=2.0) == 2.0
    assert waited(clients, application, "w3") == 0


def test_a_claim_without_a_leader_lapses(clients: Clients, application: str) -> None:
    assert waited(clients, application, "w1") == 0
    assert CLAIM_SECONDS < waited(clients, application, "w2") <= CLAIM_SECONDS + 2


def test_without_tables_chance_keeps_them_apart(aws_env: dict[str, str], clients: Clients) -> None:
    assert 0 < waited(clients, aws_env["APPLICATION_NAME"], "w1") <= APART_SECONDS


def test_who_led_gives_its_lock_back_and_nobody_elses(clients: Clients, application: str) -> None:
    key = {"key": {"S": "Leader"}}
    table = f"{application}-CoordinatorState"
    lock = key | {"ownerName": {"S": "w1"}, "recordVersionNumber": {"S": "a"}, "leaseDuration": {"S": "120000"}}
    clients.dynamodb.put_item(TableName=table, Item=lock)

    def item() -> dict[str, object]:
        found: dict[str, object] = clients.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        return found

    assert waited(clients, application, "w2") == 0
    assert item() == lock
    assert waited(clients, application, "w1") == 0
    assert item() == lock | {"isReleased": {"S": "1"}}
