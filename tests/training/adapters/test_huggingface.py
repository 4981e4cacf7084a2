from __future__ import annotations

import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import datasets
import pytest
from datasets.distributed import split_dataset_by_node
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from articles import ArticleDataset
from articles.errors import UserError
from articles.training.adapters.huggingface import to_dataset, to_iterable
from tests.training.adapters.stored import TOTAL, opened

FEW = settings(max_examples=20)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def ids(samples: Any) -> list[str]:
    return [sample["article_id"] for sample in samples]


def twice(sample: dict[str, Any]) -> dict[str, int]:
    return {"twice": 2 * sample["word_count"]}


@FEW
@given(shards=st.integers(1, TOTAL + 10), shuffle=st.booleans(), world=st.integers(1, 3), data=st.data())
def test_the_order_is_the_datasets(uri: str, shards: int, shuffle: bool, world: int, data: st.DataObject) -> None:
    remainder = data.draw(st.sampled_from(["keep", "drop", "repeat"]), "remainder")
    rank = data.draw(st.integers(0, world - 1), "rank")
    dataset = opened(uri, shuffle=shuffle, remainder=remainder, rank=rank, world_size=world)
    dataset.set_epoch(2)
    found = to_iterable(dataset, shards)
    whole = list(dataset)
    assert list(found) == whole
    assert list(found) == whole, "as often as it is iterated"
    assert found.num_shards == min(shards, len(dataset))


@FEW
@given(shards=st.integers(1, 12), stop=st.integers(0, TOTAL))
def test_it_resumes_at_the_next_sample(uri: str, shards: int, stop: int) -> None:
    whole = ids(opened(uri, shuffle=True))
    first = to_iterable(opened(uri, shuffle=True), shards)
    assert ids(itertools.islice(first, stop)) == whole[:stop]
    state = json.loads(json.dumps(first.state_dict())) if stop else None
    again = to_iterable(opened(uri, shuffle=True), shards)
    if state:
        again.load_state_dict(state)
    assert ids(again) == whole[stop:]


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_workers_and_nodes_get_parts(uri: str, workers: int) -> None:
    found = []
    for rank in range(2):
        part = split_dataset_by_node(to_iterable(opened(uri, shuffle=True), 8), rank=rank, world_size=2)
        found += ids(DataLoader(part, batch_size=None, num_workers=workers))
    assert sorted(found) == sorted(ids(opened(uri)))


def test_it_can_be_pickled_and_mapped(uri: str) -> None:
    found = to_iterable(opened(uri, fields=("article_id", "word_count", "arrival_timestamp")))
    assert found.features == datasets.Features(
        {
            "article_id": datasets.Value("string"),
            "word_count": datasets.Value("int32"),
            "arrival_timestamp": datasets.Value("timestamp[ms, tz=UTC]"),
        }
    )
    assert len(list(found)) == TOTAL, "also when it has been read"
    again = pickle.loads(pickle.dumps(found.map(twice)))
    assert [sample["twice"] for sample in again] == [2 * sample["word_count"] for sample in opened(uri)]


@FEW
@given(shards=st.integers(1, TOTAL), shuffle=st.booleans())
def test_what_cannot_be_read_moves_no_stretch(uri_with_gaps: str, shards: int, shuffle: bool) -> None:
    dataset = opened(uri_with_gaps, shuffle=shuffle, tolerate=1)
    assert ids(to_iterable(dataset, shards)) == ids(dataset)


def test_stretches_in_a_row_are_read_once(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[ArticleDataset] = []
    share = ArticleDataset.share

    def counted(dataset: ArticleDataset, *of: int) -> Any:
        begun.append(dataset)
        return share(dataset, *of)

    monkeypatch.setattr(ArticleDataset, "share", counted)
    found = to_iterable(opened(uri), 8)
    both = list(zip(found, found, strict=True))
    assert [one for one, _ in both] == [other for _, other in both] == list(opened(uri))
    begun.clear()
    assert len(list(found)) == TOTAL
    assert len(begun) == 1


def test_a_dataset_in_the_cache(uri: str, tmp_path: Path) -> None:
    dataset = opened(uri, shuffle=True)
    whole = list(dataset)
    found = to_dataset(dataset, str(tmp_path))
    assert len(found) == TOTAL
    assert list(found) == whole
    assert found[5] == whole[5]
    assert found.features == to_iterable(dataset).features
    (file,) = found.cache_files
    written = Path(file["filename"]).stat().st_mtime_ns
    again = to_dataset(opened(uri, shuffle=True), str(tmp_path))
    assert again.cache_files == found.cache_files
    assert again._fingerprint == found._fingerprint
    assert Path(file["filename"]).stat().st_mtime_ns == written, "not written again"
    dataset.set_epoch(1)
    assert ids(to_dataset(dataset, str(tmp_path))) == ids(dataset) != ids(whole)
    of_rank = opened(uri, shuffle=True, rank=1, world_size=2)
    assert ids(to_dataset(of_rank, str(tmp_path))) == ids(of_rank)


def test_processes_share_the_writing(uri: str, tmp_path: Path) -> None:
    assert list(to_dataset(opened(uri), str(tmp_path), processes=2)) == list(opened(uri))


def test_there_is_a_shard(uri: str) -> None:
    with pytest.raises(UserError, match="shards=0"):
        to_iterable(opened(uri), 0)
