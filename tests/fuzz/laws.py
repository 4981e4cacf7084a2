"""What must hold for any payload at all: fuzzer and test suite call the same functions."""

from __future__ import annotations

import sys
import time
import zlib
from typing import Any

from articles.avro import decode_articles, decode_dead_letters
from articles.encode import encode_article, encode_dead_letter
from consumer.decode import KNOWN, MEMBERS, VALUES, Article, Rejected, decode
from consumer.payload import GZIP, RATIO, SMALL_BYTES, UNPACKED_BYTES, ZSTD
from consumer.payload import MEMBERS as PACKED_MEMBERS
from tests.consumer.kit import Bench, bad, record
from tests.consumer.payloads import REASONS
from tests.fuzz.reference import NotJson, Reader, TooDeep

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SECONDS = 1.0
"""Of processor time, for a payload of any content."""
ANYTHING = frozenset(REASONS)


def check_decoded(data: bytes) -> Article | Rejected:
    """Decoding never raises; what it says is what the reference says; and Avro gives back what it was given."""
    began = time.process_time()
    found = decode(data)
    assert time.process_time() - began < SECONDS
    expected = judge(data)
    if isinstance(found, Rejected):
        assert found.reason in REASONS
        assert isinstance(expected, frozenset), f"rejected ({found}), but it is {expected}"
        assert found.reason in expected, f"rejected for {found.reason}, not for {sorted(expected)}"
        letter = dead_letter(data, found)
        assert list(decode_dead_letters(encode_dead_letter(letter), 1)) == [letter]
        return found
    if isinstance(expected, frozenset):
        assert "depth" in expected, f"taken, but to be rejected for {sorted(expected)}"  # whose bound is the stack's
    else:
        fields, unknown = expected
        assert {name: getattr(found, name) for name in KNOWN} | {"content": found.content.decode()} == fields
        assert _members(found.extra) == unknown
    row = article_row(found)
    assert list(decode_articles(encode_article(row), 1)) == [row]
    return found


def check_stored(data: bytes) -> None:
    """Between good neighbours, through the real consumer: in the file or among its dead letters, its bytes the same;
    the neighbours are stored; and so it is when the three are read again."""
    bench = Bench()
    worker = bench.worker()
    for _ in range(2):
        worker.process(record(1, "before"), bad(2, data), record(3, "after it"))
    worker.shut_down()
    assert not worker.parked
    assert stored(bench) == expected_stored(data)
    assert worker.lease.written[-1:] == ["3:0"]


def stored(bench: Bench) -> tuple[list[tuple[str, str]], list[tuple[str, str, bytes]]]:
    """Positions and contents of all articles; positions, reasons and payloads of all dead letters."""
    rows = [row for key in bench.store.keys("p/data") for row in bench.rows(key)]
    letters = [row for key in bench.store.keys("p/dead-letter") for row in bench.rows(key)]
    return (
        [(row["sequence_number"], row["content"]) for row in rows],
        [(row["sequence_number"], row["reason"], row["payload"]) for row in letters],
    )


def expected_stored(data: bytes) -> tuple[list[tuple[str, str]], list[tuple[str, str, bytes]]]:
    found = decode(data)
    if isinstance(found, Rejected):
        return [("1", "before"), ("3", "after it")], [("2", found.reason, data)]
    return [("1", "before"), ("2", found.content.decode()), ("3", "after it")], []


def judge(data: bytes) -> frozenset[str] | tuple[dict[str, str | None], list[tuple[str, str]]]:
    """The reasons that a payload may be rejected for, or its known fields and the text of the others."""
    plain = unpacked(data)
    if plain is None:
        return frozenset({"compressed"})
    if not plain.strip():
        return frozenset({"empty"})
    try:
        reader = Reader(plain.decode())
        value = reader.read()
    except UnicodeDecodeError:
        return frozenset({"encoding"})
    except TooDeep:
        return ANYTHING
    except NotJson:
        # Whichever is seen first.
        begun_well = plain.lstrip().startswith(b"{") and plain.count(b":") <= MEMBERS
        return frozenset({"json"} if begun_well else {"json", "object"})
    if not isinstance(value, list) or not plain.lstrip().startswith(b"{"):
        return frozenset({"object"})
    return _judge_members([member for member in value if isinstance(member, tuple)], bool(reader.too_large))


def _judge_members(
    members: list[tuple[str, Any, str]], too_large: bool
) -> frozenset[str] | tuple[dict[str, str | None], list[tuple[str, str]]]:
    if len(members) > MEMBERS:
        return frozenset({"object"})
    values = {name: value for name, value, _ in members}
    if len(values) < len(members):
        return frozenset({"duplicate-key"})
    for name in KNOWN:
        required = name in ("article_id", "content")
        if required and name not in values:
            return frozenset({"missing"})
        if required and values[name] is None:
            return frozenset({"null"})
        if not isinstance(values.get(name), str | None):
            return frozenset({"type"})
    if not values["article_id"] or not values["content"]:
        return frozenset({"empty-field"})
    unknown = [(name, text) for name, _, text in members if name not in KNOWN]
    if sum(text.count(",") for _, text in unknown if not text.startswith('"')) > VALUES:
        return frozenset({"object"})
    if too_large:
        return frozenset({"number"})
    return {name: values.get(name) for name in KNOWN}, unknown


def unpacked(data: bytes) -> bytes | None:
    """What all members of a packed payload unpack to; None where one is damaged, or it is more than it may be."""
    if not data.startswith((GZIP, ZSTD)):
        return data
    bound = min(UNPACKED_BYTES, max(SMALL_BYTES, RATIO * len(data)))
    plain, members = b"", 0
    while data:
        unpacker = zlib.decompressobj(wbits=31) if data.startswith(GZIP) else zstd.ZstdDecompressor()
        try:
            plain += unpacker.decompress(data)
        except (zlib.error, zstd.ZstdError):
            return None
        members += 1
        if not unpacker.eof:
            return None
        data = unpacker.unused_data
    return plain if len(plain) <= bound and members <= PACKED_MEMBERS else None


def _members(extra: str | None) -> list[tuple[str, str]]:
    if extra is None:
        return []
    value = Reader(extra).read()
    assert isinstance(value, list)
    return [(member[0], member[2]) for member in value if isinstance(member, tuple)]


def dead_letter(data: bytes, rejected: Rejected) -> dict[str, Any]:
    return {
        "reason": rejected.reason,
        "detail": rejected.detail,
        "payload": data,
        "partition_key": None,
        "shard_id": "shardId-000000000000",
        "sequence_number": "1",
        "sub_sequence_number": 0,
        "arrival_timestamp": None,
    }


def article_row(article: Article) -> dict[str, Any]:
    return {
        **{name: getattr(article, name) for name in KNOWN},
        "content": article.content.decode(),
        "word_count": len(article.content.decode().split()),
        "shard_id": "shardId-000000000000",
        "sequence_number": "1",
        "sub_sequence_number": 0,
        "arrival_timestamp": 1,
        "extra": article.extra,
    }
