"""What the commands print, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.articles.builder import CREATED, Article, Chain, name
from tests.articles.builder import articles as records
from tests.fakes import MemoryStore

Articles = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parent.parent.parent
KEYS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}


@pytest.fixture
def stored(memory: MemoryStore) -> tuple[Chain, Chain]:
    one, two = Chain(memory, worker="worker-1"), Chain(memory, shard=name(1), worker="worker-2")
    for chain in (one, two):
        chain.root()
    one.link([Article(1, "a b c"), Article(2, "a"), Article(3, None)])
    one.link(records([7, 8]), page="2025-06-17")
    one.link(records([9]))
    two.link(records([5], "one"))
    two.end()
    return one, two


def test_the_average_as_text(articles: Articles, stored: object) -> None:
    status, out, err = articles("average")
    assert (status, err) == (0, "")
    assert "2.333333 words = 14 / 6 records" in out
    assert "5 files; 1 rejected" in out


@pytest.mark.parametrize(
    "by, values",
    [
        ("worker", {"worker-1": 13 / 5, "worker-2": 1.0}),
        ("shard", {name(0).shard: 13 / 5, name(1).shard: 1.0}),
        ("date", {"2025-06-16": 11 / 5, "2025-06-17": 3.0}),
    ],
)
def test_the_average_by_group(articles: Articles, stored: object, by: str, values: dict[str, float]) -> None:
    status, out, _ = articles("average", "--by", by, "--json")
    said = json.loads(out)
    assert status == 0
    assert (said["words"], said["records"], said["rejected"], said["objects"]) == (14, 6, 1, 5)
    assert {group: one["value"] for group, one in said["groups"].items()} == values
    status, out, _ = articles("average", "--by", by)
    assert status == 0
    assert all(group in out for group in values)


def test_mixed_versions_are_warned_of(articles: Articles, stored: tuple[Chain, Chain]) -> None:
    stored[0].enrichment = "word-count-2"
    stored[0].link(records([20]))
    status, out, err = articles("average")
    assert status == 0
    assert "more than one version" in err
    assert "word-count-2" in out
    assert set(json.loads(articles("average", "--json")[1])["enrichments"]) == {"word-count-1", "word-count-2"}


def test_a_broken_chain_leaves_with_1(articles: Articles, stored: tuple[Chain, Chain], memory: MemoryStore) -> None:
    del memory.objects[stored[0].keys[1]]
    status, out, err = articles("average")
    assert (status, out) == (1, "")
    assert err.count("\n") == 1
    assert "articles verify" in err


@pytest.mark.parametrize("command", ["average", "verify", "files"])
def test_nothing_stored_leaves_with_2(articles: Articles, command: str) -> None:
    status, out, err = articles(command)
    assert (status, out) == (2, "")
    assert err.startswith(f"articles {command}: nothing is stored under the prefix 'articles'")
    assert err.count("\n") == 1


def test_verify_as_text_and_json(articles: Articles, stored: tuple[Chain, Chain], memory: MemoryStore) -> None:
    status, out, _ = articles("verify", "--deep")
    assert status == 0
    assert "everything holds" in out
    memory.create("articles/data/part-0.avro", b"x", {})
    status, out, _ = articles("verify")
    assert status == 1
    assert "error    stranger" in out
    assert "articles/data/part-0.avro" in out
    status, out, _ = articles("verify", "--json")
    assert status == 1
    assert json.loads(out)["findings"][0]["code"] == "stranger"


def test_verify_against_a_ledger(articles: Articles, stored: tuple[Chain, Chain], tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_text(
        json.dumps(
            {"shard": name(0).shard, "sequence_number": "1", "sub_sequence_number": 0, "words": 3, "article_id": "a"}
        )
    )
    status, out, _ = articles("verify", "--ledger", str(path), "--json")
    assert status == 0
    assert json.loads(out)["counts"] == {"unknown": 6}
    assert articles("verify", "--ledger", str(tmp_path / "none"))[0] == 2


def test_verify_needs_a_stream_for_leases(articles: Articles) -> None:
    status, _, err = articles("verify", "--leases")
    assert status == 2
    assert "which stream?" in err


def test_files_as_text_and_json(articles: Articles, stored: tuple[Chain, Chain]) -> None:
    status, out, _ = articles("files")
    assert status == 0
    assert "5 files" in out
    assert "6 records with 14 words, 1 rejected" in out
    said = json.loads(articles("files", "--json")[1])
    assert [one["key"] for one in said["files"]] == sorted([*stored[0].keys, *stored[1].keys])
    assert said["files"][0] == {
        "key": stored[0].keys[0],
        "bytes": said["files"][0]["bytes"],
        "page": "2025-06-16",
        "stream": "MyStream",
        "created": CREATED,
        "shard": name(0).shard,
        "after": "0:0",
        "up_to": "3:0",
        "next_page": "2025-06-16",
        "records": 2,
        "rejected": 1,
        "words": 4,
        "worker": "worker-1",
        "digest": said["files"][0]["digest"],
        "enrichment": "word-count-1",
    }
    assert said["totals"]["files"] == 5


def test_keys_alone_are_what_head_takes(articles: Articles, stored: tuple[Chain, Chain]) -> None:
    status, out, _ = articles("files", "--keys", "--shard", "0")
    assert status == 0
    assert out.splitlines() == stored[0].keys
    assert articles("head", out.splitlines()[0])[0] == 0


def test_files_of_a_day_and_of_a_shard(articles: Articles, stored: object) -> None:
    assert len(json.loads(articles("files", "--json", "--date", "2025-06-17")[1])["files"]) == 1
    assert len(json.loads(articles("files", "--json", "--shard", "1")[1])["files"]) == 2
    assert len(json.loads(articles("files", "--json", "--shard", name(1).shard)[1])["files"]) == 2
    assert json.loads(articles("files", "--json", "--date", "2020-01-01")[1])["files"] == []
    assert articles("files", "--date", "2020-01-01")[0] == 0
    assert articles("files", "--date", "yesterday")[0] == 2
    assert articles("files", "--shard", "x")[0] == 2


def test_a_file_that_cannot_be_read_is_listed(articles: Articles, stored: object, memory: MemoryStore) -> None:
    key = memory.keys("articles/data")[0]
    memory.objects[key].attributes.clear()
    memory.objects[key].body = b"?"
    status, out, _ = articles("files")
    assert status == 0
    assert "unreadable" in out
    assert "problem" in json.loads(articles("files", "--json")[1])["files"][0]


def test_the_watermark(articles: Articles, stored: object) -> None:
    status, out, _ = articles("watermark", "--bucket-only")
    assert status == 0
    assert "complete up to and including 2025-06-16" in out
    assert f"held back by: {name(0).shard}" in out
    said = json.loads(articles("watermark", "--bucket-only", "--json")[1])
    assert said["complete"] == "2025-06-16"
    assert [one["shard"] for one in said["held_by"]] == [name(0).shard]
    assert said["stream_asked"] is False


def test_head_shows_records(articles: Articles, stored: tuple[Chain, Chain]) -> None:
    key = stored[0].keys[0]
    status, out, _ = articles("head", key, "-n", "1")
    assert status == 0
    assert "record 1" in out
    assert "record 2" not in out
    assert "a b c" in out
    lines = articles("head", key.removeprefix("articles/"), "--json")[1].splitlines()
    assert [json.loads(line)["sequence_number"] for line in lines] == ["1", "2"]


def test_head_shows_the_header(articles: Articles, stored: tuple[Chain, Chain]) -> None:
    assert "worker-1" in articles("head", stored[0].keys[0], "--header", "-n", "0")[1]
    said = json.loads(articles("head", stored[0].keys[0], "--header", "-n", "0", "--json")[1])
    assert said["articles.words"] == "4"


def test_head_shows_dead_letters(articles: Articles, stored: object, memory: MemoryStore) -> None:
    (key,) = memory.keys("articles/dead-letter")
    assert "not_json" in articles("head", key)[1]
    assert json.loads(articles("head", key, "--json")[1])["payload"] == {"base64": "/w=="}


def test_head_fits_the_terminal_and_leaves_it_in_peace(
    articles: Articles, memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = Chain(memory)
    chain.root()
    key = chain.link([Article(1, "line\n\x1b[31mred\r " + "word " * 1000)])
    monkeypatch.setenv("COLUMNS", "80")
    out = articles("head", key)[1]
    assert max(len(line) for line in out.splitlines()) <= 80
    assert "\x1b" not in out
    assert "\r" not in out


def test_head_reads_no_more_than_it_needs(articles: Articles, memory: MemoryStore) -> None:
    chain = Chain(memory, codec="null", block_records=1)
    chain.root()
    key = chain.link(records(range(1, 40), "x" * 50_000))
    assert articles("head", key, "-n", "3", "--json")[1].count("\n") == 3
    assert len(memory.effects("read")) == 2, "the header, and one range"
    assert articles("head", key, "-n", "100", "--json")[1].count("\n") == 39


def test_head_of_nothing_says_so(articles: Articles, stored: object, memory: MemoryStore) -> None:
    assert articles("head", "nothing")[0] == 2
    memory.create("articles/notes", b"just text", {})
    status, _, err = articles("head", "notes")
    assert status == 1
    assert "not an Avro object container file" in err


def test_head_takes_a_key_as_other_tools_name_it(
    articles: Articles, stored: tuple[Chain, Chain], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUCKET", "my-bucket")
    key = stored[0].keys[0]
    assert articles("head", f"s3://my-bucket/{key}") == articles("head", key)
    status, _, err = articles("head", f"s3://another/{key}")
    assert (status, "--bucket another" in err) == (2, True)


@pytest.mark.parametrize("key", ["", "data//x", "../x", "s3://my-bucket"])
def test_head_refuses_what_is_no_key(
    articles: Articles, stored: object, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUCKET", "my-bucket")
    assert articles("head", key)[0] == 2


@pytest.mark.parametrize("prefix", ["/", "a//b", "../a", "a/."])
def test_what_is_no_prefix_is_told(articles: Articles, prefix: str) -> None:
    status, _, err = articles("average", "--prefix", prefix)
    assert (status, "is no prefix" in err) == (2, True)
