"""The stub answers the client as S3 does, as far as the benchmarks ask it."""

from __future__ import annotations

from pathlib import Path

import pytest

from articles.s3 import S3ObjectStore
from benchmarks.bench import S3Stub
from benchmarks.sides import BUCKET


@pytest.fixture
def store(stub: S3Stub) -> S3ObjectStore:
    return S3ObjectStore(BUCKET, region="us-east-1", endpoint_url=stub.url)


def test_an_object_is_created_once_and_keeps_its_metadata(store: S3ObjectStore, stub: S3Stub) -> None:
    assert store.create("p/a", b"first", {"worker": "w1"})
    assert not store.create("p/a", b"second one", {})
    info = store.head("p/a")
    assert info
    assert (info.size, info.attributes["worker"]) == (5, "w1")
    assert (store.read("p/a"), store.read("p/a", 1, 2), store.read("p/a", 3)) == (b"first", b"ir", b"st")
    assert stub.sizes("p/") == {f"{BUCKET}/p/a": 5}


def test_a_second_one_in_a_folder_is_another(tmp_path: Path) -> None:
    urls = set()
    for _ in range(2):
        with S3Stub(tmp_path) as stub:
            assert stub.sizes("p/") == {}
            urls.add(stub.url)
    assert all(url.count("http") == 1 for url in urls)


def test_what_is_not_there(store: S3ObjectStore) -> None:
    assert store.head("p/none") is None
    assert store.read("p/none") is None
    assert list(store.list("p")) == []


def test_a_listing_goes_on_over_its_pages_in_order(store: S3ObjectStore) -> None:
    keys = [f"p/dt={number % 3}/{number:04d}" for number in range(1005)]
    for key in keys:
        store.create(key, b"", {})
    store.create("q/other", b"", {})
    assert [item.key for item in store.list("p")] == sorted(keys)
    assert [item.key for item in store.list("p/dt=1", after="p/dt=1/1000")] == ["p/dt=1/1003"]
    assert store.folders("p") == ["dt=0", "dt=1", "dt=2"]
