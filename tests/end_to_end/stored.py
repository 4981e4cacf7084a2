"""What lies in the bucket, read as a stranger would: boto3 and a plain Avro reader, nothing of the product's."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fastavro

from local.watcher import keys

Where = tuple[str, str, int]
"""Shard, sequence number, sub-sequence number."""
DeadLetter = tuple[bytes, str]


@dataclass(frozen=True, slots=True)
class File:
    """A data object: its header's own entries, and its records."""

    key: str
    said: Mapping[str, str]
    records: Sequence[Mapping[str, Any]]

    @property
    def shard(self) -> str:
        return self.said["shard"]

    @property
    def page(self) -> str:
        return self.key.split("dt=")[1][:10]

    @property
    def after(self) -> tuple[int, int, str]:
        """Sequence number, sub-sequence number and page."""
        sequence, sub, page = self.said["after"].split(":")
        return int(sequence), int(sub), page


@dataclass(slots=True)
class Stored:
    """`dead_letters` are those in files that a data object names."""

    files: list[File] = field(default_factory=list)
    articles: Counter[Where] = field(default_factory=Counter)
    dead_letters: Counter[Where] = field(default_factory=Counter)
    payloads: dict[Where, DeadLetter] = field(default_factory=dict)
    words: int = 0

    def of(self, shard: str) -> list[File]:
        return [file for file in self.files if file.shard == shard]

    @property
    def workers(self) -> set[str]:
        """Those that stored a record."""
        return {file.said["worker"] for file in self.files if file.records}


@dataclass(slots=True)
class Ledger:
    """What was put, as the producer noted it down."""

    articles: dict[Where, int]
    invalid: set[Where]

    @classmethod
    def read(cls, path: Path) -> Ledger:
        ledger = cls({}, set())
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            where = (entry["shard"], entry["sequence_number"], entry["sub_sequence_number"])
            if entry["words"] is None:
                ledger.invalid.add(where)
            else:
                ledger.articles[where] = entry["words"]
        return ledger

    @property
    def words(self) -> int:
        return sum(self.articles.values())


def read(s3: Any, bucket: str, prefix: str) -> Stored:
    """Every object below `<prefix>/data/`, in the order of their keys."""
    stored = Stored()
    for item in keys(s3, bucket, f"{prefix}/data/"):
        said, records = _open(s3, bucket, item["Key"])
        stored.files.append(File(item["Key"], said, records))
        for record in records:
            stored.articles[_where(record)] += 1
            stored.words += record["word_count"]
        if key := said["dead_letter_key"]:
            for letter in _open(s3, bucket, key)[1]:
                stored.dead_letters[_where(letter)] += 1
                stored.payloads[_where(letter)] = letter["payload"], letter["reason"]
    return stored


def _open(s3: Any, bucket: str, key: str) -> tuple[dict[str, str], list[Any]]:
    reader = fastavro.reader(io.BytesIO(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
    own = {n.removeprefix("articles."): v for n, v in reader.metadata.items() if n.startswith("articles.")}
    return own, list(reader)


def _where(record: Mapping[str, Any]) -> Where:
    return record["shard_id"], record["sequence_number"], record["sub_sequence_number"]
