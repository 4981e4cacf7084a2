"""Makes a worker known to the leader before its daemon runs.

Whoever leads gives leases to the workers of the metrics table. A daemon enters itself there seconds after it has looked
for leases, so the first one of an application would find itself unknown and wait for the next look; and workers that
start together would be unknown to the one of them that shares out the leases, and get none until it balances, minutes
later. Known without a load, they would not all get some either: the daemon extends a worker's load by its leases'
share of the fleet's average, and while that is nothing, it goes on giving leases to the same two workers. So a new
worker enters itself with a hundredth of its share, until its daemon enters what is true.
"""

from __future__ import annotations

from typing import Any, Final

from articles import aws
from articles.clock import Clock

START_SECONDS: Final = 5.0
"""The entry is dated to when the daemon will be up: it lapses after twice `workerMetricsReporterFreqInMillis`."""
_LOAD: Final = "T"
"""What the leader itself calls the load of a worker, 100 at the average, where workers report no metrics."""


def announce(dynamodb: Any, application: str, worker: str, clock: Clock) -> None:
    """Enters the worker, or renews its entry; nothing where there is no table yet. Raises UserError."""
    table = f"{application}-WorkerMetricStats"
    with aws.translated("dynamodb", f"table {table}"):
        try:
            dynamodb.update_item(
                TableName=table,
                Key={"wid": {"S": worker}},
                UpdateExpression="SET lut = :due, sts = if_not_exists(sts, :load), opr = if_not_exists(opr, :most)",
                ExpressionAttributeValues={
                    ":due": {"N": str(int(clock.wall() + START_SECONDS))},
                    ":load": {"M": {_LOAD: {"L": [{"N": "1"}]}}},
                    ":most": {"M": {_LOAD: {"L": [{"N": "100"}]}}},
                },
            )
        except dynamodb.exceptions.ResourceNotFoundException:
            return
