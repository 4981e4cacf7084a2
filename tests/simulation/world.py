"""A stream, its leases and its workers in one process, under a seeded schedule of faults.

The consumer is the real one (`consumer.shard.Shard`); the daemon, the lease table, the object store and the clock are
fakes. A worker may crash, or stop for a while (others run meanwhile, then it goes on as a zombie), at every single step
of I/O. Everything random comes from one seed.
"""

from __future__ import annotations

import io
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from articles.avro import read_container
from articles.chain import Link, Root, ShardName
from articles.clock import utc_date
from articles.container import read_header
from articles.errors import StoreUnavailable
from articles.keys import Layout
from articles.position import ZERO, Position
from articles.retry import RetryingStore
from consumer.checkpointing import CheckpointRefused
from consumer.enrich import WordCount
from consumer.exits import Leave
from consumer.lease_losses import LeaseLosses
from consumer.live import Live, Publisher
from consumer.logs import Log
from consumer.record import Record
from consumer.shard import Shard
from consumer.shard_config import ShardConfig
from tests.fakes import AFTER, FakeClock, MemoryStore

LAYOUT = Layout("p")
DAY = 86_400.0
RETENTION = 30 * DAY
SHARD_END = Position(10**56, 0, "SHARD_END")


class Crash(BaseException):
    """A worker is killed at a step of I/O."""


class Null(io.TextIOBase):
    def write(self, text: str) -> int:
        return len(text)


@dataclass
class StreamShard:
    """`visible` is the trim horizon: records before that index have expired."""

    name: ShardName
    parents: tuple[str, ...] = ()
    records: list[Record] = field(default_factory=list)
    visible: int = 0
    closed: bool = False


@dataclass
class Lease:
    checkpoint: Position | None = None
    owner: int = 0


@dataclass
class Instance:
    """A child process: the real consumer, and how far the daemon has fetched for it."""

    number: int
    application: int
    shard: StreamShard
    consumer: Shard
    cursor: Position
    alive: bool = True
    drops: frozenset[Position] = frozenset()

    @property
    def parked(self) -> str | None:
        return self.consumer._publisher.live.parked


class World:
    def __init__(self, seed: int, *, applications: int = 1, faults: bool = True) -> None:
        self.random = random.Random(seed)
        self.clock = FakeClock()
        self.store = MemoryStore()
        self.store.hook = self._step
        self.shards: dict[str, StreamShard] = {}
        self.leases: dict[tuple[int, str], Lease] = {}
        self.instances: list[Instance] = []
        self.running: list[Instance] = []  # the stack of instances inside a callback: all but the last are stopped
        self.applications = applications
        self.faults = faults
        self.expired: set[tuple[str, Position]] = set()
        self.stored: dict[str, list[Position]] = {}
        self.chain_end: dict[str, Position] = {}
        self.counts: Counter[str] = Counter()
        self._sequence = 49_000 + self.random.randrange(1000)
        self._numbers = 0
        for index in range(self.random.randint(1, 2)):
            self.add_shard(f"shardId-{index:012d}")

    # The stream

    def add_shard(self, shard_id: str, parents: tuple[str, ...] = ()) -> None:
        self.shards[shard_id] = StreamShard(ShardName("S-1", 1_700_000_000, shard_id), parents)
        for application in range(self.applications):
            self.leases[application, shard_id] = Lease()

    def put(self, shard: StreamShard, count: int) -> None:
        for _ in range(count):
            self._sequence += self.random.randint(1, 3)
            arrival = self._arrival()
            for sub in range(self.random.choice((1, 1, 1, 4))):
                position = Position.of(f"{self._sequence:06d}", sub)
                shard.records.append(Record(position, arrival, self._payload(position), "k"))

    def _arrival(self) -> int | None:
        chance = self.random.random()
        if chance < 0.02:
            return None
        if chance < 0.04:
            return int((self.clock.wall() + 40 * DAY) * 1000)
        return int((self.clock.wall() + self.random.uniform(-5, 5)) * 1000)

    def _payload(self, position: Position) -> bytes:
        if self.random.random() < 0.1:
            return b'{"article_id": 1}'
        return b'{"article_id":"%d","content":"%s"}' % (position.number, b"w " * (position.number % 7 + 1))

    def reshard(self) -> None:
        """Split one open shard, or merge two."""
        open_shards = [shard for shard in self.shards.values() if not shard.closed]
        parents = self.random.sample(open_shards, min(len(open_shards), self.random.randint(1, 2)))
        for parent in parents:
            parent.closed = True
        for _ in range(2 if len(parents) == 1 else 1):
            self.add_shard(f"shardId-{len(self.shards):012d}", tuple(p.name.shard for p in parents))

    def trim(self, shard: StreamShard) -> None:
        new = self.random.randint(shard.visible, len(shard.records))
        self.expired |= {(shard.name.shard, record.position) for record in shard.records[shard.visible : new]}
        shard.visible = new

    # Workers

    def ready(self, application: int, shard: StreamShard) -> bool:
        """KCL starts a child shard when its parents have ended."""
        if self.leases[application, shard.name.shard].checkpoint == SHARD_END:
            return False
        return all(self.leases[application, parent].checkpoint == SHARD_END for parent in shard.parents)

    def start(self, application: int, shard: StreamShard) -> Instance | None:
        """A new child takes the lease; whoever held it lives on as a zombie."""
        lease = self.leases[application, shard.name.shard]
        self._numbers += 1
        lease.owner = self._numbers
        worker = f"w{self.random.randint(1, 3)}"
        config = ShardConfig(
            layout=LAYOUT,
            shard=shard.name,
            worker=worker,
            start_mode="TRIM_HORIZON",
            stream_arn="arn",
            starting_sequence_number=None,
            retention_seconds=RETENTION,
            file_bytes=self.random.choice((300, 2000, 100_000)),
            file_seconds=self.random.choice((5.0, 60.0)),
            file_records=self.random.choice((2, 5, 100)),
            codec=self.random.choice(("null", "deflate", "zstandard")),
            idle_turn=True,
            deadline_seconds=30.0,
        )
        store = RetryingStore(self.store, self.clock, 30.0)
        log = Log("ERROR", Null())  # type: ignore[arg-type]
        publisher = Publisher(None, Live(shard.name.shard, worker, 0, 0.0))
        consumer = Shard(config, store, WordCount(), self.clock, log, publisher, LeaseLosses(None, shard.name.shard))
        dropped = [r.position for r in shard.records if r.position.sub and self.random.random() < 0.1]
        drops = frozenset(dropped) if self.faults and self.random.random() < 0.1 else frozenset()
        instance = Instance(self._numbers, application, shard, consumer, lease.checkpoint or ZERO, drops=drops)
        # What de-aggregation drops for one worker may never be seen by another: it is not owed.
        self.expired |= {(shard.name.shard, position) for position in drops}
        self.instances.append(instance)
        start = ("TRIM_HORIZON", 0)
        if lease.checkpoint:
            start = (lease.checkpoint.sequence, lease.checkpoint.sub)
        return instance if self.call(instance, "start", *start) else None

    def deliver(self, instance: Instance, most: int) -> None:
        shard = instance.shard
        waiting = [r for r in shard.records[shard.visible :] if r.position > instance.cursor]
        batch = [record for record in waiting[:most] if record.position not in instance.drops]
        last = waiting[:most][-1:]
        if last:
            instance.cursor = last[0].position
        behind = len(waiting) - len(last)
        self.call(instance, "process", batch, behind, FakeCheckpointer(self, instance))
        if shard.closed and not behind and instance.alive and self.random.random() < 0.7:
            self.end(instance)

    def end(self, instance: Instance) -> None:
        """What the daemon does at shard end; without its checkpoint it calls again, in a new child."""
        if any(record.position > instance.cursor for record in instance.shard.records[instance.shard.visible :]):
            return  # put while the last call ran
        if self.call(instance, "shard_ended", FakeCheckpointer(self, instance)):
            instance.alive = False

    def shutdown(self, instance: Instance) -> None:
        if self.call(instance, "shutdown_requested", FakeCheckpointer(self, instance)):
            self.call(instance, "lease_lost")
        instance.alive = False

    def call(self, instance: Instance, name: str, *arguments: object) -> bool:
        """One callback; False when the child did not survive it."""
        if not instance.alive or instance in self.running:
            return False
        self.running.append(instance)
        try:
            getattr(instance.consumer, name)(*arguments)
        except (Crash, Leave, StoreUnavailable) as end:
            self.counts[type(end).__name__] += 1
            instance.alive = False
        finally:
            self.running.pop()
        return instance.alive

    # Faults, at every step of I/O

    def _step(self, when: str, operation: str, key: str) -> None:
        if when == AFTER and operation == "create":
            self._note(key)
        if self.faults and self.running:
            self.disturb(f"{when} {operation}")

    def disturb(self, where: str) -> None:
        chance = self.random.random()
        if chance < 0.01:
            self.counts[f"crash {where}"] += 1
            raise Crash(where)
        if chance < 0.03:
            raise StoreUnavailable(f"lost {where}")
        if chance < 0.06 and len(self.running) < 3:
            self.counts["stopped"] += 1
            for _ in range(self.random.randint(1, 6)):  # stopped here: the world goes on
                self.act()

    def act(self) -> None:
        """Something happens."""
        chance = self.random.random()
        shard = self.random.choice(list(self.shards.values()))
        if chance < 0.25 and not shard.closed:
            self.put(shard, self.random.randint(1, 12))
        elif chance < 0.33:
            self.clock.turn(self.random.choice((1.0, 10.0, 100.0, 2000.0)))
        elif chance < 0.35:
            self.clock.turn(self.random.choice((0.3, 1.0)) * DAY)
        elif chance < 0.36 and self.faults:
            self.trim(shard)
        elif chance < 0.37 and len(self.shards) < 6:
            self.reshard()
        elif chance < 0.45:
            application = self.random.randrange(self.applications)
            if self.ready(application, shard):
                self.start(application, shard)
        elif alive := [one for one in self.instances if one.alive and one not in self.running]:
            instance = self.random.choice(alive)
            if chance < 0.47:
                self.shutdown(instance)
            elif chance < 0.5:
                for _ in range(17):
                    self.deliver(instance, 3)
            else:
                self.deliver(instance, self.random.choice((1, 3, 10, 50)))

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.act()

    def drain(self) -> None:
        """No faults any more: everything that is there is read to its end."""
        self.faults = False
        self.store.list_lag = 0
        for instance in self.instances:
            instance.alive = False
        for application in range(self.applications):
            for shard in self.shards.values():  # in the order they came: parents first
                self.clock.turn(1.0)
                if not self.ready(application, shard):
                    continue
                last = self.start(application, shard)
                assert last is not None, f"{shard.name} does not start"
                while any(r.position > last.cursor for r in shard.records[shard.visible :]):
                    self.deliver(last, 100)
                    assert last.alive or shard.closed
                if shard.closed and last.alive:
                    self.end(last)
                elif last.alive:
                    self.shutdown(last)

    # What is stored

    def _note(self, key: str) -> None:
        """A link was created: what it holds, and where its chain ends now."""
        if LAYOUT.parse_link(key) and key not in self.stored:
            body = self.store.objects[key].body
            link = Link.from_metadata(key, read_header(body).metadata)
            shard = link.shard.shard
            self.stored[key] = list(self._positions(link, body))
            self.chain_end[shard] = max(self.chain_end.get(shard, ZERO), link.after.position)

    def _positions(self, link: Link, body: bytes) -> Iterator[Position]:
        for record in read_container(io.BytesIO(body)):
            yield Position.of(record["sequence_number"], record["sub_sequence_number"])
        if link.dead_letter_key:
            for record in read_container(io.BytesIO(self.store.objects[link.dead_letter_key].body)):
                yield Position.of(record["sequence_number"], record["sub_sequence_number"])

    def check(self) -> None:
        """The invariants; AssertionError says which."""
        held: Counter[tuple[str, Position]] = Counter()
        lines = 0
        for shard_id, shard in self.shards.items():
            lines += self._check_line(shard)
            for key, positions in self.stored.items():
                parsed = LAYOUT.parse_link(key)
                if parsed and parsed.shard == shard.name:
                    held.update((shard_id, position) for position in positions)
        assert lines == len(self.stored), "a link lies outside its chain's line"
        put = {(s, r.position) for s, shard in self.shards.items() for r in shard.records}
        repeated = {one for one, times in held.items() if times > 1}
        assert not repeated, f"stored more than once: {sorted(repeated)[:3]}"
        waiting = self._behind_a_parked_end()
        lost = {(shard, position) for shard, position in put - set(held) - self.expired if shard not in waiting}
        assert not lost, f"lost: {sorted(lost)[:3]} of {len(put)}"
        assert set(held) <= put

    def _behind_a_parked_end(self) -> set[str]:
        """Shards that an operator must let go on: a record that was taken apart for one worker alone lay beyond the
        end that another had written, so the shard was parked, and its children wait on the stream."""
        waiting: set[str] = set()
        for shard_id, shard in self.shards.items():  # parents first
            last = next((one for one in reversed(self.instances) if one.shard is shard), None)
            reason = last.parked if last else None
            if reason and "beyond the end" in reason:
                assert any(one.drops for one in self.instances if one.shard is shard), reason
                waiting.add(shard_id)
            elif waiting.intersection(shard.parents):
                waiting.add(shard_id)
        return waiting

    def _check_line(self, shard: StreamShard) -> int:
        """Walk one chain through the raw objects; returns how many links it has."""
        roots = [
            key for key in self.store.keys(LAYOUT.roots) if (p := LAYOUT.parse_root(key)) and p.shard == shard.name
        ]
        assert len(roots) <= 1
        if not roots:
            return 0
        state = Root.from_json(roots[0], shard.name, self.store.objects[roots[0]].body).state
        links = 0
        while not state.ended and (stored := self.store.objects.get(LAYOUT.link_key(shard.name, state))):
            key = LAYOUT.link_key(shard.name, state)
            link = Link.from_metadata(key, read_header(stored.body).metadata)
            positions = self.stored[key]
            good = list(read_container(io.BytesIO(stored.body)))
            assert link.before == state
            assert all(state.position < p <= link.after.position for p in positions)
            assert link.totals.records == len(positions)
            assert (
                link.totals.words == sum(len(r["content"].split()) for r in good) == sum(r["word_count"] for r in good)
            )
            order = [Position.of(r["sequence_number"], r["sub_sequence_number"]) for r in good]
            assert order == sorted(set(order)), "positions do not increase inside an object"
            arrivals = [r["arrival_timestamp"] for r in good if r["arrival_timestamp"]]
            assert all(utc_date(a.timestamp()) <= state.page or a.timestamp() > self.clock.wall() for a in arrivals)
            state = link.after
            links += 1
        ended = [app for app in range(self.applications) if self.leases[app, shard.name.shard].checkpoint == SHARD_END]
        assert state.ended or not ended, "SHARD_END without the END link"
        return links


class FakeCheckpointer:
    def __init__(self, world: World, instance: Instance) -> None:
        self._world = world
        self._instance = instance

    def checkpoint(self, sequence_number: str, sub_sequence_number: int) -> None:
        self._write(Position.of(sequence_number, sub_sequence_number))

    def end_shard(self) -> None:
        self._write(SHARD_END)

    def _write(self, position: Position) -> None:
        world, one = self._world, self._instance
        lease = world.leases[one.application, one.shard.name.shard]
        if world.faults:
            world.disturb("before checkpoint")
        if lease.owner != one.number:
            raise CheckpointRefused("ShutdownException")
        if world.faults and world.random.random() < 0.05:
            raise CheckpointRefused("ThrottlingException")
        end = world.chain_end.get(one.shard.name.shard, ZERO)
        assert position != ZERO
        assert position == SHARD_END or position <= end, f"checkpoint {position} is past the chain's end {end}"
        known = {record.position: record.position.sequence for record in one.shard.records}
        assert position == SHARD_END or known[position] == position.sequence, "re-formatted"
        assert lease.checkpoint is None or position >= lease.checkpoint, "a checkpoint went back"
        lease.checkpoint = position
        if world.faults:
            if world.random.random() < 0.05:
                raise CheckpointRefused("KinesisClientLibDependencyException")
            world.disturb("after checkpoint")
