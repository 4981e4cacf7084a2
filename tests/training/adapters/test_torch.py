"""With the real `DataLoader` and `StatefulDataLoader`. Warnings are errors here, so those about lengths are too."""

from __future__ import annotations

import copy
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from traceback import walk_tb
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import distributed
from torch.utils.data import DataLoader, DistributedSampler
from torchdata.stateful_dataloader import StatefulDataLoader

from articles import ArticleDataset
from articles.errors import UserError
from articles.training import reading
from articles.training.adapters.torch import IterableArticles, state_of
from tests.training.adapters.stored import TOTAL, opened, store

FEW = settings(max_examples=20)
"""Each starts processes."""

workers_ = st.integers(0, 3)
sizes = st.one_of(st.integers(1, 9), st.just(40))


@pytest.fixture(autouse=True)
def one_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)


def ids(batch: list[dict[str, Any]]) -> list[str]:
    """The collate function of all loaders here."""
    return [sample["article_id"] for sample in batch]


def one_id(sample: dict[str, Any]) -> str:
    found: str = sample["article_id"]
    return found


def order(dataset: ArticleDataset) -> list[str]:
    return [sample["article_id"] for sample in dataset]


def cut(sequence: list[str], size: int) -> list[list[str]]:
    return [sequence[start : start + size] for start in range(0, len(sequence), size)]


def joined(batches: Iterable[list[str]]) -> list[str]:
    return [one for batch in batches for one in batch]


def stateful(data: IterableArticles, batch: int, workers: int, **options: Any) -> Any:
    return StatefulDataLoader(data, batch_size=batch, num_workers=workers, collate_fn=ids, **options)


def shut_down(error: BaseException) -> None:
    """A loader that failed is freed with the traceback, which then waits for its workers, 5 s each."""
    for frame, _ in walk_tb(error.__traceback__):
        if end := getattr(frame.f_locals.get("self"), "_shutdown_workers", None):
            end()


@FEW
@given(data=st.data(), workers=workers_, batch=sizes, shuffle=st.booleans(), drop_last=st.booleans())
def test_a_loader_gives_the_ranks_sequence(
    uri: str, data: st.DataObject, workers: int, batch: int, shuffle: bool, drop_last: bool
) -> None:
    world = data.draw(st.integers(1, 3), "world")
    dataset = opened(uri, shuffle=shuffle, seed=7, rank=data.draw(st.integers(0, world - 1), "rank"), world_size=world)
    articles = IterableArticles(dataset, batch)
    options: dict[str, Any] = {"num_workers": workers, "drop_last": drop_last, "collate_fn": ids}
    if workers:
        options["prefetch_factor"] = data.draw(st.integers(1, 3), "prefetch_factor")
        options["persistent_workers"] = data.draw(st.booleans(), "persistent_workers")
    loader = DataLoader(articles, batch_size=batch, **options)
    for epoch in (2, 2, 5):
        articles.set_epoch(epoch)
        dataset.set_epoch(epoch)
        whole = cut(order(dataset), batch)
        if drop_last and len(whole[-1]) < batch:
            del whole[-1]
        assert len(loader) == len(whole)
        assert list(loader) == whole


@FEW
@given(workers=st.integers(1, 3))
def test_without_batches_too(uri: str, workers: int) -> None:
    articles = IterableArticles(opened(uri, shuffle=True), None)
    loader = DataLoader(articles, batch_size=None, num_workers=workers, collate_fn=one_id)
    assert list(loader) == order(opened(uri, shuffle=True))
    assert len(loader) == TOTAL


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_may_be_started_any_way(uri: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WINDOW_BYTES", 10 << 20)  # as workers that import everything themselves have it
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    articles = IterableArticles(opened(uri, shuffle=True), 5)
    dataset = opened(uri, shuffle=True, rank=1, world_size=2)
    options: dict[str, Any] = {"num_workers": 2, "persistent_workers": True, "multiprocessing_context": method}
    loader = DataLoader(articles, batch_size=5, collate_fn=ids, **options)
    for epoch in (0, 1):
        articles.set_epoch(epoch)
        dataset.set_epoch(epoch)
        assert list(loader) == cut(order(dataset), 5)


@pytest.fixture(scope="module")
def in_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArticleDataset]:
    folder = tmp_path_factory.mktemp("buckets")
    store(folder / "bucket")
    command = [sys.executable, "-P", "-m", "benchmarks.s3_stub", "--serve", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stub:
        try:
            assert stub.stdout
            url = stub.stdout.readline().strip()
            yield ArticleDataset("s3://bucket/articles", shuffle=True, region="us-east-1", endpoint_url=url)
        finally:
            stub.terminate()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_over_s3_too(in_s3: ArticleDataset, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the parent has used the store's client, which a forked process must not."""
    monkeypatch.setattr(reading, "WINDOW_BYTES", 10 << 20)
    sequence = order(copy.copy(in_s3))
    assert len(sequence) == TOTAL
    loader = DataLoader(
        IterableArticles(in_s3, 5), batch_size=5, num_workers=2, collate_fn=ids, multiprocessing_context=method
    )
    assert joined(loader) == sequence


# Resuming


@FEW
@given(data=st.data(), workers=workers_, batch=sizes, every=st.integers(1, 3), shuffle=st.booleans())
def test_a_stateful_loader_goes_on_at_the_next_batch(
    uri: str, data: st.DataObject, workers: int, batch: int, every: int, shuffle: bool
) -> None:
    dataset = opened(uri, shuffle=shuffle, rank=1, world_size=2)
    dataset.set_epoch(3)
    epoch = cut(order(dataset), batch)
    begin = data.draw(st.integers(0, TOTAL // 2), "begin")
    dataset.load_state_dict({**dataset.state_dict(), "position": begin})
    articles = IterableArticles(dataset, batch)
    whole = cut(order(dataset), batch)
    options: dict[str, Any] = {"snapshot_every_n_steps": every}
    if workers:
        options["persistent_workers"] = data.draw(st.booleans(), "persistent_workers")
    loader = stateful(articles, batch, workers, **options)
    stop = data.draw(st.integers(0, len(whole)), "stop")
    iterator = iter(loader)
    assert list(islice(iterator, stop)) == whole[:stop]
    state = json.loads(json.dumps(loader.state_dict()))
    del iterator, loader

    resumed = IterableArticles(opened(uri, shuffle=shuffle, rank=1, world_size=2), batch)
    resumed.set_epoch(3)
    loader = stateful(resumed, batch, workers, **options)
    loader.load_state_dict(state)
    again = next(iter(loader), None)
    assert again == (whole[stop] if stop < len(whole) else None)
    loader.load_state_dict(json.loads(json.dumps(loader.state_dict())))
    if again is not None:
        assert list(loader) == whole[stop + 1 :]
    assert list(loader) == epoch, "the next pass is whole"


@FEW
@given(data=st.data(), workers=workers_, others=workers_, batch=sizes, other_batch=sizes, every=st.integers(1, 3))
def test_a_state_is_good_for_other_workers_and_ranks(
    uri: str, data: st.DataObject, workers: int, others: int, batch: int, other_batch: int, every: int
) -> None:
    world, other_world = data.draw(st.integers(1, 3), "world"), data.draw(st.integers(1, 3), "other world")
    rank = data.draw(st.integers(0, world - 1), "rank")
    sequence = order(opened(uri, shuffle=True))
    articles = IterableArticles(opened(uri, shuffle=True), batch, rank=rank, world_size=world)
    loader = stateful(articles, batch, workers, snapshot_every_n_steps=every)
    given = len(joined(islice(loader, data.draw(st.integers(0, len(loader)), "stop"))))
    state = json.loads(json.dumps(loader.state_dict()))
    # A batch that is smaller ends the epoch, also where the first ranks have one sample more.
    position = TOTAL if given % batch else min(given * world, TOTAL)
    assert state_of(state)["position"] == position
    assert state_of(state_of(state)) == state_of(state)
    for other in range(other_world):
        resumed = IterableArticles(opened(uri, shuffle=True), other_batch, rank=other, world_size=other_world)
        resumed.load_state_dict(state)
        found = DataLoader(resumed, batch_size=other_batch, num_workers=others, collate_fn=ids)
        assert list(found) == cut(sequence[position + other :: other_world], other_batch)


@FEW
@given(data=st.data(), workers=workers_, others=workers_, batch=sizes, persistent=st.booleans())
def test_a_trainer_may_count_batches(
    uri: str, data: st.DataObject, workers: int, others: int, batch: int, persistent: bool
) -> None:
    """Twice: the count goes on from a state that was loaded."""
    sequence = order(opened(uri, rank=1, world_size=2))
    articles = IterableArticles(opened(uri, rank=1, world_size=2), batch)
    used, state = 0, articles.state_dict()
    for _ in range(2):
        loader = DataLoader(articles, batch_size=batch, num_workers=workers, collate_fn=ids)
        stop = data.draw(st.integers(0, 5), "stop")
        found = joined(islice(loader, stop))
        assert found == sequence[used : used + stop * batch]
        used += len(found)
        state = articles.state_after(batches=stop)
        articles = IterableArticles(opened(uri, rank=1, world_size=2), batch)
        articles.load_state_dict(state)
        assert articles.state_dict() == state
    loader = DataLoader(
        articles, batch_size=batch, num_workers=others, collate_fn=ids, persistent_workers=persistent and others > 0
    )
    assert joined(loader) == sequence[used:]
    assert joined(loader) == sequence, "the next pass is whole"
    assert articles.state_after(batches=1)["position"] == min(2 * batch, TOTAL)
    articles.load_state_dict(state)
    assert joined(loader) == sequence[used:], "persistent workers hear of it"
    articles.load_state_dict(state)
    articles.set_epoch(1)
    assert joined(loader) == sequence


def test_only_one_pass_goes_on_from_a_loaded_state(uri: str) -> None:
    articles = IterableArticles(opened(uri), 4)
    articles.load_state_dict({**articles.state_dict(), "position": 50})
    loader = DataLoader(articles, batch_size=4, num_workers=3, collate_fn=ids)
    sequence = order(opened(uri))
    assert next(iter(loader)) == sequence[50:54]  # not all workers may have begun
    assert joined(loader) == sequence


def test_workers_of_another_size_refuse_a_loaders_state(uri: str) -> None:
    loader = stateful(IterableArticles(opened(uri), 4), 4, 2)
    next(iter(loader))
    state = loader.state_dict()
    for batch, workers in ((4, 3), (4, 1), (5, 2)):
        other = stateful(IterableArticles(opened(uri), batch), batch, workers)
        other.load_state_dict(state)
        with pytest.raises(UserError, match=r"IterableArticles\.load_state_dict") as raised:
            next(iter(other))
        shut_down(raised.value)
    with pytest.raises(UserError, match="another sequence: its shuffle is False"):
        IterableArticles(opened(uri, shuffle=True), 4).load_state_dict(state)


def test_what_workers_gave_is_not_guessed(uri: str) -> None:
    articles = IterableArticles(opened(uri), 4)
    next(iter(DataLoader(articles, batch_size=4, num_workers=1, collate_fn=ids)))
    with pytest.raises(UserError, match="state_after"):
        articles.state_dict()
    articles.set_epoch(1)
    assert articles.state_dict()["epoch"] == 1


def test_a_state_follows_what_is_asked_for(uri: str) -> None:
    articles = IterableArticles(opened(uri, rank=1, world_size=3), 4)
    assert TOTAL % 3 == 1, "the rank has one sample less than the first"
    assert len(list(articles)) == len(articles)
    assert articles.state_dict()["position"] == TOTAL
    articles.set_epoch(1)
    assert articles.state_dict()["position"] == 0
    next(iter(articles))
    assert articles.state_dict()["position"] == 3
    state = {**articles.state_dict(), "position": 60}
    articles.load_state_dict(state)
    assert articles.state_dict() == state
    assert articles.state_after(batches=2)["position"] == 60 + 2 * 4 * 3
    assert articles.state_after(batches=200)["position"] == TOTAL


# Mistakes, damage


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch, loaders", [(4, 5), (4, None), (None, 4)])
def test_a_loader_of_another_batch_size_is_refused(
    uri: str, workers: int, batch: int | None, loaders: int | None
) -> None:
    collate = ids if loaders else one_id
    loader = DataLoader(
        IterableArticles(opened(uri), batch), batch_size=loaders, num_workers=workers, collate_fn=collate
    )
    said = f"batch_size is {loaders or 1}, that of IterableArticles {batch or 1}"
    with pytest.raises(UserError, match=said) as raised:
        next(iter(loader))
    shut_down(raised.value)
    assert len(list(IterableArticles(opened(uri), batch))) == TOTAL, "no loader, no size"


@FEW
@given(data=st.data(), workers=workers_, others=workers_, batch=sizes, shuffle=st.booleans())
def test_others_stand_in_for_what_cannot_be_read(
    uri: str, uri_with_gaps: str, data: st.DataObject, workers: int, others: int, batch: int, shuffle: bool
) -> None:
    dataset = opened(uri_with_gaps, shuffle=shuffle, tolerate=1)
    there = set(order(dataset))
    whole = order(opened(uri, shuffle=shuffle))
    assert set(whole[:3]) | set(whole[-2:]) <= set(whole) - there or shuffle
    world = data.draw(st.integers(1, 2), "world")
    rank = data.draw(st.integers(0, world - 1), "rank")
    expected = whole[rank::world]
    articles = IterableArticles(opened(uri_with_gaps, shuffle=shuffle, tolerate=1), batch, rank=rank, world_size=world)
    loader = stateful(articles, batch, workers)
    stop = data.draw(st.integers(0, len(loader)), "stop")
    iterator = iter(loader)
    found = joined(islice(iterator, stop))
    articles = IterableArticles(opened(uri_with_gaps, shuffle=shuffle, tolerate=1), batch, rank=rank, world_size=world)
    articles.load_state_dict(loader.state_dict())
    found += joined(DataLoader(articles, batch_size=batch, num_workers=others, collate_fn=ids))
    assert len(found) == len(expected)
    assert [one for one in found if one not in there] == []
    assert [one for one, other in zip(found, expected, strict=True) if one != other and other in there] == []


def test_where_nothing_is_left_nothing_is_given(tmp_path: Path) -> None:
    uri = store(tmp_path)
    for file in tmp_path.glob("articles/data/**/*.avro"):
        file.unlink()
    assert list(IterableArticles(ArticleDataset(uri, tolerate=1), 4)) == []


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"batch_size": 1, "rank": 1}, {"batch_size": 1, "world_size": 2}]
)
def test_arguments_make_sense(uri: str, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"one or more|or neither"):
        IterableArticles(opened(uri), **options)


# Ranks


def test_ranks_of_the_environment(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = order(opened(uri))
    assert ids(list(IterableArticles(opened(uri), 1))) == whole
    articles = IterableArticles(opened(uri), 1)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert ids(list(articles)) == whole[2::3]
    assert len(articles) == len(whole[2::3])
    assert ids(list(IterableArticles(opened(uri), 1, rank=0, world_size=1))) == whole
    assert ids(list(IterableArticles(opened(uri, rank=1, world_size=2), 1))) == whole[1::2]
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="rank 2 of world_size 2"):
        len(articles)


def in_a_group(rank: int, file: Path, uri: str, found: Any) -> None:
    articles = IterableArticles(ArticleDataset(uri, remainder="repeat"), 4)
    distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=3)
    plain = joined(DataLoader(articles, batch_size=4, num_workers=1, collate_fn=ids))
    sampler = DistributedSampler(ArticleDataset(uri), shuffle=True, seed=3)
    mapped = joined(DataLoader(ArticleDataset(uri), batch_size=4, sampler=sampler, collate_fn=ids))
    distributed.destroy_process_group()
    found.put((rank, plain, mapped))


def test_ranks_of_a_process_group(uri: str, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    group = [context.Process(target=in_a_group, args=(rank, tmp_path / "group", uri, queue)) for rank in range(3)]
    for process in group:
        process.start()
    found = {rank: (plain, mapped) for rank, plain, mapped in (queue.get(timeout=120) for _ in group)}
    for process in group:
        process.join(60)
        assert process.exitcode == 0
    sequence = order(opened(uri))
    filled = sequence + sequence[: -TOTAL % 3]
    for rank in range(3):
        assert found[rank][0] == filled[rank::3]
    assert {len(mapped) for _, mapped in found.values()} == {len(filled) // 3}
    assert {one for _, mapped in found.values() for one in mapped} == set(sequence)


# The dataset itself is map-style


@pytest.mark.parametrize("workers", [0, 2])
def test_random_access_through_a_sampler(uri: str, workers: int) -> None:
    dataset = opened(uri)
    loader = DataLoader(dataset, batch_size=4, shuffle=True, num_workers=workers, collate_fn=ids)
    assert len(loader) == -(-TOTAL // 4)
    found = joined(loader)
    assert found != order(dataset)
    assert sorted(found) == sorted(order(dataset))
