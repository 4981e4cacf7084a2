"""The laws of the reader, over buckets of any layout."""

from __future__ import annotations

import json
import logging
import pickle
import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from articles import ArticleDataset, location
from articles.errors import ChainError, UserError
from articles.keys import Layout
from articles.training import opening
from articles.training.blocks import Groups
from articles.training.dataset import RECENT
from tests.articles.builder import DAY, MORNING, Article, Chain, articles, name
from tests.training.adapters import stored
from tests.training.kit import Bucket, ids, layouts


@pytest.fixture(autouse=True, scope="module", params=["compiled", "in Python"])
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "in Python":
            patch.setattr(opening, "open_groups", None)
        yield


orders = st.fixed_dictionaries({"shuffle": st.booleans(), "seed": st.integers(0, 3)})
worlds = st.integers(1, 5)


def dealt(bucket: Bucket, world: int, state: dict[str, Any] | None = None, **options: Any) -> list[list[str]]:
    """What each rank is given of an epoch."""
    ranks = []
    for rank in range(world):
        dataset = bucket.open(rank=rank, world_size=world, **options)
        if state:
            dataset.load_state_dict(json.loads(json.dumps(state)))
            ranks.append(ids(dataset))
        else:
            ranks.append(ids(dataset))
            assert len(ranks[-1]) == len(dataset)
    return ranks


def merged(ranks: list[list[str]]) -> list[str]:
    """In turn, as the ranks' steps go."""
    return [rank[step] for step in range(len(ranks[0])) for rank in ranks if step < len(rank)]


@settings(max_examples=60)
@given(layouts, orders, worlds)
def test_every_article_once_an_epoch_in_one_order_for_any_number_of_ranks(
    layout: Any, order: dict[str, Any], world: int
) -> None:
    bucket = Bucket(layout)
    alone = ids(bucket.open(**order))
    assert sorted(alone) == sorted(f"a-{n + 1}-0" for n in range(sum(n for shard in layout for n, _ in shard)))
    assert merged(dealt(bucket, world, **order)) == alone


@settings(max_examples=60)
@given(layouts, orders, worlds, st.data())
def test_remainders(layout: Any, order: dict[str, Any], world: int, data: st.DataObject) -> None:
    bucket = Bucket(layout)
    alone = ids(bucket.open(**order))
    over = len(alone) % world
    dropped = dealt(bucket, world, remainder="drop", **order)
    assert merged(dropped) == alone[: len(alone) - over]
    repeated = dealt(bucket, world, remainder="repeat", **order)
    assert {len(rank) for rank in repeated} == {-(-len(alone) // world)}
    around = alone * (2 + world // max(1, len(alone)))
    assert merged(repeated) == around[: len(repeated[0]) * world]


@settings(max_examples=80)
@given(layouts, orders, worlds, worlds, st.integers(0, 2), st.data())
def test_resumes_at_the_next_sample_also_with_another_world_size(
    layout: Any, order: dict[str, Any], before: int, after: int, epoch: int, data: st.DataObject
) -> None:
    bucket = Bucket(layout)
    whole = bucket.open(**order)
    whole.set_epoch(epoch)
    alone = ids(whole)
    steps = data.draw(st.integers(0, len(alone) // before))
    rank = data.draw(st.integers(0, before - 1))
    dataset = bucket.open(rank=rank, world_size=before, **order)
    dataset.set_epoch(epoch)
    iterator = iter(dataset)
    given_first = [next(iterator)["article_id"] for _ in range(steps)]
    assert given_first == alone[rank::before][:steps]
    state = dataset.state_dict()
    assert merged(dealt(bucket, after, state, **order)) == alone[steps * before :]


@given(layouts, orders, worlds, st.integers(1, 3), st.integers(1, 4), st.data())
@settings(max_examples=60)
def test_loader_workers_in_turn_give_the_ranks_sequence(
    layout: Any, order: dict[str, Any], world: int, workers: int, batch: int, data: st.DataObject
) -> None:
    bucket = Bucket(layout)
    rank = data.draw(st.integers(0, world - 1))
    whole = ids(bucket.open(rank=rank, world_size=world, **order))
    skip = data.draw(st.integers(0, len(whole)))
    shares = [
        ids(bucket.open(rank=rank, world_size=world, **order).share(worker, workers, batch))
        for worker in range(workers)
    ]
    found: list[str] = []
    turn = 0
    while any(shares):
        found += shares[turn % workers][:batch]
        del shares[turn % workers][:batch]
        turn += 1
    assert found == whole
    late = [
        ids(bucket.open(rank=rank, world_size=world, **order).share(worker, workers, batch, skip))
        for worker in range(workers)
    ]
    assert sorted(chain.from_iterable(late)) == sorted(whole[skip:])


@settings(max_examples=40)
@given(layouts, st.lists(st.floats(0, 1), min_size=0, max_size=3), orders)
def test_splits_share_no_article_and_hold_all(layout: Any, cuts: list[float], order: dict[str, Any]) -> None:
    bucket = Bucket(layout)
    edges = sorted({0.0, 1.0, *cuts})
    parts = [ids(bucket.open(split=(low, high), **order)) for low, high in pairwise(edges)]
    assert sorted(chain.from_iterable(parts)) == sorted(ids(bucket.open()))


@settings(max_examples=40)
@given(layouts, st.data())
def test_random_access_is_the_snapshots_order(layout: Any, data: st.DataObject) -> None:
    bucket = Bucket(layout)
    options = {
        "min_words": data.draw(st.sampled_from([None, 3])),
        "split": data.draw(st.sampled_from([None, (0.2, 0.9)])),
    }
    whole = list(bucket.open(**options))
    dataset = bucket.open(shuffle=True, rank=1, world_size=2, **options)
    assert dataset.total == len(whole)
    for index in data.draw(st.lists(st.integers(0, max(0, len(whole) - 1)), max_size=9)) if whole else ():
        assert dataset[index] == whole[index]
        assert dataset[index - len(whole)] == whole[index]
    with pytest.raises(IndexError):
        dataset[len(whole)]


def test_random_access_from_several_threads_gives_the_same() -> None:
    bucket = Bucket([[(3, words) for words in range(1, 3 * RECENT)]])
    whole, dataset = list(bucket.open()), bucket.open()
    orders = [random.Random(seed).choices(range(len(whole)), k=2000) for seed in range(4)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            found = list(threads.map(lambda order: [dataset[number] for number in order], orders))
    finally:
        sys.setswitchinterval(usual)
    assert found == [[whole[number] for number in order] for order in orders]


FOUR = [[(5, 2), (7, 3)], [(12, 4), (1, 1)]]


def test_fields_come_as_chosen_and_in_that_order() -> None:
    bucket = Bucket([[(3, 2)]])
    assert list(bucket.open(fields=("word_count", "content")))[1] == {"word_count": 2, "content": "word word"}
    assert list(bucket.open(fields=("sequence_number", "article_id")))[1] == {
        "sequence_number": "2",
        "article_id": "a-2-0",
    }
    assert list(bucket.open(fields=("word_count", "content", "word_count")))[1] == {
        "word_count": 2,
        "content": "word word",
    }
    assert tuple(next(iter(bucket.open()))) == (
        "article_id",
        "title",
        "author",
        "publish_date",
        "content",
        "word_count",
    )


def test_a_folder_stays_the_one_that_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.store(tmp_path)
    monkeypatch.chdir(tmp_path)
    dataset = ArticleDataset("articles", shuffle=True, tolerate=0)
    monkeypatch.chdir("/")
    for one in (dataset, pickle.loads(pickle.dumps(dataset))):
        with mock.patch.object(Groups, "fetch", side_effect=Groups.fetch, autospec=True) as in_python:
            assert (len(ids(one)), one[3]["article_id"]) == (stored.TOTAL, "a-4-0")
        assert bool(in_python.called) == (opening.open_groups is None)


def test_dates_and_word_counts_choose() -> None:
    bucket = Bucket(FOUR)
    for since, until in (("2025-06-17", None), (None, "2025-06-16"), ("2025-06-17", "2025-06-17")):
        low, high = since or "", until or "9"
        wanted = [file for file in bucket.open()._files if low <= file.file.page <= high]
        assert len(bucket.open(since=since, until=until)) == sum(sum(file.file.counts) for file in wanted)
    counts = [sample["word_count"] for sample in bucket.open(min_words=3, max_words=5)]
    assert sorted(counts) == sorted(n for n in (1 + n % 7 for n in range(25)) if 3 <= n <= 5)


def test_of_duplicates_the_newest_stays() -> None:
    bucket = Bucket([])
    for shard in range(2):
        line = Chain(bucket.memory, shard=name(shard))
        line.root()
        line.link([Article(shard * 100 + n, f"first {n}", article_id=f"id-{n % 4}") for n in range(1, 7)])
        later = MORNING + DAY + 1000 - shard
        line.link([Article(shard * 100 + 9, f"last of {shard}", article_id="id-3", arrival=later)], page="2025-06-17")
    bucket.snapshot()
    kept = {sample["article_id"]: sample["content"] for sample in bucket.open(deduplicate=True, shuffle=True)}
    assert len(bucket.open(deduplicate=True)) == 4
    assert kept == {"id-0": "first 4", "id-1": "first 5", "id-2": "first 6", "id-3": "last of 0"}


def test_a_snapshot_stays_what_it_is_while_the_chains_grow() -> None:
    bucket = Bucket([])
    line = Chain(bucket.memory)
    line.root()
    line.link(articles(range(1, 6)))
    bucket.snapshot()
    before = ids(bucket.open(shuffle=True))
    line.link(articles(range(7, 9)))
    bucket.snapshot()
    assert len(bucket.open()) == 7
    assert ids(bucket.open(snapshot=1, shuffle=True)) == before


def test_a_missing_and_a_damaged_file_are_set_aside(caplog: pytest.LogCaptureFixture) -> None:
    bucket = Bucket(FOUR)
    whole = ids(bucket.open(shuffle=True))
    stored = bucket.memory.objects[bucket.keys[0]]
    del bucket.memory.objects[bucket.keys[0]]
    dataset = bucket.open(shuffle=True, tolerate=0.2)
    with caplog.at_level(logging.WARNING):
        found = ids(dataset)
    gone = {f"a-{n}-0" for n in range(1, 6)}
    assert found == [one for one in whole if one not in gone]
    assert [(key, "gone" in reason) for key, reason in dataset.set_aside] == [(bucket.keys[0], True)]
    assert bucket.keys[0] in caplog.text
    assert dataset.state_dict()["position"] == len(whole)
    with pytest.raises(ChainError, match=r"cannot be read, more than tolerate=0\.01"):
        list(bucket.open(shuffle=True))
    body = bytearray(stored.body)
    body[-20] ^= 1
    bucket.memory.objects[bucket.keys[0]] = type(stored)(bytes(body), stored.attributes)
    damaged = bucket.open(tolerate=0.2)
    assert set(whole) - set(ids(damaged)) == {"a-5-0"}
    assert "not as it was catalogued" in damaged.set_aside[0][1]


def test_the_state_of_another_sequence_is_refused() -> None:
    bucket = Bucket(FOUR)
    state = bucket.open(shuffle=True, seed=1).state_dict()
    with pytest.raises(UserError, match="its seed is 1, the dataset's 2"):
        bucket.open(shuffle=True, seed=2).load_state_dict(state)


def test_an_epoch_that_is_over_stays_over_and_the_next_one_is_whole() -> None:
    bucket = Bucket(FOUR)
    dataset = bucket.open(shuffle=True)
    first = ids(dataset)
    state = dataset.state_dict()
    resumed = bucket.open(shuffle=True)
    resumed.load_state_dict(state)
    resumed.set_epoch(0)
    assert ids(resumed) == []
    resumed.set_epoch(1)
    assert sorted(ids(resumed)) == sorted(first) != ids(resumed)
    assert ids(dataset) == first


def test_a_copy_begins_where_the_dataset_would() -> None:
    bucket = Bucket(FOUR)
    dataset = bucket.open(shuffle=True)
    whole = ids(dataset)
    with mock.patch.object(location, "open_uri", return_value=(bucket.store, Layout("articles"))):
        assert ids(pickle.loads(pickle.dumps(dataset))) == whole
        iterator = iter(dataset)
        for _ in range(3):
            next(iterator)
        dataset.load_state_dict(dataset.state_dict())
        copy = pickle.loads(pickle.dumps(dataset))
        assert copy.state_dict() == dataset.state_dict()
        assert ids(copy) == ids(dataset) == whole[3:]


@pytest.mark.parametrize(
    "options, said",
    [
        ({"rank": 2, "world_size": 2}, "ranks count from 0"),
        ({"remainder": "most"}, '"keep", "drop" or "repeat"'),
        ({"fields": ("headline",)}, "choose of article_id"),
        ({"fields": ()}, "choose of article_id"),
        ({"split": (0.5, 0.5)}, "no part of"),
        ({"snapshot": 7}, "snapshot"),
        ({"since": "yesterday"}, "YYYY-MM-DD"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        Bucket(FOUR).open(**options)


def test_an_empty_snapshot_is_an_empty_dataset() -> None:
    dataset = Bucket([[(0, 1)]]).open(shuffle=True)
    assert (len(dataset), list(dataset)) == (0, [])


def test_what_is_tolerated_is_counted_for_each_pass_and_each_loader_worker() -> None:
    bucket = Bucket([[(40, 4)] * 10])
    del bucket.memory.objects[bucket.keys[-1]]
    dataset = bucket.open(tolerate=0.06)
    for worker in range(2):
        with pytest.raises(ChainError, match="tolerate"):
            list(dataset.share(worker, 2, 4))

    def beside_others() -> None:
        for _ in iter(dataset):
            next(iter(dataset))  # a pass of its own, which changes nothing for the first

    with pytest.raises(ChainError, match="tolerate"):
        beside_others()
    assert len(list(bucket.open(tolerate=0.11))) == 360
