"""May this worker read the stream and write its leases? The daemon does not end when it may not: it fills the log.

Each question is one request that changes nothing. Raises UserError.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from articles import aws
from consumer.identity import Identity
from consumer.provision import tables_of

NOBODY: Final = "articles-may-write"


def check_reads(kinesis: Any, stream: Identity) -> None:
    """Reads one record: where the stream is encrypted, that takes the right to its key too."""
    busy = (kinesis.exceptions.ProvisionedThroughputExceededException, kinesis.exceptions.ResourceNotFoundException)
    # Others read it, or it has just expired: neither is a refusal.
    with aws.translated("kinesis", f"stream {stream.stream}"), suppress(*busy):
        said = kinesis.get_shard_iterator(
            StreamName=stream.stream, ShardId=stream.shards[-1].id, ShardIteratorType="TRIM_HORIZON"
        )
        kinesis.get_records(ShardIterator=said["ShardIterator"], Limit=1)


def check_tables(dynamodb: Any, application: str) -> list[str]:
    """Looks at the daemon's tables, asks their index, and writes an item on a condition that cannot hold; which tables
    there are not. What another worker's daemon is making at the moment answers nothing yet, and is not asked."""
    absent = []
    for table, key in tables_of(application):
        with aws.translated("dynamodb", f"table {table}"):
            try:
                found = dynamodb.describe_table(TableName=table)["Table"]
            except dynamodb.exceptions.ResourceNotFoundException:
                absent.append(table)
                continue
            if found["TableStatus"] != "CREATING":
                _write(dynamodb, table, key)
        for index in found.get("GlobalSecondaryIndexes", ()):
            if index["IndexStatus"] == "CREATING":
                continue
            with aws.translated("dynamodb", f"index {index['IndexName']} of table {table}"):
                dynamodb.query(
                    TableName=table,
                    IndexName=index["IndexName"],
                    KeyConditionExpression=f"{index['KeySchema'][0]['AttributeName']} = :nobody",
                    ExpressionAttributeValues={":nobody": {"S": NOBODY}},
                )
    return absent


def _write(dynamodb: Any, table: str, key: str) -> None:
    with suppress(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.update_item(
            TableName=table,
            Key={key: {"S": NOBODY}},
            UpdateExpression="SET asked = :now",
            ConditionExpression="attribute_exists(asked)",
            ExpressionAttributeValues={":now": {"BOOL": True}},
        )
