"""One worker at a time until an application has its first leader.

Of two workers that race for the leader's lock while nobody has ever held it, the loser's daemon sleeps for two minutes
inside the lock client, with leases assigned to it. Only the very first lock can be raced for like that. So workers that
start together claim the first start in the coordinator's table; whoever has it starts at once, the others when there
is a leader, a few seconds later.

And a worker that led when it was killed gives its lock back before it starts again. Nobody is given a lease without a
leader, and the lock of a dead one runs out only after two minutes, even for a daemon of the same id, and only for who
has watched it all that time: where workers restart meanwhile, later still.
"""

from __future__ import annotations

import random
from typing import Any, Final

from articles import aws
from articles.clock import Clock

LEADER: Final = "Leader"
CLAIM: Final = "articles-first-start"
CLAIM_SECONDS: Final = 20.0
"""After this long without a leader, the next one may try: the first one has died."""
EVERY_SECONDS: Final = 0.25
APART_SECONDS: Final = 3.0
"""Without tables there is nothing to claim, and the daemons make them: then chance must keep them apart."""


def wait_for_turn(dynamodb: Any, application: str, worker: str, clock: Clock) -> None:
    """Returns when this worker may start its daemon; none of its id may run. Raises UserError."""
    table = f"{application}-CoordinatorState"
    _give_lock_back(dynamodb, table, worker)
    while not aws.has_item(dynamodb, table, "key", LEADER):
        claimed = _claim(dynamodb, table, worker, int(clock.wall()))
        if claimed is None:
            clock.sleep(random.uniform(0, APART_SECONDS))
        if claimed is not False:
            return
        clock.sleep(EVERY_SECONDS)


def _give_lock_back(dynamodb: Any, table: str, worker: str) -> None:
    """As the daemon's lock client does at an orderly end."""
    with aws.translated("dynamodb", f"table {table}"):
        try:
            dynamodb.update_item(
                TableName=table,
                Key={"key": {"S": LEADER}},
                UpdateExpression="SET isReleased = :released",
                ConditionExpression="ownerName = :worker",
                ExpressionAttributeValues={":released": {"S": "1"}, ":worker": {"S": worker}},
            )
        except (
            dynamodb.exceptions.ConditionalCheckFailedException,  # another one leads, or nobody does
            dynamodb.exceptions.ResourceNotFoundException,
        ):
            return


def _claim(dynamodb: Any, table: str, worker: str, now: int) -> bool | None:
    """Whether it is ours now; None where there is no such table."""
    with aws.translated("dynamodb", f"table {table}"):
        try:
            dynamodb.put_item(
                TableName=table,
                Item={"key": {"S": CLAIM}, "worker": {"S": worker}, "claimed": {"N": str(now)}},
                ConditionExpression="attribute_not_exists(#k) OR #w = :worker OR #c < :stale",
                ExpressionAttributeNames={"#k": "key", "#w": "worker", "#c": "claimed"},
                ExpressionAttributeValues={
                    ":worker": {"S": worker},
                    ":stale": {"N": str(now - int(CLAIM_SECONDS))},
                },
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        except dynamodb.exceptions.ResourceNotFoundException:
            return None
    return True
