from __future__ import annotations

import json
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.errors import UserError
from articles.training.adapters.buckets import Buckets, cut
from articles.training.reading import Sample
from tests.training.adapters.stored import TOTAL, opened

SMALL = st.integers(1, 7)


def ids(batches: list[list[Sample]]) -> list[list[str]]:
    return [[sample["article_id"] for sample in batch] for batch in batches]


@given(batch=SMALL, pool=SMALL, world=st.integers(1, 3), shuffle=st.booleans())
def test_every_sample_comes_once(uri: str, batch: int, pool: int, world: int, shuffle: bool) -> None:
    seen: Counter[str] = Counter()
    for rank in range(world):
        dataset = opened(uri, shuffle=shuffle, rank=rank, world_size=world)
        buckets = Buckets(dataset, batch, pool=pool)
        batches = ids(list(buckets))
        assert len(batches) == len(buckets)
        assert sum(len(one) < batch for one in batches) <= 1
        seen.update(one for found in batches for one in found)
    assert len(seen) == TOTAL
    assert set(seen.values()) == {1}


@given(batch=SMALL, pool=SMALL, stop=st.integers(0, TOTAL), shuffle=st.booleans(), rank=st.integers(0, 1))
def test_it_resumes_at_the_next_batch(uri: str, batch: int, pool: int, stop: int, shuffle: bool, rank: int) -> None:
    def made() -> Buckets:
        return Buckets(opened(uri, shuffle=shuffle, rank=rank, world_size=2), batch, pool=pool)

    buckets = made()
    buckets.set_epoch(3)
    whole = ids(list(buckets))
    iterator = iter(buckets)
    for _, _ in zip(range(min(stop, len(whole))), iterator, strict=False):
        pass
    state = json.loads(json.dumps(buckets.state_dict()))
    resumed = made()
    resumed.load_state_dict(state)
    assert json.loads(json.dumps(resumed.state_dict())) == state
    assert ids(list(resumed)) == whole[stop:]
    assert ids(list(resumed)) == whole, "the next pass is whole"


@given(batch=SMALL, pool=SMALL, stop=st.integers(0, TOTAL))
def test_what_cannot_be_read_is_left_out(uri_with_gaps: str, batch: int, pool: int, stop: int) -> None:
    dataset = opened(uri_with_gaps, shuffle=True, tolerate=1)
    there = sorted(sample["article_id"] for sample in dataset)
    buckets = Buckets(dataset, batch, pool=pool)
    found = ids(list(islice(buckets, stop)))
    resumed = Buckets(opened(uri_with_gaps, shuffle=True, tolerate=1), batch, pool=pool)
    resumed.load_state_dict(buckets.state_dict())
    found += ids(list(resumed))
    assert sorted(one for batch in found for one in batch) == there


def test_an_epoch_shuffles_the_batches_too(uri: str) -> None:
    buckets = Buckets(opened(uri), 4, pool=100)
    first = ids(list(buckets))
    buckets.set_epoch(1)
    second = ids(list(buckets))
    assert first != second
    assert sorted(first) == sorted(second), "one pool holds all of them"


def test_a_pass_that_was_left_is_forgotten(uri: str) -> None:
    buckets = Buckets(opened(uri), 2, pool=5)
    whole = ids(list(buckets))
    next(iter(buckets))
    assert ids(list(buckets)) == whole


def test_lengths_in_a_batch_are_close(uri: str) -> None:
    batches = list(Buckets(opened(uri, shuffle=True), 4, pool=100))
    spread = [max(counts) - min(counts) for counts in ([one["word_count"] for one in batch] for batch in batches)]
    assert max(spread) <= 4, "106 articles have 1 to 41 words"
    longest = [max(one["word_count"] for one in batch) for batch in batches]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


def test_between_pools_a_state_is_good_for_any_world_size(uri: str) -> None:
    buckets = Buckets(opened(uri, rank=0, world_size=2), 3, pool=4)
    iterator = iter(buckets)
    for _ in range(4):
        next(iterator)
    between = buckets.state_dict()
    next(iterator)
    inside = buckets.state_dict()
    found = []
    for rank in range(3):
        other = Buckets(opened(uri, rank=rank, world_size=3), 2, pool=2)
        with pytest.raises(UserError, match="inside a pool of batch_size 3, not 2, batches 4, not 2, world_size 2"):
            other.load_state_dict(inside)
        other.load_state_dict(between)
        found += [one for batch in ids(list(other)) for one in batch]
    order = [sample["article_id"] for sample in opened(uri)]
    assert sorted(found) == sorted(order[2 * 4 * 3 :])


def test_another_key_decides(uri: str) -> None:
    dataset = opened(uri, fields=("content",))
    with pytest.raises(UserError, match="word_count among its fields"):
        Buckets(dataset, 4)
    batches = list(Buckets(dataset, 4, pool=100, key=lambda sample: len(sample["content"])))
    assert max(len(batch[-1]["content"]) - len(batch[0]["content"]) for batch in batches) <= 4 * len("word ")


def test_a_pool_is_cut_the_same_everywhere() -> None:
    pool = [{"n": n} for n in (5, 3, 4, 1, 2)]
    assert cut(pool, 2, lambda sample: sample["n"], "0/0/0") == [[{"n": 5}], [{"n": 3}, {"n": 4}], [{"n": 1}, {"n": 2}]]


@pytest.mark.parametrize("batch, pool", [(0, 1), (1, 0)])
def test_sizes_are_positive(uri: str, batch: int, pool: int) -> None:
    with pytest.raises(UserError, match="both are one or more"):
        Buckets(opened(uri), batch, pool=pool)
