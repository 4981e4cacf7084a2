"""The straightforward build is a fair opponent: it stores before it checkpoints, and survives what one thinks of."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from amazon_kclpy.checkpoint_error import CheckpointError

from articles.avro import read_container
from benchmarks.plain_consumer import ArticleProcessor

ARTICLE = b'{"article_id": "a", "content": "one two three"}'


@dataclass
class World:
    """The bucket and the daemon's checkpoints, in one log. `failing` uploads fail first."""

    log: list[str] = field(default_factory=list)
    files: list[list[Any]] = field(default_factory=list)
    failing: int = 0
    refusal: str | None = None

    def put_object(self, **given: Any) -> None:
        if self.failing:
            self.failing -= 1
            self.log.append("failed")
            raise OSError("no S3")
        self.files.append([row["sequence_number"] for row in read_container(io.BytesIO(given["Body"]))])
        self.log.append("put")

    def checkpoint(self, sequence_number: str | None, sub_sequence_number: int | None) -> None:
        self.log.append(f"checkpoint {sequence_number}:{sub_sequence_number}")
        if self.refusal:
            raise CheckpointError(self.refusal)

    def call(self, *records: tuple[str, bytes]) -> SimpleNamespace:
        made = [
            SimpleNamespace(sequence_number=number, sub_sequence_number=0, timestamp_millis=1, binary_data=data)
            for number, data in records
        ]
        return SimpleNamespace(records=made, checkpointer=self)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def processor(world: World, monkeypatch: pytest.MonkeyPatch) -> ArticleProcessor:
    for name, value in {"BUCKET": "b", "AWS_REGION": "us-east-1", "FILE_RECORDS": "2"}.items():
        monkeypatch.setenv(name, value)
    made = ArticleProcessor()
    monkeypatch.setattr(made, "s3", world)
    made.initialize(SimpleNamespace(shard_id="shardId-0"))
    return made


def test_it_stores_first_and_checkpoints_then(world: World, processor: ArticleProcessor) -> None:
    processor.process_records(world.call(("1", ARTICLE)))
    assert world.log == []
    processor.process_records(world.call(("2", ARTICLE), ("3", ARTICLE)))
    assert world.log == ["put", "checkpoint 3:0"]
    assert world.files == [["1", "2", "3"]]


def test_a_bad_record_is_skipped(world: World, processor: ArticleProcessor) -> None:
    processor.process_records(world.call(("1", ARTICLE), ("2", b"no article"), ("3", ARTICLE)))
    assert world.files == [["1", "3"]]


def test_what_could_not_be_uploaded_goes_with_the_next_call(world: World, processor: ArticleProcessor) -> None:
    world.failing = 1
    with pytest.raises(OSError, match="no S3"):
        processor.process_records(world.call(("1", ARTICLE), ("2", ARTICLE)))
    processor.process_records(world.call(("3", ARTICLE)))
    assert world.log == ["failed", "put", "checkpoint 3:0"]
    assert world.files == [["1", "2", "3"]]


def test_a_lost_lease_drops_the_buffer(world: World, processor: ArticleProcessor) -> None:
    processor.process_records(world.call(("1", ARTICLE)))
    processor.lease_lost(None)
    processor.shutdown_requested(world.call())
    assert world.log == []


def test_a_checkpoint_refused_for_a_lost_lease_is_no_error(world: World, processor: ArticleProcessor) -> None:
    world.refusal = "ShutdownException"
    processor.process_records(world.call(("1", ARTICLE), ("2", ARTICLE)))
    assert world.log == ["put", "checkpoint 2:0"]


def test_the_end_of_a_shard_is_checkpointed_after_what_is_left(world: World, processor: ArticleProcessor) -> None:
    processor.process_records(world.call(("1", ARTICLE)))
    processor.shard_ended(world.call())
    assert world.log == ["put", "checkpoint 1:0", "checkpoint None:None"]
