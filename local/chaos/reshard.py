"""What the nemesis does to the stream: shards split and merge while records flow."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from articles.aws import Shard, translated
from articles.errors import UserError
from local.chaos.nemesis import Act, Deck, Impossible, Steps
from local.chaos.world import NAME, World, pick, until

LEAST_OPEN, MOST_OPEN = 2, 6
STORED_SECONDS = 60.0


def split_one(world: World, draw: Random) -> Steps:
    there = world.watch.open_shards()
    if len(there) >= MOST_OPEN:
        raise Impossible
    shard = pick(draw, there)
    return (yield from _watched(world, [shard.id], split(world, shard.id)))


def merge_two(world: World, draw: Random) -> Steps:
    there = sorted(world.watch.open_shards(), key=lambda shard: int(shard.starting_hash))
    if len(there) <= LEAST_OPEN:
        raise Impossible
    left, right = pick(draw, list(pairwise(there)))
    with translated("kinesis", f"merging {left.id} and {right.id}"):
        world.kinesis.merge_shards(StreamName=NAME, ShardToMerge=left.id, AdjacentShardToMerge=right.id)
    return (yield from _watched(world, [left.id, right.id], f"{left.id} and {right.id} merge"))


def split(world: World, shard_id: str) -> str:
    """In the middle; what was done, in words. Raises Impossible for a shard that is closed by now."""
    shard: Shard | None = next((shard for shard in world.watch.open_shards() if shard.id == shard_id), None)
    if shard is None:
        raise Impossible
    middle = (int(shard.starting_hash) + int(shard.ending_hash) + 1) // 2
    try:
        with translated("kinesis", f"splitting {shard_id}"):
            world.kinesis.split_shard(StreamName=NAME, ShardToSplit=shard_id, NewStartingHashKey=str(middle))
    except UserError as error:
        raise Impossible from error
    return f"{shard_id} splits"


def _watched(world: World, closed: list[str], said: str) -> Steps:
    took = yield from until(lambda: all(map(world.watch.ended, closed)), STORED_SECONDS, said)
    return f"not ended within {STORED_SECONDS:.0f} s" if took is None else f"ended after {took:.1f} s"


STREAM: Deck[World] = Deck("stream", [Act("split", split_one), Act("merge", merge_two)], (6.0, 30.0))
