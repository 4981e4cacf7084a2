"""What has a tombstone is not read any more; the files stay as they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from articles import tombstones
from articles.errors import ChainError
from articles.keys import Layout
from articles.retry import RetryingStore
from tests.articles.builder import Chain
from tests.articles.builder import articles as records
from tests.fakes import FakeClock, MemoryStore
from tests.training.kit import Bucket, ids

Articles = Callable[..., tuple[int, str, str]]


def test_training_skips_it_in_its_place_and_states_stay_good() -> None:
    bucket = Bucket([[(9, 4), (8, 3)]])
    dataset = bucket.open(shuffle=True, tolerate=0)
    whole = ids(dataset)
    iterator = iter(dataset)
    for _ in range(5):
        next(iterator)
    state = dataset.state_dict()
    gone = {whole[2], whole[5], whole[9]}
    for one in gone:
        tombstones.add(bucket.store, Layout("articles"), one, "", FakeClock())
    later = bucket.open(shuffle=True, tolerate=0, fields=("word_count", "article_id"))
    assert ids(later) == [one for one in whole if one not in gone]
    later.load_state_dict(state)
    assert ids(later) == [one for one in whole[5:] if one not in gone]
    assert later.set_aside == []
    plain = bucket.open()
    lost = ids(dataset := bucket.open(split=(0.0, 1.0)))
    assert set(whole) - set(lost) == gone
    assert len(dataset) == len(plain) == 17
    index = next(n for n in range(17) if f"a-{n + 1}-0" in gone)
    with pytest.raises(ChainError, match="tombstone"):
        plain[index]


def test_the_command_makes_each_once_and_keeps_no_id(
    articles: Articles, store: RetryingStore, layout: Layout, memory: MemoryStore, tmp_path: Path
) -> None:
    more = tmp_path / "ids.txt"
    more.write_text("b\nsecret-id\n", "utf-8")
    status, out, _ = articles("tombstone", "secret-id", "a", "--reason", "request 7")
    assert (status, out.splitlines()[0]) == (0, "2 tombstones made")
    status, out, _ = articles("tombstone", "--file", str(more), "--json")
    assert [one["new"] for one in json.loads(out)["tombstones"]] == [True, False]
    assert tombstones.load(store, layout) == {tombstones.digest(one) for one in ("secret-id", "a", "b")}
    assert all("secret" not in key and b"secret" not in stored.body for key, stored in memory.objects.items())
    status, out, _ = articles("tombstone", "--list", "--json")
    assert {one["reason"] for one in json.loads(out)["tombstones"]} == {"request 7", ""}
    assert "request 7" in articles("tombstone", "--list")[1]


@pytest.mark.parametrize(
    "words, said", [((), "which articles"), (("--list", "x"), "--list makes none"), (("--file", "absent"), "absent")]
)
def test_mistakes(articles: Articles, words: tuple[str, ...], said: str) -> None:
    status, out, err = articles("tombstone", *words)
    assert (status, out) == (2, "")
    assert said in err


def test_head_does_not_show_it(articles: Articles, memory: MemoryStore) -> None:
    chain = Chain(memory)
    chain.root()
    key = chain.link(records([1, 2, 3], "private words"))
    assert articles("tombstone", "a-2-0")[0] == 0
    status, out, _ = articles("head", key)
    assert status == 0
    assert out.count("private words") == 2
    assert "a-2-0" not in out
    assert "must not be read" in out
    lines = articles("head", key, "--json")[1].splitlines()
    assert ["tombstone" in json.loads(line) for line in lines] == [False, True, False]
