"""Dead letters listed and shown: those that a link names, and no others."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from articles.commands.dead_letters import moment, printable
from tests.articles.builder import Article, Chain, name
from tests.fakes import MemoryStore

Articles = Callable[..., tuple[int, str, str]]
MORNING = "2025-06-16T00:00:00.000+00:00"


def bad(number: int, payload: bytes, reason: str = "json", **other: object) -> Article:
    return Article(number, None, payload=payload, reason=reason, **other)  # type: ignore[arg-type]


@pytest.fixture
def chains(memory: MemoryStore) -> tuple[Chain, Chain]:
    """The first with two files of dead letters, on two pages; the second with one of a page; and a file without."""
    one, two = Chain(memory), Chain(memory, shard=name(1), codec="zstandard")
    for chain in (one, two):
        chain.root()
    one.link([Article(1), bad(2, b"{", partition_key="k"), bad(2, b"[]", "object", sub=1)], page="2025-06-17")
    one.link([bad(7, b"", "empty")])
    two.link([bad(5, b"{}", "missing", arrival=None)])
    two.link([Article(9)])
    return one, two


def positions(out: str) -> list[str]:
    return [letter["position"] for letter in json.loads(out)["dead_letters"]]


def test_the_list_as_json(articles: Articles, chains: tuple[Chain, Chain]) -> None:
    status, out, err = articles("dead-letters", "list", "--json")
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert positions(out) == ["2:0", "2:1", "5:0", "7:0"], "by page, shard and position"
    assert said["dead_letters"][0] == {
        "stream": "MyStream",
        "shard": name(0).shard,
        "position": "2:0",
        "arrival": MORNING,
        "reason": "json",
        "detail": "",
        "bytes": 1,
        "key": said["dead_letters"][0]["key"],
        "state": None,
    }
    assert said["dead_letters"][0]["key"].startswith("articles/dead-letter/dt=2025-06-16/s-MyStream-")
    assert said["totals"] == {
        "records": 4, "bytes": 5, "reasons": {"json": 1, "object": 1, "missing": 1, "empty": 1}, "states": {},
    }  # fmt: skip


def test_the_list_as_text_has_each_file_once_and_totals(articles: Articles, chains: tuple[Chain, Chain]) -> None:
    status, out, _ = articles("dead-letters", "list")
    assert status == 0
    lines = out.splitlines()
    assert [line.startswith("articles/dead-letter/") for line in lines] == [1, 0, 0, 1, 0, 1, 0, 0]
    assert lines[1].split() == ["2:0", MORNING, "json", "1", "B"]
    assert lines[-1] == "4 dead letters, 5 B; 1 json; 1 object; 1 missing; 1 empty"


@pytest.mark.parametrize(
    "words, found",
    [
        (["--reason", "json"], ["2:0"]),
        (["--reason", "json", "--reason", "empty"], ["2:0", "7:0"]),
        (["--shard", "1"], ["5:0"]),
        (["--date", "2025-06-17"], ["7:0"]),
        (["--date", "2025-06-16", "--shard", "0"], ["2:0", "2:1"]),
        (["--stream", "Another"], []),
        (["--reason", "nothing"], []),
    ],
)
def test_the_list_takes_what_is_wanted(
    articles: Articles, chains: tuple[Chain, Chain], words: list[str], found: list[str]
) -> None:
    status, out, _ = articles("dead-letters", "list", "--json", *words)
    assert (status, positions(out)) == (0, found)


def test_leftovers_of_lost_races_are_not_there(
    articles: Articles, chains: tuple[Chain, Chain], memory: MemoryStore
) -> None:
    """One of a link that somebody else won, one of a link that nobody created."""
    lost = Chain(memory)
    lost.seal([Article(1), bad(2, b"other", "other")])
    chains[1].seal([bad(11, b"never", "never")])
    assert len(memory.keys("articles/dead-letter")) == 5
    assert positions(articles("dead-letters", "list", "--json")[1]) == ["2:0", "2:1", "5:0", "7:0"]
    status, _, err = articles("dead-letters", "show", "11")
    assert (status, "there is no dead letter 11" in err) == (2, True)


def test_strangers_in_the_folder_are_passed_over(articles: Articles, memory: MemoryStore) -> None:
    memory.create("articles/dead-letter/notes.txt", b"?", {})
    assert positions(articles("dead-letters", "list", "--json")[1]) == []
    assert articles("dead-letters", "list")[:2] == (0, "0 dead letters, 0 B\n")


def test_a_damaged_file_is_told_and_the_others_are_listed(
    articles: Articles, chains: tuple[Chain, Chain], memory: MemoryStore
) -> None:
    key = memory.keys("articles/dead-letter")[0]
    body = memory.objects[key].body
    memory.objects[key].body = body[:-20] + bytes([body[-20] ^ 1]) + body[-19:]
    status, out, err = articles("dead-letters", "list", "--json")
    assert (status, positions(out)) == (1, ["5:0", "7:0"])
    assert err.count("\n") == 1
    assert key in err
    status, _, err = articles("dead-letters", "show", "2:0")
    assert (status, "cannot be read" in err) == (1, True)


def test_a_damaged_link_is_told_too(articles: Articles, chains: tuple[Chain, Chain], memory: MemoryStore) -> None:
    memory.objects[chains[0].keys[0]].body = b"?"
    status, out, err = articles("dead-letters", "list", "--json")
    assert (status, positions(out)) == (1, ["5:0", "7:0"])
    assert chains[0].keys[0] in err


def test_one_record_is_shown_so_that_a_terminal_bears_it(articles: Articles, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    chain.link([bad(1, "é\x1b[31m\u202e\n".encode() + b"\xff" + b"x" * 3000, partition_key="\x07")])
    status, out, _ = articles("dead-letters", "show", "1")
    assert status == 0
    assert not {"\x1b", "\u202e"} & set(out)
    assert "é\\x1b[31m\\u202e\\n\\xff" in out
    assert "more; --raw has them all" in out
    assert "partition_key  \\x07" in out


@pytest.mark.parametrize("what", ["2:1", "2:1 --shard 0"])
def test_raw_is_the_payload_byte_for_byte(articles: Articles, chains: tuple[Chain, Chain], what: str) -> None:
    assert articles("dead-letters", "show", "--raw", *what.split())[:2] == (0, "[]")


def test_a_sequence_number_may_be_of_many_but_raw_is_of_one(articles: Articles, chains: tuple[Chain, Chain]) -> None:
    lines = articles("dead-letters", "show", "2", "--json")[1].splitlines()
    assert [json.loads(line)["position"] for line in lines] == ["2:0", "2:1"]
    assert base64.b64decode(json.loads(lines[1])["payload"]["base64"]) == b"[]"
    status, out, err = articles("dead-letters", "show", "--raw", "2")
    assert (status, out, "more than one record" in err) == (2, "", True)


def test_a_file_is_shown_by_its_key_as_tools_name_it(
    articles: Articles, chains: tuple[Chain, Chain], memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUCKET", "my-bucket")
    (key,) = memory.keys("articles/dead-letter/dt=2025-06-17")
    shown = articles("dead-letters", "show", key)
    assert shown[0] == 0
    assert "7:0" in shown[1]
    assert articles("dead-letters", "show", key.removeprefix("articles/")) == shown
    assert articles("dead-letters", "show", f"s3://my-bucket/{key}") == shown
    assert articles("dead-letters", "show", "--raw", key)[:2] == (0, "")


@pytest.mark.parametrize("what", ["nonsense", "1:x", "data/dt=2025-06-16/x.avro", "9" * 57])
def test_what_is_neither_position_nor_key_is_told(articles: Articles, chains: tuple[Chain, Chain], what: str) -> None:
    status, _, err = articles("dead-letters", "show", what)
    assert (status, "neither a position nor a dead-letter file" in err) == (2, True)


def test_only_files_that_may_hold_a_record_are_read(
    articles: Articles, chains: tuple[Chain, Chain], memory: MemoryStore
) -> None:
    memory.log.clear()
    assert articles("dead-letters", "show", "7")[0] == 0
    assert [effect for effect in memory.effects("read") if "/dead-letter/" in effect] == [
        f"read {memory.keys('articles/dead-letter/dt=2025-06-17')[0]} found"
    ]


def test_arrivals_that_are_no_times_are_shown_as_they_are() -> None:
    assert [moment(None), moment(0), moment(-(10**18))] == ["-", "1970-01-01T00:00:00.000+00:00", str(-(10**18))]


def test_text_of_anybody_is_harmless() -> None:
    assert printable("a b\t\x9b\u2066é日") == "a b\\t\\x9b\\u2066é日"


@pytest.mark.parametrize("command", ["list", "show", "replay"])
def test_each_has_help(articles: Articles, command: str) -> None:
    status, out, _ = articles("dead-letters", command, "--help")
    assert status == 0
    assert out.startswith(f"usage: articles dead-letters {command}")
    assert articles("dead-letters")[0] == 2
