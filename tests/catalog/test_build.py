"""What a build does with damage, with headers alone, with a part of the streams; and that it reads nothing twice."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping

import pytest

from articles import average
from articles.catalog import manifest, open_snapshot, segment
from articles.catalog.manifest import Manifest
from articles.container import encode_long
from articles.errors import ChainError, UserError
from articles.retry import RetryingStore
from articles.scan import Selection
from tests.articles.bucket import SHALLOW, Bucket, errors, one
from tests.articles.builder import DAY, MORNING, Article, Chain, articles, name
from tests.catalog.views import LAYOUT, built, view, without_catalog
from tests.fakes import FakeClock, MemoryStore


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


def keys(bucket: Bucket) -> list[str]:
    return [file.key for file in view(bucket.memory)["files"]]


def base(memory: MemoryStore) -> Manifest:
    found = manifest.newest(RetryingStore(memory, FakeClock()), LAYOUT)
    assert found is not None
    return found


def test_only_what_is_new_is_read(bucket: Bucket) -> None:
    built(bucket.memory)
    new = bucket.first.link(articles([30, 31]))
    bucket.memory.log.clear()
    built(bucket.memory)
    data = [str(effect) for effect in bucket.memory.log if "/data/dt" in effect.key]
    awaited = LAYOUT.link_key(bucket.first.shard, bucket.first.state)
    assert data == [f"head {new} found", f"read {new} found", f"head {awaited} absent"]
    assert all("/catalog/" in effect for effect in bucket.memory.effects("create"))


def test_the_manifest_comes_last(bucket: Bucket) -> None:
    built(bucket.memory)
    kinds = [effect.split("/")[2] for effect in bucket.memory.effects("create") if "/catalog/" in effect]
    assert kinds == ["segments", "rows", "0000000001.json created"]


def test_a_link_is_told_as_it_lies(bucket: Bucket) -> None:
    built(bucket.memory)
    file = view(bucket.memory)["files"][0]
    body = bucket.body(file.key)
    at = file.header
    for count, size in zip(file.counts, file.sizes, strict=True):
        start = at + len(encode_long(count)) + len(encode_long(size))
        assert body[start + size : start + size + 16] == file.sync
        at = start + size + 16
    assert at == file.size == len(body)
    assert (sum(file.counts), file.words, file.page) == (3, 6, "2025-06-16")


@pytest.mark.parametrize("part", ["blocks", "header"])
def test_a_damaged_file_is_named_and_left_out(bucket: Bucket, part: str) -> None:
    key = bucket.first.keys[1]
    body, attributes = bucket.body(key), dict(bucket.memory.objects[key].attributes)
    bucket.alter(key, len(body) - 20 if part == "blocks" else 1)
    found = built(bucket.memory)
    assert [(damage[0], damage[1] != "") for damage in view(bucket.memory)["damaged"]] == [(key, True)]
    assert key not in keys(bucket)
    assert len(keys(bucket)) == 3
    store = RetryingStore(bucket.memory, FakeClock())
    assert average.compute(store, LAYOUT, base=found.manifest) == average.compute(store, LAYOUT), "metadata are whole"
    assert not built(bucket.memory).new
    bucket.memory.objects[key].body, bucket.memory.objects[key].attributes = body, attributes
    assert built(bucket.memory).new
    assert key in keys(bucket)
    whole = without_catalog(bucket.memory)
    built(whole)
    assert view(bucket.memory) == view(whole)


def test_where_a_chain_cannot_be_followed_the_snapshot_ends(bucket: Bucket) -> None:
    key = bucket.first.keys[1]
    bucket.memory.objects[key].body = b"nonsense"
    bucket.memory.objects[key].attributes.clear()
    found = built(bucket.memory)
    assert [damage[0] for damage in view(bucket.memory)["damaged"]] == [key, bucket.first.keys[2]]
    assert str(found.manifest.chains[bucket.first.shard].state) == "3:1:2025-06-16"
    with pytest.raises(ChainError, match="articles verify"):
        average.compute(RetryingStore(bucket.memory, FakeClock()), LAYOUT, base=found.manifest)
    assert not built(bucket.memory).new


def test_a_missing_link_is_found_behind_a_snapshot(bucket: Bucket) -> None:
    before = built(bucket.memory).manifest
    gone = bucket.first.link(articles([30, 31]))
    beyond = bucket.first.link(articles([32, 33]))
    del bucket.memory.objects[gone]
    with pytest.raises(ChainError, match="is missing") as caught:
        average.compute(RetryingStore(bucket.memory, FakeClock()), LAYOUT, base=before)
    assert gone in str(caught.value)
    built(bucket.memory)
    ((key, problem),) = view(bucket.memory)["damaged"]
    assert key == beyond
    assert gone in problem


def test_a_chain_that_lags_behind_the_others_is_looked_at_too(bucket: Bucket) -> None:
    slow = Chain(bucket.memory, shard=name(2))
    slow.root()
    slow.link(articles([1]))
    before = built(bucket.memory).manifest
    gone = slow.link(articles([2]))
    slow.link(articles([3]))
    del bucket.memory.objects[gone]
    bucket.first.link(articles([30]), page="2025-06-20")
    with pytest.raises(ChainError, match="is missing"):
        average.compute(RetryingStore(bucket.memory, FakeClock()), LAYOUT, base=before)


def test_a_root_that_is_gone_is_told(bucket: Bucket) -> None:
    before = built(bucket.memory).manifest
    del bucket.memory.objects[LAYOUT.root_key(bucket.first.shard)]
    with pytest.raises(ChainError, match=r"is gone.*articles verify"):
        average.compute(RetryingStore(bucket.memory, FakeClock()), LAYOUT, base=before)
    with pytest.raises(ChainError, match=r"is gone.*articles verify"):
        built(bucket.memory)


def test_headers_alone_have_no_rows_until_a_whole_build(bucket: Bucket) -> None:
    built(bucket.memory, rows=False)
    assert not [key for key in bucket.memory.objects if "/catalog/rows/" in key]
    found = open_snapshot(RetryingStore(bucket.memory, FakeClock()), LAYOUT, None)
    assert [list(file.crcs) for file in found.files()] == [[]] * 4
    assert sum(sum(file.counts) for file in found.files()) == found.totals.records == 14
    with pytest.raises(UserError, match="articles catalog build"):
        list(found.rows([]))
    bucket.first.link(articles([30, 31]))
    assert built(bucket.memory).new
    whole = without_catalog(bucket.memory)
    built(whole)
    assert view(bucket.memory) == view(whole)
    with pytest.raises(UserError, match="without"):
        built(bucket.memory, rows=False)


def test_one_stream_goes_on_alone(bucket: Bucket) -> None:
    other = Chain(bucket.memory, shard=name(0, "Other"))
    other.root()
    other.link(articles([1, 2]))
    built(bucket.memory)
    other.link(articles([3]))
    bucket.first.link(articles([30]))
    found = built(bucket.memory, Selection(stream="Other")).manifest
    assert found.totals.records == 14 + 3
    assert str(found.chains[bucket.first.shard].state) == "15:0:2025-06-17"
    store = RetryingStore(bucket.memory, FakeClock())
    for selection in (
        Selection(),
        Selection(stream="Other"),
        Selection(stream="MyStream"),
        Selection(shard=name(0).shard),
    ):
        with_base = average.compute(store, LAYOUT, selection, base=found)
        assert with_base == average.compute(store, LAYOUT, selection)
    built(bucket.memory)
    whole = without_catalog(bucket.memory)
    built(whole)
    assert view(bucket.memory) == view(whole)


def test_a_shard_that_came_after_the_snapshot_is_counted(bucket: Bucket) -> None:
    before = built(bucket.memory).manifest
    third = Chain(bucket.memory, shard=name(2))
    third.root()
    third.link(articles([1, 2]))
    store = RetryingStore(bucket.memory, FakeClock())
    assert average.compute(store, LAYOUT, base=before) == average.compute(store, LAYOUT)


def test_possible_losses_are_found_over_several_builds() -> None:
    memory = MemoryStore()
    chain = Chain(memory)
    chain.root()
    chain.link([Article(1)])
    built(memory)
    chain.link([Article(2, arrival=MORNING + 3 * DAY)])
    found = built(memory).manifest
    assert [loss["code"] for loss in found.losses] == ["possible_loss"]
    chain.link([Article(3, arrival=MORNING + 3 * DAY)])
    assert built(memory).manifest.losses == found.losses


def test_requests_do_not_grow_with_the_links() -> None:
    def requests(links: int) -> Mapping[str, int]:
        memory = MemoryStore()
        for chain in (Chain(memory), last := Chain(memory, shard=name(1))):
            chain.root()
            for number in range(links):
                chain.link(articles([number + 1]))
        found = built(memory, rows=False).manifest
        last.link(articles([links + 1]))
        memory.log.clear()
        store = RetryingStore(memory, FakeClock())
        assert (
            average.compute(store, LAYOUT, base=base(memory)).total.objects == 2 * links + 1 == found.totals.links + 1
        )
        return {kind: len(memory.effects(kind)) for kind in ("head", "read", "list", "folders")}

    assert requests(10) == requests(100) == {"head": 3, "read": 1, "list": 3, "folders": 0}


class Forgetful(MemoryStore):
    """Keeps neither segments nor a log: only what the build holds is memory then."""

    def create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        return super().create(key, body if key.endswith(".json") or "/catalog/" not in key else b"", attributes)

    def _after(self, operation: str, key: str, detail: str) -> None:
        pass


def test_memory_does_not_grow_with_the_links(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segment, "LINKS", 100)

    def peak(links: int) -> int:
        memory = Forgetful()
        chain = Chain(memory)
        chain.root()
        for number in range(links):
            chain.link(articles([number + 1]))
        tracemalloc.start()
        try:
            built(memory)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    # A link held would be 800 bytes and more; how far threads are ahead differs: the better of two.
    assert min(peak(2500), peak(2500)) - peak(500) < 2000 * 300


def test_verify_holds_the_newest_snapshot_against_the_chains(bucket: Bucket) -> None:
    built(bucket.memory)
    bucket.first.link(articles([30]))
    assert bucket.check(SHALLOW).ok
    assert "10: the newest snapshot agrees with the chains" in bucket.check(SHALLOW).checked
    key = LAYOUT.snapshot_key(1)
    body = bucket.body(key)
    bucket.memory.objects[key].body = body.replace(b'"words": 19', b'"words": 20')
    assert errors(bucket.check(SHALLOW)) == {"snapshot"}
    assert "snapshot 1 has 3 files" in one(bucket.check(SHALLOW), "snapshot").message
    bucket.memory.objects[key].body = body.replace(b'"15:0:2025-06-17"', b'"14:0:2025-06-17"')
    assert "no link leads there" in one(bucket.check(SHALLOW), "snapshot").message
    bucket.memory.objects[key].body = b"{"
    assert "not a snapshot's manifest" in one(bucket.check(SHALLOW), "snapshot").message


@pytest.mark.parametrize("what", ["gone", "changed", "cut"])
def test_a_segment_that_is_not_whole_is_told(bucket: Bucket, what: str) -> None:
    built(bucket.memory)
    (key,) = [key for key in bucket.memory.objects if "/catalog/segments/" in key]
    if what == "gone":
        del bucket.memory.objects[key]
    elif what == "changed":
        bucket.alter(key, len(bucket.body(key)) - 30)
    else:
        bucket.memory.objects[key].body = bucket.body(key)[:-30]
    with pytest.raises(ChainError, match=key):
        keys(bucket)


def test_nothing_stored_is_told() -> None:
    memory = MemoryStore()
    with pytest.raises(UserError, match="no chain has begun"):
        built(memory)
    with pytest.raises(UserError, match="articles catalog build"):
        open_snapshot(RetryingStore(memory, FakeClock()), LAYOUT, None)
    with pytest.raises(UserError, match="no snapshot 7"):
        open_snapshot(RetryingStore(memory, FakeClock()), LAYOUT, 7)
