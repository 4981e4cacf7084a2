"""Dead letters go back into the stream mended, each once, whatever is cut short."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from articles import aws, put_records, replay
from articles.replay import BATCH_BYTES, BATCH_RECORDS, partition_key
from tests.articles.builder import Article, Chain, name
from tests.fakes import MemoryStore

Articles = Callable[..., tuple[int, str, str]]
BUSY = "ProvisionedThroughputExceededException"
GOOD = b'{"article_id":"a","content":"c"}'
MEND = """
import os, sys
data = sys.stdin.buffer.read()
if data == b"hopeless":
    sys.exit(3)
sys.stdout.write('{"article_id":"%s","content":"%s"}' % (os.environ["POSITION"], data.decode()))
"""


class Stream:
    """A stream that takes what it is given; `script` as what its next calls do first: a code refuses all of the
    call's records, an exception is raised before anything is taken, or `after` it."""

    class exceptions:  # noqa: N801 - as boto3 has it
        ClientError = ClientError

    def __init__(self) -> None:
        self.records: list[tuple[bytes, str]] = []
        self.calls: list[int] = []
        self.before: list[str | BaseException | None] = []
        self.after: list[BaseException | None] = []
        self.taken: list[int] = []
        """How many records the next calls take; they refuse those behind."""

    def describe_stream_summary(self, StreamName: str) -> Any:  # noqa: N803
        if StreamName != "MyStream":
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeStreamSummary")
        said = {"StreamARN": "arn", "StreamCreationTimestamp": datetime.now(UTC), "RetentionPeriodHours": 24}
        return {"StreamDescriptionSummary": said | {"StreamStatus": "ACTIVE"}}

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> Any:  # noqa: N803
        self.calls.append(len(Records))
        error = self.before.pop(0) if self.before else None
        if isinstance(error, BaseException):
            raise error
        if error:
            return {"Records": [{"ErrorCode": error}] * len(Records)}
        first = len(self.records)
        taken = self.taken.pop(0) if self.taken else len(Records)
        self.records += [(record["Data"], record["PartitionKey"]) for record in Records[:taken]]
        if self.after and (cut := self.after.pop(0)):
            raise cut
        numbers = range(first + 1, len(self.records) + 1)
        said = [{"ShardId": "shardId-000000000007", "SequenceNumber": str(n)} for n in numbers]
        return {"Records": said + [{"ErrorCode": BUSY}] * (len(Records) - taken)}


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    stream = Stream()

    def client(service: str, *, tries_again: bool = True, **_: object) -> Stream:
        assert (service, tries_again) == ("kinesis", False), "a client that tries again may put twice"
        return stream

    monkeypatch.setattr(aws, "client", client)
    return stream


@pytest.fixture
def run(articles: Articles, stream: Stream) -> Callable[..., tuple[int, list[dict[str, Any]], dict[str, int], str]]:
    """`replay` with --json: exit status, outcomes, totals that are not zero, and standard error."""

    def run(*words: str) -> tuple[int, list[dict[str, Any]], dict[str, int], str]:
        status, out, err = articles("dead-letters", "replay", "--stream", "MyStream", "--json", *words)
        lines = [json.loads(line) for line in out.splitlines()]
        totals = lines.pop()["totals"] if lines else {}
        return status, lines, {what: count for what, count in totals.items() if count}, err

    return run


Run = Callable[..., tuple[int, list[dict[str, Any]], dict[str, int], str]]


def bad(number: int, payload: bytes = GOOD, key: str | None = "k", reason: str = "type") -> Article:
    return Article(number, None, payload=payload, partition_key=key, reason=reason)


@pytest.fixture
def chain(memory: MemoryStore) -> Chain:
    chain = Chain(memory)
    chain.root()
    return chain


def states(articles: Articles) -> dict[str, str]:
    said = json.loads(articles("dead-letters", "list", "--json")[1])["dead_letters"]
    return {letter["position"]: letter["state"] for letter in said}


@pytest.fixture
def mend(tmp_path: Path) -> str:
    script = tmp_path / "mend it.py"
    script.write_text(MEND)
    return f"{sys.executable} '{script}'"


def test_records_go_back_under_their_keys_and_never_again(
    run: Run, chain: Chain, stream: Stream, articles: Articles, memory: MemoryStore
) -> None:
    """As when a newer version of the consumer takes what an older one rejected."""
    chain.link([bad(1, key="one"), Article(2), bad(3, key=None)], page="2025-06-17")
    chain.link([bad(5, key="five")])
    status, lines, totals, err = run("--all")
    assert (status, totals, err) == (0, {"put": 3}, "")
    assert stream.records == [(GOOD, "one"), (GOOD, "3:0"), (GOOD, "five")]
    assert lines[1]["position"] == "3:0"
    assert lines[1]["now"] == {"shard": "shardId-000000000007", "sequence_number": "2"}
    assert set(states(articles).values()) == {"replayed"}
    marks = memory.keys("articles/replayed")
    assert [key.rpartition("-")[2] for key in marks] == ["1.claimed", "1.put"] * 3
    assert json.loads(memory.objects[marks[1]].body)["sequence_number"] == "1"
    assert run("--all")[2] == run("--all", "--again")[2] == {"replayed before": 3}
    assert len(stream.records) == 3


def test_the_claim_comes_first_and_the_mark_last(
    run: Run, chain: Chain, stream: Stream, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.link([bad(1)])
    memory.log.clear()
    seen: list[str] = []
    taken = stream.put_records

    def put_records(**given: Any) -> Any:
        seen.extend(memory.effects("create"))
        return taken(**given)

    monkeypatch.setattr(stream, "put_records", put_records)
    run("--all")
    assert [effect.split(".")[-1] for effect in seen] == ["claimed created"]
    assert [effect.split(".")[-1] for effect in memory.effects("create")] == ["claimed created", "put created"]


def test_a_mended_payload_is_put_and_what_cannot_be_mended_is_not(
    run: Run, chain: Chain, stream: Stream, mend: str, articles: Articles
) -> None:
    chain.link([bad(1, b"text"), bad(2, b"hopeless"), bad(3, b'"')])
    status, lines, totals, _ = run("--all", "--map", mend)
    assert (status, totals) == (1, {"put": 1, "skipped": 2})
    assert stream.records == [(b'{"article_id":"1:0","content":"text"}', "k")]
    whys = {line["position"]: line["why"] for line in lines}
    assert whys["2:0"] == "--map ended with status 3"
    assert whys["3:0"].startswith("it would be rejected again: json: ")
    assert states(articles) == {"1:0": "replayed", "2:0": None, "3:0": None}, "what was skipped is free"


def test_what_would_be_rejected_again_is_not_put(run: Run, chain: Chain, stream: Stream) -> None:
    chain.link([bad(1, b"{"), bad(2, b'{"article_id":"a"}')])
    status, lines, totals, _ = run("--all")
    assert (status, totals) == (1, {"skipped": 2})
    assert lines[1]["why"] == "it would be rejected again: missing: content"
    assert stream.calls == []


def test_a_dry_run_mends_and_checks_and_does_nothing(
    run: Run, chain: Chain, stream: Stream, mend: str, memory: MemoryStore
) -> None:
    chain.link([bad(1, b"text"), bad(2, b"hopeless")])
    before = dict(memory.objects)
    assert run("--all", "--map", mend, "--dry-run")[2] == {"would put": 1, "skipped": 1}
    assert (stream.calls, memory.objects) == ([], before)


@pytest.mark.parametrize(
    "words, found",
    [
        (["1"], ["1:0"]),
        (["1:0", "7"], ["1:0", "7:0"]),
        (["--reason", "json"], ["7:0"]),
        (["--date", "2025-06-16"], ["1:0", "2:0"]),
        (["1", "2", "--reason", "json"], []),
        (["--shard", "4"], []),
    ],
)
def test_only_what_is_wanted_is_replayed(
    run: Run, chain: Chain, stream: Stream, words: list[str], found: list[str]
) -> None:
    chain.link([bad(1), bad(2)], page="2025-06-17")
    chain.link([bad(7, reason="json")])
    status, lines, _, _ = run(*words)
    assert (status, [line["position"] for line in lines]) == (0, found)
    assert len(stream.records) == len(found)


def test_nothing_is_replayed_unless_something_is_named(articles: Articles, chain: Chain, stream: Stream) -> None:
    chain.link([bad(1)])
    assert articles("dead-letters", "replay", "--stream", "MyStream")[0] == 2
    status, _, err = articles("dead-letters", "replay", "--all")
    assert (status, "into which stream?" in err) == (2, True)
    status, _, err = articles("dead-letters", "replay", "--all", "--stream", "Another")
    assert (status, "there is no stream Another" in err) == (2, True)
    for command in ("no-such-command-here", "'half"):
        assert articles("dead-letters", "replay", "--all", "--stream", "MyStream", "--map", command)[0] == 2
    assert stream.calls == []


CUTS = [
    ClientError({"Error": {"Code": "InternalFailure"}}, "PutRecords"),
    KeyboardInterrupt(),
]


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("cut", CUTS, ids=["an error", "a crash"])
def test_what_was_cut_short_is_in_doubt_and_put_again_only_on_request(
    run: Run, chain: Chain, stream: Stream, articles: Articles, cut: BaseException, taken: bool
) -> None:
    """Between claim and mark: whether the stream took it or not, the bucket cannot tell."""
    chain.link([bad(1), bad(2)])
    (stream.after if taken else stream.before).append(cut)
    status, _, _, err = run("--all")
    assert status == (2 if isinstance(cut, ClientError) else 130)
    assert ("is not known" in err) == isinstance(cut, ClientError)
    assert states(articles) == {"1:0": "in doubt", "2:0": "in doubt"}

    status, lines, totals, _ = run("--all")
    assert (status, totals) == (1, {"in doubt": 2})
    assert "--again" in lines[0]["why"]
    assert run("1", "--again")[2] == {"put": 1}
    assert states(articles) == {"1:0": "replayed", "2:0": "in doubt"}
    assert run("--all", "--again")[2] == {"put": 1, "replayed before": 1}
    assert len(stream.records) == (4 if taken else 2)


def test_of_a_call_that_was_cut_short_what_was_taken_before_is_never_put_again(
    run: Run, chain: Chain, stream: Stream, articles: Articles
) -> None:
    chain.link([bad(1), bad(2)])
    stream.taken, stream.before = [1], [None, CUTS[0]]
    status, lines, totals, err = run("--all")
    assert (status, totals, "Whether 1 records" in err) == (2, {"put": 1}, True)
    assert [line["position"] for line in lines] == ["1:0"]
    assert states(articles) == {"1:0": "replayed", "2:0": "in doubt"}
    assert run("--all", "--again")[2] == {"put": 1, "replayed before": 1}
    assert len(stream.records) == 2


def test_a_crash_between_put_and_mark_is_in_doubt(
    run: Run, chain: Chain, stream: Stream, articles: Articles, memory: MemoryStore
) -> None:
    chain.link([bad(1)])
    memory.fail("create", "*.put", error=KeyboardInterrupt)
    assert run("--all")[0] == 130
    assert (states(articles), len(stream.records)) == ({"1:0": "in doubt"}, 1)
    assert run("--all")[2] == {"in doubt": 1}


def test_marks_that_cannot_be_written_are_told(
    run: Run, chain: Chain, stream: Stream, articles: Articles, memory: MemoryStore
) -> None:
    chain.link([bad(1), bad(2)])
    memory.fail("create", "*-00000000000000000000000000000000000000000000000000000002-*.put", times=10_000)
    status, _, _, err = run("--all")
    assert (status, "is not known" in err, err.count("\n")) == (2, True, 1)
    assert (states(articles), len(stream.records)) == ({"1:0": "replayed", "2:0": "in doubt"}, 2)


@pytest.mark.parametrize("operation", ["claimed", "put"])
def test_an_answer_of_the_store_that_got_lost_is_known_as_our_own(
    run: Run, chain: Chain, stream: Stream, memory: MemoryStore, operation: str
) -> None:
    chain.link([bad(1)])
    memory.fail("create", f"*.{operation}", when="after")
    assert run("--all")[2] == {"put": 1}
    assert run("--all")[2] == {"replayed before": 1}
    assert len(stream.records) == 1


def test_of_two_who_replay_at_a_time_one_does(run: Run, chain: Chain, stream: Stream, memory: MemoryStore) -> None:
    """The other one claims a record after this one has looked for marks."""
    chain.link([bad(1), bad(2)])
    key = f"{chain.layout.replayed_key('2025-06-16', name(0), bad(2).position)}-1.claimed"

    def other(when: str, operation: str, at: str) -> None:
        if (when, operation) == ("before", "head") and at == key:
            memory.hook = None
            memory.create(key, b"another's", {})

    memory.hook = other
    status, lines, totals, _ = run("--all")
    assert (status, totals) == (1, {"put": 1, "in doubt": 1})
    assert lines[-1]["why"] == "somebody else has claimed it just now"
    assert len(stream.records) == 1


def test_what_the_stream_refuses_to_the_last_is_told(
    run: Run, chain: Chain, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(put_records, "RETRY_SECONDS", 0.0)
    chain.link([bad(1)])
    stream.before.append(BUSY)
    status, lines, totals, _ = run("--all")
    assert (status, totals) == (1, {"refused": 1})
    assert BUSY in lines[0]["why"]
    assert run("--all", "--again")[2] == {"put": 1}


def test_batches_are_of_what_may_be_in_doubt_and_of_what_a_call_may_hold(
    run: Run, chain: Chain, stream: Stream
) -> None:
    chain.link([bad(number) for number in range(1, 2 * BATCH_RECORDS + 2)])
    assert run("--all")[2] == {"put": 2 * BATCH_RECORDS + 1}
    assert stream.calls == [BATCH_RECORDS, BATCH_RECORDS, 1]
    stream.calls.clear()
    large = GOOD[:-1] + b" " * (1_000_000 - len(GOOD)) + b"}"
    chain.link([bad(number, large) for number in range(1001, 1009)])
    assert run("--all")[2]["put"] == 8
    assert stream.calls == [BATCH_BYTES // 1_000_001, 3]


def test_what_no_stream_takes_or_the_daemon_would_take_apart_is_skipped(
    run: Run, chain: Chain, stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumer.dead_letters.why_rejected", lambda _data: None)
    chain.link([bad(1, GOOD[:-1] + b" " * (1 << 20) + b"}"), bad(2, b"\xf3\x89\x9a\xc2rest")])
    status, lines, totals, _ = run("--all")
    assert (status, totals, stream.calls) == (1, {"skipped": 2}, [])
    assert "more than a record may have" in lines[0]["why"]
    assert "KPL aggregate" in lines[1]["why"]


def test_ctrl_c_lets_what_is_under_way_end(
    run: Run, chain: Chain, stream: Stream, articles: Articles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "BATCH_RECORDS", 2)
    chain.link([bad(number) for number in range(1, 7)])
    taken = stream.put_records
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it

    def put_records(**given: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return taken(**given)

    monkeypatch.setattr(stream, "put_records", put_records)
    status, _, totals, _ = run("--all")
    assert status == 130
    assert "in doubt" not in states(articles).values()
    assert 2 <= totals["put"] == len(stream.records) < 6
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_keys_that_kinesis_does_not_take_are_replaced(chain: Chain) -> None:
    from articles.dead_letters import DeadLetter

    def key(given: str | None) -> str:
        at = bad(1).position
        return partition_key(DeadLetter("key", "2025-06-16", name(0), at, None, "json", "", b"", given))

    assert [key(given) for given in ("a", "k" * 256, "k" * 257, "", None)] == ["a", "k" * 256, "1:0", "1:0", "1:0"]


def test_text_says_what_was_done(articles: Articles, chain: Chain, stream: Stream) -> None:
    chain.link([bad(1), bad(2, b"{")])
    status, out, err = articles("dead-letters", "replay", "--all", "--stream", "MyStream")
    assert (status, err) == (1, "")
    assert "shardId-000000000000  1:0 -> shardId-000000000007 1" in out
    assert "it would be rejected again: json" in out
    assert out.splitlines()[-1] == "1 put, 1 skipped"
