"""What the product relies on, of the store in memory and of S3's client alike."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from articles import aws
from articles.errors import StoreRefused, StoreUnavailable
from articles.folder import FolderStore
from articles.s3 import S3ObjectStore, open_url
from articles.store import SMALL_BYTES, ObjectStore
from local.emulator import Emulator, free_ports
from tests.fakes import MemoryStore

BUCKET = "contract"


@pytest.fixture(scope="module")
def endpoint_url() -> Iterator[str]:
    with Emulator() as emulator:
        url = emulator.endpoint_urls["s3"]
        aws.client("s3", region="us-east-1", endpoint_url=url).create_bucket(Bucket=BUCKET)
        yield url


@pytest.fixture(
    params=["memory", "folder", "url", pytest.param("emulator", marks=pytest.mark.xdist_group("store_contract"))]
)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "memory":
        return MemoryStore()
    if request.param == "folder":
        return FolderStore(tmp_path)
    if request.param == "url":
        return open_url("memory:///")
    url = request.getfixturevalue("endpoint_url")
    return S3ObjectStore(BUCKET, region="us-east-1", endpoint_url=url)


@pytest.fixture
def folder() -> str:
    """One of the test's own: the emulator's bucket is shared."""
    return f"f{secrets.token_hex(8)}"


def on_disk(store: ObjectStore) -> bool:
    """Files have no attributes: a link's header answers instead."""
    return isinstance(store, FolderStore)


def test_a_key_is_created_once(any_store: ObjectStore, folder: str) -> None:
    assert any_store.create(f"{folder}/k", b"first", {"worker": "one"})
    assert not any_store.create(f"{folder}/k", b"second", {"worker": "two"})
    assert any_store.read(f"{folder}/k") == b"first"
    info = any_store.head(f"{folder}/k")
    assert info is not None
    assert (info.key, info.size) == (f"{folder}/k", 5)
    assert info.attributes.get("worker") == (None if on_disk(any_store) else "one")


@pytest.mark.parametrize("size", [0, 1, SMALL_BYTES + 1, 12 << 20])
def test_bodies_of_any_size_are_created_once(any_store: ObjectStore, folder: str, size: int) -> None:
    body = bytes(size)
    assert any_store.create(f"{folder}/k", body, {})
    assert not any_store.create(f"{folder}/k", b"x" + body, {})
    assert any_store.read(f"{folder}/k") == body


def test_of_many_creators_one_wins(any_store: ObjectStore, folder: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: any_store.create(f"{folder}/k", b"%d" % n, {"n": str(n)}), range(16)))
    assert won.count(True) == 1
    assert any_store.read(f"{folder}/k") == b"%d" % won.index(True)


def test_what_is_absent_is_none(any_store: ObjectStore, folder: str) -> None:
    assert any_store.head(f"{folder}/k") is None
    assert any_store.read(f"{folder}/k") is None
    assert any_store.read(f"{folder}/k", 2, 3) is None
    assert list(any_store.list(folder)) == []
    assert list(any_store.folders(folder)) == []


def test_ranges(any_store: ObjectStore, folder: str) -> None:
    any_store.create(f"{folder}/k", b"0123456789", {})
    assert any_store.read(f"{folder}/k", 0, 4) == b"0123"
    assert any_store.read(f"{folder}/k", 3, 4) == b"3456"
    assert any_store.read(f"{folder}/k", 8) == b"89"
    assert any_store.read(f"{folder}/k", 8, 100) == b"89"
    assert any_store.read(f"{folder}/k", 12, 100) == b""


def test_many_ranges_of_one_object(any_store: ObjectStore, folder: str) -> None:
    body = b"".join(b"%08d" % number for number in range(100_000))
    any_store.create(f"{folder}/k", body, {})
    starts, lengths = [790_000, 5, 0, 8, 400_000, 3, 799_999], [8, 3, 1, 100_000, 300_000, 9, 1]
    ranges = [body[start : start + length] for start, length in zip(starts, lengths, strict=True)]
    assert any_store.read_ranges(f"{folder}/k", starts, lengths) == ranges
    assert any_store.read_ranges(f"{folder}/k", [7], [2]) == [body[7:9]]
    assert any_store.read_ranges(f"{folder}/k", [], []) == []
    assert any_store.read_ranges(f"{folder}/none", starts, lengths) is None


def test_ranges_behind_the_end_are_short(any_store: ObjectStore, folder: str) -> None:
    any_store.create(f"{folder}/k", b"0123456789", {})
    assert any_store.read_ranges(f"{folder}/k", [8, 12, 14, 5_000_000], [100, 1, 1, 7]) == [b"89", b"", b"", b""]
    assert any_store.read_ranges(f"{folder}/k", [20], [7]) == [b""]


def test_listings_are_in_order_and_start_behind_a_key(any_store: ObjectStore, folder: str) -> None:
    names = ["a-", "a-1", "a/b", "a0", "b", "ä"]
    for name in names:
        any_store.create(f"{folder}/{name}", name.encode(), {})
    any_store.create(f"{folder}x/other", b"", {})
    keys = [item.key for item in any_store.list(folder)]
    assert keys == [f"{folder}/{name}" for name in sorted(names)]
    assert [item.size for item in any_store.list(folder)] == [len(name.encode()) for name in sorted(names)]
    for start in (f"{folder}/a-1", f"{folder}/a-", f"{folder}/zz", f"{folder}/"):
        assert [item.key for item in any_store.list(folder, start)] == [key for key in keys if key > start]


def test_more_than_one_page_of_a_listing(any_store: ObjectStore, folder: str) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: any_store.create(f"{folder}/{n:05d}", b"", {}), range(1203)))
    assert [item.key for item in any_store.list(folder)] == [f"{folder}/{n:05d}" for n in range(1203)]


def test_folders_right_below(any_store: ObjectStore, folder: str) -> None:
    for name in ("dt=2025-01-01/a", "dt=2025-01-01/b", "dt=2025-01-02/a/b", "file"):
        any_store.create(f"{folder}/{name}", b"", {})
    assert sorted(any_store.folders(folder)) == ["dt=2025-01-01", "dt=2025-01-02"]


def test_attributes_and_keys_of_ours_come_back_as_they_are(any_store: ObjectStore, folder: str) -> None:
    key = f"{folder}/data/dt=2025-06-16/s-My.Stream_x-1750000000-shardId-000000000000-{'0' * 56}-{'0' * 10}.avro"
    said = {"after": "123:4:2025-06-16", "worker": "ip-10-0-0-1.ec2.internal:7", "digest": "0" * 64}
    assert any_store.create(key, b"x", said)
    info = any_store.head(key)
    assert info is not None
    if not on_disk(any_store):
        assert info.attributes.items() >= said.items(), "S3 has a content type besides"
    assert [item.key for item in any_store.list(f"{folder}/data")] == [key]


@pytest.mark.xdist_group("store_contract")
def test_a_bucket_that_does_not_exist_is_refused(endpoint_url: str) -> None:
    store = S3ObjectStore("nobody", region="us-east-1", endpoint_url=endpoint_url)
    with pytest.raises(StoreRefused, match="'nobody' does not exist"):
        store.create("k", b"", {})
    with pytest.raises(StoreRefused, match="'nobody' does not exist"):
        list(store.list("folder"))
    with pytest.raises(StoreRefused, match="'nobody' does not exist"):
        store.folders("folder")


@pytest.mark.xdist_group("store_contract")
def test_when_an_object_was_stored_is_told(endpoint_url: str, folder: str) -> None:
    store = S3ObjectStore(BUCKET, region="us-east-1", endpoint_url=endpoint_url)
    store.create(f"{folder}/k", b"", {})
    info = store.head(f"{folder}/k")
    assert info is not None
    assert info.modified > 1_700_000_000
    assert [int(item.modified) for item in store.list(folder)] == [int(info.modified)]


@pytest.mark.xdist_group("store_contract")
def test_a_key_that_the_client_cannot_list_is_named(endpoint_url: str, folder: str) -> None:
    client = aws.client("s3", region="us-east-1", endpoint_url=endpoint_url)
    client.put_object(Bucket=BUCKET, Key=f"{folder}//x", Body=b"")
    store = S3ObjectStore(BUCKET, region="us-east-1", endpoint_url=endpoint_url)
    with pytest.raises(StoreRefused, match="move that object away"):
        list(store.list(folder))


def test_a_store_that_does_not_answer_is_unavailable() -> None:
    store = S3ObjectStore(BUCKET, region="us-east-1", endpoint_url=f"http://127.0.0.1:{free_ports(1)[0]}")
    for call in (lambda: store.head("k"), lambda: store.read("k"), lambda: store.create("k", b"", {})):
        with pytest.raises(StoreUnavailable):
            call()
