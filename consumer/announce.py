"""Makes a worker known to the leader before its daemon runs.

Whoever leads gives leases to the workers of the metrics table. A daemon enters itself there half a second after it has
looked for leases, so the first one of an application would find itself unknown and wait a whole
`leaseAssignmentIntervalMillis`; and workers that start together would be unknown to the one of them that shares out
the leases, and get none until it balances, minutes later.
"""

from __future__ import annotations

from typing import Any, Final

from articles import aws
from articles.clock import Clock

START_SECONDS: Final = 5.0
"""The entry is dated to when the daemon will be up: it lapses after twice `workerMetricsReporterFreqInMillis`."""


def announce(dynamodb: Any, application: str, worker: str, clock: Clock) -> None:
    """Enters the worker, or renews its entry; nothing where there is no table yet. Raises UserError."""
    table = f"{application}-WorkerMetricStats"
    with aws.translated("dynamodb", f"table {table}"):
        try:
            dynamodb.update_item(
                TableName=table,
                Key={"wid": {"S": worker}},
                UpdateExpression="SET lut = :seconds",
                ExpressionAttributeValues={":seconds": {"N": str(int(clock.wall() + START_SECONDS))}},
            )
        except dynamodb.exceptions.ResourceNotFoundException:
            return
