"""`articles catalog`, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from articles import cli
from tests.articles.bucket import Bucket
from tests.articles.builder import articles as records
from tests.fakes import MemoryStore

Articles = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bucket(memory: MemoryStore) -> Bucket:
    return Bucket(memory)


@pytest.mark.parametrize("name", ["build", "list", "show", "diff"])
def test_every_command_has_help(articles: Articles, name: str) -> None:
    status, out, _ = articles("catalog", name, "--help")
    assert status == 0
    assert out.startswith(f"usage: articles catalog {name}")
    assert "--json" in out


def test_build_says_what_it_made(articles: Articles, bucket: Bucket) -> None:
    status, out, err = articles("catalog", "build")
    assert (status, err) == (0, "")
    assert "snapshot 1: 5 files and 14 records more" in out
    assert "average word count 2.857143" in out
    bucket.first.link(records([30]))
    status, out, _ = articles("catalog", "build", "--json")
    said = json.loads(out)
    assert (status, said["new"], said["number"], said["totals"]["records"]) == (0, True, 2, 15)
    status, out, _ = articles("catalog", "build")
    assert (status, out.startswith("nothing new since snapshot 2")) == (0, True)
    assert json.loads(articles("catalog", "build", "--json")[1])["new"] is False


def test_build_names_what_it_leaves_out(articles: Articles, bucket: Bucket) -> None:
    key = bucket.first.keys[0]
    bucket.alter(key, len(bucket.body(key)) - 20)
    bucket.memory.create("articles/data/dt=2025-06-16/copy.avro", b"x", {})
    status, _, err = articles("catalog", "build")
    assert status == 0
    assert f"left out: {key}: " in err
    assert "1 object that no chain leads to" in err
    assert f"left out: {key}: " in articles("catalog", "show")[1]


def test_the_snapshots_are_listed_and_shown(articles: Articles, bucket: Bucket) -> None:
    articles("catalog", "build")
    bucket.first.link(records([30]))
    articles("catalog", "build")
    status, out, _ = articles("catalog", "list")
    assert status == 0
    assert [line.split()[:1] for line in out.splitlines()] == [["snapshot"], ["1"], ["2"]]
    assert [one["number"] for one in json.loads(articles("catalog", "list", "--json")[1])["snapshots"]] == [1, 2]
    status, out, _ = articles("catalog", "show", "1")
    assert status == 0
    assert out.startswith("snapshot 1 of ")
    assert "shardId-000000000000" in out
    assert json.loads(articles("catalog", "show", "--json")[1])["number"] == 2


def test_what_a_snapshot_has_more(articles: Articles, bucket: Bucket) -> None:
    articles("catalog", "build")
    assert "is the first" in articles("catalog", "diff")[2]
    key = bucket.first.link(records([30]))
    articles("catalog", "build")
    status, out, _ = articles("catalog", "diff")
    assert status == 0
    assert "+1 files, +1 records, +3 words" in out
    assert "15:0:2025-06-17 → 30:0:2025-06-17" in out
    said = json.loads(articles("catalog", "diff", "1", "2", "--json")[1])
    assert (said["from"], said["to"], said["totals"]["links"]) == (1, 2, 1)
    assert articles("catalog", "diff", "1", "--keys")[1] == f"{key}\n"
    assert articles("catalog", "diff", "2", "2", "--keys")[1] == ""


@pytest.mark.parametrize(
    "words, said",
    [
        (["list"], "run `articles catalog build`"),
        (["show"], "run `articles catalog build`"),
        (["show", "7"], "no snapshot 7"),
        (["show", "1", "2"], "is too much"),
        (["list", "nowhere"], "there is no folder"),
        (["build", "--retention-hours", "0"], "must be positive"),
    ],
)
def test_mistakes_are_told(articles: Articles, bucket: Bucket, words: list[str], said: str) -> None:
    status, _, err = articles("catalog", *words)
    assert status == 2
    assert said in err


def test_a_copy_in_a_folder_has_the_same_snapshots(
    articles: Articles, bucket: Bucket, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    articles("catalog", "build")
    for key, stored in bucket.memory.objects.items():
        path = tmp_path / key.replace("articles/", "copied/", 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(stored.body)
    assert cli.main(["catalog", "build", str(tmp_path / "copied")]) == 0
    assert capsys.readouterr().out.startswith("nothing new since snapshot 1")
    (tmp_path / "copied" / "catalog" / "0000000001.json").unlink()
    assert cli.main(["catalog", "build", str(tmp_path / "copied"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["number"], said["totals"]["records"], said["damaged"]) == (1, 14, [])


def test_the_average_is_the_same_with_and_without(articles: Articles, bucket: Bucket) -> None:
    plain = articles("average", "--by", "date", "--json")
    articles("catalog", "build")
    bucket.memory.log.clear()
    assert articles("average", "--by", "date", "--json") == plain
    assert not [effect for effect in bucket.memory.effects("head") if "found" in effect]
    assert articles("average", "--by", "date", "--json", "--no-catalog") == plain
    bucket.memory.objects["articles/catalog/0000000001.json"].body = b"{"
    status, out, err = articles("average", "--by", "date", "--json")
    assert (status, out) == plain[:2]
    assert "every file is looked at" in err
