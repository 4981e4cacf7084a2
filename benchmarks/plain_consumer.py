"""The straightforward build of the same consumer, as a good engineer writes it in an afternoon, to hold ours against.

    python benchmarks/plain_consumer.py        started by the daemon, one process a shard

The KCL's sample processor, `json`, `str.split`, fastavro's writer and boto3. It stores before it checkpoints, so it
delivers at least once; where it loses or repeats records is for `./run_kcl.sh chaos` to count, not for this file to
provoke. Settings: BUCKET, PREFIX, AWS_REGION, AWS_ENDPOINT_URL_S3, and what closes a file: FILE_SIZE (bytes of
content), FILE_AGE (seconds), FILE_RECORDS.
"""

import io
import json
import logging
import os
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import boto3
import fastavro
from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor
from botocore.config import Config

log = logging.getLogger("plain_consumer")

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
            {"name": "shard_id", "type": "string"},
            {"name": "sequence_number", "type": "string"},
            {"name": "sub_sequence_number", "type": "long"},
            {"name": "arrival_timestamp", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        ],
    }
)
CHECKPOINT_ATTEMPTS = 5
CHECKPOINT_PAUSE = 5


class ArticleProcessor(processor.RecordProcessorBase):
    def __init__(self) -> None:
        self.bucket = os.environ["BUCKET"]
        self.prefix = os.environ.get("PREFIX", "articles")
        self.file_size = int(os.environ.get("FILE_SIZE", "67108864"))
        self.file_age = float(os.environ.get("FILE_AGE", "300"))
        self.file_records = int(os.environ.get("FILE_RECORDS", "100000"))
        region = os.environ.get("AWS_REGION")
        self.s3 = boto3.client("s3", region_name=region, config=Config(retries={"mode": "standard", "max_attempts": 5}))
        self.shard_id = ""
        self.position: tuple[str, int] = ("", 0)
        """Of the last record taken."""
        self.clear()

    def clear(self) -> None:
        self.buffer: list[dict[str, Any]] = []
        self.buffer_size = 0
        self.buffer_started = 0.0

    def initialize(self, initialize_input: Any) -> None:
        self.shard_id = initialize_input.shard_id

    def process_records(self, process_records_input: Any) -> None:
        for record in process_records_input.records:
            self.position = (record.sequence_number, record.sub_sequence_number)
            try:
                row = self.row(record)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                log.warning("skipped a bad record at %s: %s", record.sequence_number, error)
                continue
            if not self.buffer:
                self.buffer_started = time.monotonic()
            self.buffer.append(row)
            self.buffer_size += len(row["content"])
        # After the whole batch: if the upload fails, the buffer is whole and the next call tries again.
        if self.is_due():
            self.flush(process_records_input.checkpointer)

    def is_due(self) -> bool:
        if not self.buffer:
            return False
        is_full = self.buffer_size >= self.file_size or len(self.buffer) >= self.file_records
        return is_full or time.monotonic() - self.buffer_started >= self.file_age

    def row(self, record: Any) -> dict[str, Any]:
        article = json.loads(record.binary_data)
        content = article["content"]
        return {
            "article_id": article["article_id"],
            "title": article.get("title"),
            "author": article.get("author"),
            "publish_date": article.get("publish_date"),
            "content": content,
            "word_count": len(content.split()),
            "shard_id": self.shard_id,
            "sequence_number": record.sequence_number,
            "sub_sequence_number": record.sub_sequence_number,
            "arrival_timestamp": record.timestamp_millis,
        }

    def flush(self, checkpointer: Any) -> None:
        """Upload what is buffered, then checkpoint: in this order, a crash repeats records but loses none."""
        if not self.buffer:
            return
        body = io.BytesIO()
        fastavro.writer(body, SCHEMA, self.buffer, codec="deflate")
        now = datetime.now(UTC)
        name = f"{self.shard_id}-{now:%H%M%S}-{uuid.uuid4()}.avro"
        key = f"{self.prefix}/data/dt={now:%Y-%m-%d}/{name}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body.getvalue())
        log.info("stored %s: %d records", key, len(self.buffer))
        self.clear()
        self.checkpoint(checkpointer, *self.position)

    def checkpoint(
        self, checkpointer: Any, sequence_number: str | None = None, sub_sequence_number: int | None = None
    ) -> None:
        """The sample's way: throttling is waited out, a lost lease is not ours to mend."""
        for attempt in range(CHECKPOINT_ATTEMPTS):
            try:
                checkpointer.checkpoint(sequence_number, sub_sequence_number)
                return
            except kcl.CheckpointError as error:
                if error.value == "ShutdownException":
                    log.info("the lease is gone, nothing to checkpoint")
                    return
                if error.value != "ThrottlingException" or attempt == CHECKPOINT_ATTEMPTS - 1:
                    log.exception("the checkpoint failed")
                    return
            time.sleep(CHECKPOINT_PAUSE)

    def lease_lost(self, lease_lost_input: Any) -> None:  # noqa: ARG002
        self.clear()

    def shard_ended(self, shard_ended_input: Any) -> None:
        self.flush(shard_ended_input.checkpointer)
        self.checkpoint(shard_ended_input.checkpointer)

    def shutdown_requested(self, shutdown_requested_input: Any) -> None:
        self.flush(shutdown_requested_input.checkpointer)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    kcl.KCLProcess(ArticleProcessor()).run()
