"""What to put on a stream: generated articles, or a file's lines just as they are.

Each record comes with what the producer expects of it: its words, or None when it is no valid article and should end
among the dead letters. That judgement is the oracle that the consumer is held against, so it is made here, with the
standard library alone.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from articles.errors import UserError
from local.generator import encode, generate

RECORD_BYTES = 1 << 20  # of the data and the partition key together
KEY_CHARACTERS = 256
GZIP_MAGIC = b"\x1f\x8b"
TEXTS = ("article_id", "title", "author", "publish_date", "content")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`line` counts from 1, in the input or among the generated articles."""

    line: int
    data: bytes
    key: str
    words: int | None
    article_id: str | None

    @property
    def size(self) -> int:
        """What counts towards Kinesis' limits, in bytes."""
        return len(self.data) + len(self.key.encode())


def generated(seed: int) -> Iterator[Outgoing]:
    """Endless."""
    return (outgoing(line, encode(value)) for line, value in enumerate(generate(seed), 1))


def from_file(name: str) -> Iterator[Outgoing]:
    """A file's lines, `-` for stdin; gzip is recognised by its content. Blank lines are no records.

    Raises UserError when the file cannot be read, and for a line that is larger than a record may be.
    """
    try:
        with sys.stdin.buffer if name == "-" else Path(name).open("rb") as file:
            head = file.peek(2)[:2]  # type: ignore[union-attr]  # both are buffered readers
            yield from from_lines(gzip.GzipFile(fileobj=file) if head == GZIP_MAGIC else file, name)
    except (OSError, EOFError) as error:
        raise UserError(f"cannot read {name}: {getattr(error, 'strerror', None) or error}") from error


def from_lines(file: IO[bytes] | gzip.GzipFile, name: str) -> Iterator[Outgoing]:
    """One record a line, without its line end."""
    lines: Iterable[bytes] = iter(lambda: file.readline(RECORD_BYTES + 2), b"")
    for number, line in enumerate(lines, 1):
        data = line.rstrip(b"\r\n")
        if not data.strip():
            continue
        record = outgoing(number, data)
        if record.size > RECORD_BYTES:
            raise UserError(
                f"line {number} of {name} is larger than a Kinesis record may be (1 MiB with its partition key); "
                "the lines before it have been put. Shorten it or take it out, then go on from there"
            )
        yield record


def outgoing(line: int, data: bytes) -> Outgoing:
    """The partition key is the article's id, so that all versions of an article go to one shard, in order."""
    article = parse(data)
    if article is None:
        return Outgoing(line, data, hashlib.sha256(data).hexdigest()[:32], None, None)
    article_id = article["article_id"]
    key = article_id if len(article_id) <= KEY_CHARACTERS else hashlib.sha256(article_id.encode()).hexdigest()
    return Outgoing(line, data, key, len(article["content"].split()), article_id)


def parse(data: bytes) -> dict[str, Any] | None:
    """The members of a valid article, or None: strict UTF-8 and JSON, no member twice, finite numbers, no lone
    surrogates, `article_id` and `content` there and not empty, the known members strings."""
    try:
        pairs = json.loads(data.decode(), object_pairs_hook=_Members, parse_constant=_refuse, parse_float=_finite)
        json.dumps(pairs, ensure_ascii=False).encode()  # a lone surrogate fails here
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, _Members) or len(members := dict(pairs)) != len(pairs):
        return None
    if any(not isinstance(members.get(name), str | None) for name in TEXTS):
        return None
    required = [members.get("article_id"), members.get("content")]
    return members if all(isinstance(value, str) and value for value in required) else None


class _Members(list[tuple[str, Any]]):
    """A JSON object, as its pairs: a dict would hide that a member stands twice."""


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value
