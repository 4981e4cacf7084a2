"""A stream, its leases and its workers in one process, under a seeded schedule of faults.

The consumer is the real one (`consumer.shard.Shard`); the daemon, the lease table, the object store and the clocks are
fakes. What happens is drawn in `acts`, what strikes at each step of I/O in `faults`.

Everything random, the consumer's own pauses too, comes from the module `random`, which `Schedule` seeds.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from random import choice, randint, random, uniform
from typing import Final

from articles.errors import StoreError
from articles.retry import RetryingStore
from consumer import open_file
from consumer.enrich import WordCount
from consumer.exits import Leave
from consumer.lease_losses import LeaseLosses
from consumer.live import Live, Publisher
from consumer.logs import Log
from consumer.shard import Shard
from consumer.shard_config import ShardConfig
from tests.simulation.acts import Acts
from tests.simulation.bucket import Bucket, Put
from tests.simulation.chains import LAYOUT, Chains
from tests.simulation.daemon import SHARD_END, Child, FakeCheckpointer, Later, Lease, Time, WorkerClock
from tests.simulation.faults import Crash, Faults
from tests.simulation.stream import DAY, At, Stream, StreamShard
from tests.simulation.violation import UNEXPECTED, Violation

RETENTION = 30 * DAY
WORKERS = ("w1", "w2", "w3")
CUTS = ((500, 100), (3000, 100), (100_000, 4), (100_000, 25), (100_000, 100))
"""Bytes and records at which a file is cut."""
_ZEROS: Final = re.compile("0{9,}")


class NewWordCount(WordCount):
    """The next version of the software: it counts the same, and says so under another name."""

    version = "word-count-2"


class Events(Log):
    """The consumer's log, counted; nothing is formatted unless a history is kept."""

    def __init__(self, world: World) -> None:
        super().__init__("INFO", io.StringIO())
        self._world = world

    def _write(self, level: str, event: str, fields: dict[str, object]) -> None:
        self._world.counts[event] += 1
        if self._world.history is not None:
            self._world.tell("{} {}", event, " ".join(f"{name}={value}" for name, value in fields.items()))


class World:
    def __init__(self) -> None:
        self.time = Time()
        self.faults = Faults(self)
        self.acts = Acts(self)
        self.clocks = {worker: WorkerClock(self.time) for worker in WORKERS}
        self.chains = Chains()
        self.bucket = Bucket(self.faults.store_step, self._written)
        self.bucket.hidden = randint(1, 3) if random() < 0.2 else 0
        self.applications = 2 if random() < 0.25 else 1
        self.stream = Stream(randint(1, 2), odd=random() < 0.3)
        self.leases: dict[tuple[int, str], Lease] = {}
        self.children: list[Child] = []
        self.running: list[Child] = []
        """Inside a callback, each stopped but the last."""
        self.drops = random() < 0.1
        self.on_the_way: list[Put] = []
        """Requests whose senders have given up, or died."""
        self.counts: Counter[str] = Counter()
        self.history: list[str] | None = None
        self._numbers = 0

    def tell(self, text: str, *values: object) -> None:
        """A line of the history, where one is kept: what happened, inside which callback of whom."""
        if self.history is not None:
            who = "".join(f"{child} " for child in self.running[-1:])
            indent = "  " * len(self.running)
            line = f"{self.time.monotonic - 1000:9.1f} s {indent}{who}{text.format(*values)}"
            self.history.append(_ZEROS.sub("0..", line))

    def put(self, shard: StreamShard, count: int) -> None:
        self.chains.line(shard)
        self.stream.put(shard, count, self.time.wall)
        self.tell("{} put into {} up to {}", count, shard.key, shard.at[-1])

    def lease(self, application: int, shard: StreamShard) -> Lease:
        return self.leases.setdefault((application, shard.key), Lease())

    def ready(self, application: int, shard: StreamShard) -> bool:
        """KCL starts a child shard when its parents have ended."""
        if self.lease(application, shard).checkpoint is SHARD_END:
            return False
        return all(self.lease(application, parent).checkpoint is SHARD_END for parent in shard.parents)

    def start(self, application: int, shard: StreamShard) -> Child | None:
        """A new child takes the lease; whoever held it lives on as a zombie."""
        lease = self.lease(application, shard)
        child = self.child(application, shard, lease)
        lease.owner = child.number
        at = lease.checkpoint
        self.tell("{} starts {} at {}", child, shard.key, at)
        begun = ("TRIM_HORIZON", 0) if at is None else (at.sequence, at.sub)
        return child if self.call(child, "start", *begun) else None

    def child(self, application: int, shard: StreamShard, lease: Lease) -> Child:
        self._numbers += 1
        worker = choice(WORKERS)
        clock = self.clocks[worker]
        if abs(clock.wrong) > 300:
            clock.wrong = uniform(-300, 300)  # the launcher refuses more
        drops: frozenset[At] = frozenset()
        line = self.chains.line(shard)
        if self.drops and self.faults.on and random() < 0.3:
            # What one worker's de-aggregation drops, another may never see: it is not owed.
            drops = frozenset(at for at in shard.at if at[1] and at > line.at and random() < 0.2)
            shard.excused |= drops
        at = lease.checkpoint
        child = Child(
            self._numbers,
            shard,
            application,
            lease,
            worker,
            shard.after((at.number, at.sub)) if at else 0,
            choice((150, 1000, 64 << 10)),
            dict(line.by_worker.get(worker, {})),
            drops,
        )
        child.consumer = self._consumer(child, clock)
        self.children.append(child)
        return child

    def _consumer(self, child: Child, clock: WorkerClock) -> Shard:
        name, worker = child.shard.name, child.worker
        file_bytes, file_records = choice(CUTS)
        config = ShardConfig(
            layout=LAYOUT,
            shard=name,
            worker=worker,
            start_mode="TRIM_HORIZON",
            stream_arn="arn",
            starting_sequence_number=None,
            retention_seconds=RETENTION,
            file_bytes=file_bytes,
            file_seconds=choice((5.0, 60.0)),
            file_records=file_records,
            codec=choice(("null", "deflate", "zstandard")),
            idle_turn=True,
            deadline_seconds=30.0,
        )
        store = RetryingStore(self.bucket, clock, 30.0)
        enrich = NewWordCount() if random() < 0.3 else WordCount()
        publisher = Publisher(None, Live(name.shard, worker, 0, 0.0))
        losses = LeaseLosses(None, name.shard)
        return Shard(config, store, enrich, clock, Events(self), publisher, losses, partial(Later, self, child))

    def deliver(self, child: Child, most: int) -> None:
        """The next batch, once fetched; now and then the last one again."""
        if not child.alive or child in self.running:
            return
        if self.faults.on and child.last and random() < 0.02:
            self.call(child, "process", child.last, 0, FakeCheckpointer(self, child))
            return
        if not child.queue:
            child.fetch(most)
        batch, behind = child.queue.popleft()
        child.last = batch
        self.tell("{} gets {} records, {} ms behind", child, len(batch), behind)
        survived = self.call(child, "process", batch, behind, FakeCheckpointer(self, child))
        if child.shard.closed and survived and child.read_all and random() < 0.7:
            self.end(child)

    def end(self, child: Child) -> None:
        """Shard end: the consumer must checkpoint it, or the daemon waits for ever."""
        if not child.read_all:
            return  # put while the last call ran
        ended = self.call(child, "shard_ended", FakeCheckpointer(self, child))
        lease = child.lease
        if not ended or child.parked:
            return
        child.alive = False
        # A lease that was damaged meanwhile is read again by the next child.
        if lease.owner == child.number and lease.checkpoint is not SHARD_END and not self.counts["lease damage"]:
            raise Violation(9, f"{child.shard.key} has ended, and its lease does not say so")

    def shutdown(self, child: Child) -> bool:
        """Whether the child went through with it."""
        orderly = self.call(child, "shutdown_requested", FakeCheckpointer(self, child))
        if orderly:
            self.call(child, "lease_lost")
        child.alive = False
        return orderly

    def lose_lease(self, child: Child) -> None:
        self.call(child, "lease_lost")
        if random() < 0.5:  # the process ends a moment later
            self.run(child, self.run_threads)
        child.alive = False

    def call(self, child: Child, name: str, *arguments: object) -> bool:
        """One callback; False when the child did not survive it. A child may park only over what another one's
        end has left out."""
        survived = self.run(child, getattr(child.consumer, name), *arguments)
        reason = child.parked
        if survived and reason and not (child.shard.excused and "beyond the end of the chain" in reason):
            raise Violation(9, f"parked: {reason}")
        return survived

    def run_threads(self) -> None:
        for work in list(self.running[-1].threads):
            if not work.done():
                work.run()

    def run(self, child: Child, what: Callable[..., None], *arguments: object) -> bool:
        if not child.alive or child in self.running:
            return False
        globals_of_file = vars(open_file)
        block_bytes = globals_of_file["BLOCK_BYTES"]
        globals_of_file["BLOCK_BYTES"] = child.block_bytes
        self.running.append(child)
        try:
            what(*arguments)
        except (Crash, Leave, StoreError) as end:
            self.counts[type(end).__name__] += 1
            self.tell("leaves: {!r}", end)
            child.alive = False
        except Violation:
            raise
        except Exception as error:
            raise Violation(UNEXPECTED, f"{type(error).__name__}: {error}") from error
        finally:
            self.running.pop()
            globals_of_file["BLOCK_BYTES"] = block_bytes
        return child.alive

    def _written(self, key: str, body: bytes, attributes: Mapping[str, str], replaced: bool) -> None:
        self.tell("writes {} ({} bytes) {}", key, len(body), attributes.get("after", ""))
        self.chains.written(key, body, attributes, replaced)
