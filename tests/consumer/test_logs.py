"""Logs: one line of JSON an event, and never text of an article."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.errors import StoreUnavailable
from articles.position import Position
from consumer.logs import LEVELS, Log
from tests.consumer.kit import DAY, NOW, Bench, Worker, article, bad, record

MARK = "Xyzzy"

finite = st.floats(allow_nan=False, allow_infinity=False)
values = st.none() | st.booleans() | st.integers() | finite | st.text() | st.binary() | st.builds(ValueError, st.text())
fields = st.dictionaries(
    st.text().filter(lambda name: name not in ("time", "level", "event", "self")), values, max_size=3
)


def strictly(line: str) -> Mapping[str, object]:
    """As parsers other than Python's read it."""

    def constant(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(line, parse_constant=constant)
    assert isinstance(found, dict)
    return found


@given(event=st.text(), given_fields=fields)
def test_whatever_is_logged_is_one_line_of_json(event: str, given_fields: dict[str, object]) -> None:
    stream = io.StringIO()
    Log("DEBUG", stream, worker="w").info(event, **given_fields)
    text = stream.getvalue()
    assert text.endswith("\n")
    assert len(text.splitlines()) == 1
    assert text.isascii()
    said = strictly(text)
    assert (said["event"], said["level"]) == (event, "INFO")


@pytest.mark.parametrize("level", LEVELS)
def test_a_log_keeps_what_is_as_grave_as_its_level(level: str) -> None:
    stream = io.StringIO()
    log = Log(level, stream)
    log.info("a")
    log.warning("b")
    log.error("c")
    said = [json.loads(line)["level"] for line in stream.getvalue().splitlines()]
    assert said == [one for one in ("INFO", "WARNING", "ERROR") if LEVELS.index(one) >= LEVELS.index(level)]


def test_bound_fields_stand_in_every_line() -> None:
    stream = io.StringIO()
    Log("INFO", stream, worker="w").bind(shard="s").info("e", position=Position.of("1"))
    said = json.loads(stream.getvalue())
    assert (said["worker"], said["shard"], said["position"]) == ("w", "s", "1:0")


def test_a_line_is_written_at_once() -> None:
    """Several children share the daemon's stderr: parts of lines would mix."""

    class Pieces(io.StringIO):
        def __init__(self) -> None:
            super().__init__()
            self.pieces: list[str] = []

        def write(self, text: str) -> int:
            self.pieces.append(text)
            return len(text)

    stream: TextIO = (pieces := Pieces())
    Log("INFO", stream).info("event", text="a\nb")
    assert len(pieces.pieces) == 1


def marked() -> list[bytes]:
    """Articles and bad input that hold the mark wherever text can stand."""
    whole = dict.fromkeys(("article_id", "title", "author", "publish_date", "content", MARK), MARK)
    good = json.dumps(whole).encode()
    return [
        good,
        gzip.compress(good),
        MARK.encode(),
        good[:-1],
        b"\xef\xbb\xbf" + good,
        MARK.encode("utf-16"),
        good + MARK.encode(),
        gzip.compress(good)[:-9] + MARK.encode(),
        article(MARK, **{MARK: 10**400}),
        article(MARK, title=[MARK]),
        f'{{"{MARK}":1,"{MARK}":2}}'.encode(),
        f'{{"article_id":"{MARK}","content":"\\ud800{MARK}"}}'.encode(),
        f'{{"article_id":"{MARK}"}}'.encode(),
        f'["{MARK}"]'.encode(),
    ]


def test_no_text_of_an_article_reaches_a_log_or_a_live_file(tmp_path: Path) -> None:
    """A whole life, with retries, adoption, odd arrivals, rejected records and a park at its end."""
    bench = Bench(tmp_path)
    one, other = bench.worker(worker="w1", file_records=7), bench.worker(worker="w2", file_records=3)
    payloads = marked() * 4
    random.Random(1).shuffle(payloads)
    bench.store.fail("create", "*", times=5, error=lambda: StoreUnavailable("503"))
    one.lease.answers = ["ThrottlingException"] * 3
    for number, payload in enumerate(payloads, 1):
        made = replace(record(number, data=payload), partition_key=MARK)
        arrival = (NOW + number % 3 * DAY * 2) * 1000
        for worker in (one, other):
            worker.process(replace(made, arrival=arrival))
    other.shut_down()
    one.end()
    late = bench.worker(worker="w3")
    late.process(bad(10_000, MARK.encode()))
    assert late.parked
    assert other.said("rejected")
    assert one.said("adopted")
    assert late.said("parked")
    for worker in (one, other, late):
        check_unmarked(worker)
    assert not any(MARK in path.read_text() for path in (tmp_path / "shards").iterdir())
    assert not any(MARK in key or MARK in str(stored.attributes) for key, stored in bench.store.objects.items())


def check_unmarked(worker: Worker) -> None:
    text = worker.log.getvalue()
    assert text
    assert MARK not in text
    for line in text.splitlines():
        strictly(line)
