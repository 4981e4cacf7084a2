"""What the watch of a chaos run notices at a look, over chains that are made by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest

from articles.aws import Lease, Shard, StreamIdentity
from articles.keys import Layout
from articles.retry import RetryingStore
from local.chains import Chains
from local.chaos import chain_watch
from local.chaos.chain_watch import ChainWatch
from local.chaos.watch import Sources
from tests.articles.builder import CREATED, STREAM, Chain, articles, name
from tests.fakes import FakeClock, MemoryStore

SHARDS = [name(number).shard for number in range(3)]


class Looked(ChainWatch):
    """Sees the stream and the bucket that the test made."""

    def __init__(self, world: World) -> None:
        identity = StreamIdentity("arn", STREAM, CREATED, 24, "ACTIVE")
        sources = Sources(None, None, None, identity, "bucket", "table", lambda: world.put, dict)
        chains = Chains(RetryingStore(world.store, FakeClock()), Layout("articles"), ())
        super().__init__(sources, world.told.append, chains)
        self._world = world

    def look_at_stream(self) -> None:
        self.shards = {
            shard: Shard(shard, tuple(self._world.parents.get(shard, ())), "1", None, "0", "1") for shard in SHARDS
        }
        self.leases = {lease.key: lease for lease in self._world.leases}

    def is_due(self, what: str, every: float) -> bool:
        return True

    def keys(self, prefix: str = "", after: str = "") -> Iterator[tuple[str, str]]:
        return ((key, str(hash(stored.body))) for key, stored in self._world.store.objects.items())


@dataclass
class World:
    store: MemoryStore = field(default_factory=MemoryStore)
    leases: list[Lease] = field(default_factory=list)
    parents: dict[str, list[str]] = field(default_factory=dict)
    put: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def chain(self, number: int) -> Chain:
        chain = Chain(self.store, shard=name(number))
        chain.root()
        return chain


def lease(shard: str, checkpoint: str, sub: int = 0) -> Lease:
    return Lease(shard, checkpoint, sub, "worker-1", 1, (), 0)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def watch(world: World) -> Looked:
    return Looked(world)


def broken(watch: Looked) -> set[int]:
    watch.look()
    return {number for number, _ in watch.problems}


def test_it_follows_what_is_stored(world: World, watch: Looked) -> None:
    chain = world.chain(0)
    chain.link(articles(range(1, 6)))
    world.put[SHARDS[0]] = 7
    assert broken(watch) == set()
    assert watch.stored() == (5, 1)
    assert watch.behind() == 2
    before = watch.at(SHARDS[0])
    chain.link(articles(range(6, 8)))
    assert broken(watch) == set()
    assert watch.at(SHARDS[0]) != before
    assert watch.behind() == 0


def test_a_lease_may_reach_the_end_of_its_chain_and_not_pass_it(world: World, watch: Looked) -> None:
    world.chain(0).link(articles(range(1, 6)))
    world.leases = [lease(SHARDS[0], "5"), lease(SHARDS[1], "TRIM_HORIZON")]
    assert broken(watch) == set()
    world.leases = [lease(SHARDS[0], "5", 1)]
    assert broken(watch) == {4}
    assert world.told == [f"INVARIANT 4: the lease of {SHARDS[0]} is at 5:1, its chain at {watch.at(SHARDS[0])}"]


def test_a_lease_without_a_chain_has_no_checkpoint(world: World, watch: Looked) -> None:
    world.leases = [lease(SHARDS[2], "1")]
    assert broken(watch) == {4}


def test_a_lease_ends_after_its_chain(world: World, watch: Looked) -> None:
    chain = world.chain(0)
    chain.link(articles(range(1, 6)))
    world.leases = [lease(SHARDS[0], "SHARD_END")]
    assert broken(watch) == {4}
    chain.end()
    watch.problems.clear()
    assert broken(watch) == set()


def test_a_child_begins_after_its_parents_have_ended(world: World, watch: Looked) -> None:
    parent, child = world.chain(0), world.chain(1)
    parent.link(articles(range(1, 6)))
    world.parents = {SHARDS[1]: [SHARDS[0]]}
    assert broken(watch) == set(), "a root alone is no beginning"
    child.link(articles(range(10, 12)))
    assert broken(watch) == {8}


def test_a_child_may_begin_right_after_its_parents_end(world: World, watch: Looked) -> None:
    parent, child = world.chain(0), world.chain(1)
    parent.end()
    child.link(articles(range(10, 12)))
    world.parents = {SHARDS[1]: [SHARDS[0]]}
    assert broken(watch) == set()


@pytest.mark.parametrize("change", ["altered", "gone"])
def test_an_object_never_changes(world: World, watch: Looked, change: str) -> None:
    chain = world.chain(0)
    key = chain.link(articles(range(1, 6)))
    assert broken(watch) == set()
    if change == "gone":
        del world.store.objects[key]
    else:
        world.store.objects[key].body += b"!"
    assert broken(watch) == {7}


def test_what_rests_is_told_once(world: World, watch: Looked, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("local.chaos.chain_watch.time.monotonic", lambda: now[0])
    world.chain(0).link(articles(range(1, 6)))
    world.put[SHARDS[0]] = 6
    world.leases = [replace(lease(SHARDS[0], "3"), handed_by="worker-2")]
    watch.look()
    for _ in range(3):
        now[0] += chain_watch.REST_SECONDS / 2 + 1
        watch.look()
    assert len(world.told) == 3
    assert "the chain" in world.told[0]
    assert "while 1 records wait" in world.told[0]
    assert "the lease" in world.told[1]
    assert "the handing over" in world.told[2]
    assert "by worker-2" in world.told[2]
    assert watch.longest_rest > chain_watch.REST_SECONDS
    assert not watch.problems, "nothing is lost by that"
