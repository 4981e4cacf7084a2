"""What the nemesis does to the answers of S3 and DynamoDB: windows in which a fault strikes a share of the calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from local.chaos.nemesis import Act, Deck, Steps
from local.chaos.world import APPLICATION, PUT, Wire, World, pause
from local.fault_proxy import CONFLICT, THROTTLED, Action, Fault

Range = tuple[float, float]
RENEWALS = frozenset({"UpdateItem", "PutItem", "DeleteItem"})
GET = frozenset({"GET"})
INTERNAL = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


def window(wire: Callable[[World], Wire], fault: Fault, share: Range, seconds: Range) -> Act[World]:
    """For some seconds `fault` strikes a share of the calls."""

    def run(world: World, draw: Random) -> Steps:
        part, lasting = draw.uniform(*share), draw.uniform(*seconds)
        with wire(world).striking(replace(fault, probability=part)) as struck:
            yield from pause(lasting, f"{part:.0%} of the calls for {lasting:.0f} s")
            return f"struck {struck()} times"

    return Act(fault.kind, run)


def s3(kind: str, action: Action, share: Range, seconds: Range, **more: Any) -> Act[World]:
    return window(lambda world: world.s3, Fault(f"s3-{kind}", action, **more), share, seconds)


def leases(
    kind: str, action: Action, share: Range, seconds: Range, table: str = APPLICATION, **more: Any
) -> Act[World]:
    """Mostly of the lease table alone: the leader's lock lies in another. A leader that cannot reach both for three
    rounds of assignment gives up, and nobody leads for minutes, in which much less goes on that could go wrong."""
    fault = Fault(f"dynamodb-{kind}", action, pattern=table, **more)
    return window(lambda world: world.dynamodb, fault, share, seconds)


S3: Deck[World] = Deck(
    "s3",
    [
        s3("answer-lost", Action.LOSE, (0.3, 1.0), (5, 15), methods=PUT),
        s3("slow-down", Action.REFUSE, (0.2, 0.5), (10, 60)),
        s3("stored-yet-500", Action.MISREPORT, (0.3, 0.8), (5, 15), methods=PUT, status=500, body=INTERNAL),
        s3("conflict", Action.REFUSE, (0.3, 0.8), (5, 15), methods=PUT, status=409, body=CONFLICT),
        s3("corrupt", Action.CORRUPT, (0.3, 0.8), (5, 15), methods=PUT),
        s3("truncated", Action.TRUNCATE, (0.2, 0.6), (5, 20), methods=GET),
        s3("cut", Action.CUT, (0.2, 0.6), (5, 20)),
        s3("slow", Action.SLOW, (0.5, 1.0), (5, 20), bytes_a_second=10_000),
        s3("down", Action.CUT, (1.0, 1.0), (5, 40)),
    ],
    (2.0, 12.0),
    ("s3-answer-lost",),
)
DYNAMODB: Deck[World] = Deck(
    "dynamodb",
    [
        leases("throttled", Action.REFUSE, (0.3, 1.0), (5, 20), status=400, body=THROTTLED),
        leases("answer-lost", Action.LOSE, (0.3, 0.9), (5, 15), operations=RENEWALS),
        leases("cut", Action.CUT, (0.2, 0.8), (5, 15)),
        leases("corrupt", Action.CORRUPT, (0.1, 0.5), (5, 15)),
        leases("slow", Action.SLOW, (0.5, 1.0), (5, 15), bytes_a_second=2_000),
        leases("down", Action.CUT, (1.0, 1.0), (3, 7), table="*"),
    ],
    (6.0, 25.0),
    ("dynamodb-answer-lost",),
)
