"""The same consumer on async-kinesis instead of the KCL, as a good engineer writes it in an afternoon.

    .venv/async-kinesis/bin/python benchmarks/async_kinesis_consumer.py        one process reads all shards

async-kinesis with its checkpoints in DynamoDB, fastavro's writer and aioboto3. It stores before it checkpoints, so it
delivers at least once. The library hands out articles without shard, sequence number and time of arrival, so its files
lack those columns and mix all shards. Settings: STREAM_NAME, APPLICATION_NAME, BUCKET, PREFIX, AWS_REGION, the
AWS_ENDPOINT_URL_… of each service, and what closes a file: FILE_SIZE (bytes of content), FILE_AGE, FILE_RECORDS.
"""

import asyncio
import io
import logging
import os
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import aioboto3  # type: ignore[import-not-found]  # in an environment of its own: see bootstrap/requirements
import fastavro
from kinesis import Consumer, DynamoDBCheckPointer, JsonProcessor  # type: ignore[import-not-found]

log = logging.getLogger("async_kinesis_consumer")

SCHEMA = fastavro.parse_schema(
    {
        "type": "record",
        "name": "Article",
        "fields": [
            {"name": "article_id", "type": "string"},
            {"name": "title", "type": ["null", "string"], "default": None},
            {"name": "author", "type": ["null", "string"], "default": None},
            {"name": "publish_date", "type": ["null", "string"], "default": None},
            {"name": "content", "type": "string"},
            {"name": "word_count", "type": "int"},
        ],
    }
)


class Files:
    """Buffers rows, and stores them as one object when they are many or old enough."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.bucket = os.environ["BUCKET"]
        self.prefix = os.environ.get("PREFIX", "articles")
        self.file_size = int(os.environ.get("FILE_SIZE", "67108864"))
        self.file_age = float(os.environ.get("FILE_AGE", "300"))
        self.file_records = int(os.environ.get("FILE_RECORDS", "100000"))
        self.clear()

    def clear(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.size = 0
        self.started = 0.0

    def add(self, article: dict[str, Any]) -> None:
        if not self.rows:
            self.started = time.monotonic()
        content = article["content"]
        self.rows.append(
            {
                "article_id": article["article_id"],
                "title": article.get("title"),
                "author": article.get("author"),
                "publish_date": article.get("publish_date"),
                "content": content,
                "word_count": len(content.split()),
            }
        )
        self.size += len(content)

    def is_due(self) -> bool:
        if not self.rows:
            return False
        is_full = self.size >= self.file_size or len(self.rows) >= self.file_records
        return is_full or time.monotonic() - self.started >= self.file_age

    async def flush(self) -> None:
        body = await asyncio.to_thread(encode, self.rows)  # the loop goes on reading meanwhile
        now = datetime.now(UTC)
        key = f"{self.prefix}/data/dt={now:%Y-%m-%d}/{now:%H%M%S}-{uuid.uuid4()}.avro"
        await self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
        log.info("stored %s: %d records", key, len(self.rows))
        self.clear()


def encode(rows: list[dict[str, Any]]) -> bytes:
    body = io.BytesIO()
    fastavro.writer(body, SCHEMA, rows, codec="deflate")
    return body.getvalue()


async def main() -> None:
    region = os.environ.get("AWS_REGION")
    # What the library has read ahead is not stored yet: the checkpoint waits for the file.
    checkpointer = DynamoDBCheckPointer(os.environ["APPLICATION_NAME"], auto_checkpoint=False, region_name=region)
    stream = os.environ["STREAM_NAME"]
    async with (
        aioboto3.Session().client("s3", region_name=region) as s3,
        Consumer(stream, region_name=region, checkpointer=checkpointer, processor=JsonProcessor()) as consumer,
    ):
        files = Files(s3)
        while True:
            async for article in consumer:
                try:
                    files.add(article)
                except (KeyError, TypeError, AttributeError) as error:
                    log.warning("skipped a bad record: %s", error)
                if files.is_due():
                    await files.flush()
                    await checkpointer.manual_checkpoint()
            # `async for` ends whenever the stream was quiet for two seconds.
            if files.is_due():
                await files.flush()
                await checkpointer.manual_checkpoint()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    asyncio.run(main())
