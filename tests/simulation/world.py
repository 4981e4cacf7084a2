"""A stream, its leases and its workers in one process, under a seeded schedule of faults.

The consumer is the real one (`consumer.shard.Shard`); the daemon, the lease table, the object store and the clocks are
fakes. At every step of I/O a worker may crash, lose the answer, wait, lose its lease while it lives on, or stop: then
the world goes on without it, and it comes back as a zombie.

Everything random, the consumer's own pauses too, comes from the module `random`, which `Schedule` seeds.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import choice, randint, random, uniform
from typing import Final

from articles.errors import StoreError, StoreRefused, StoreUnavailable
from articles.retry import RetryingStore
from consumer import open_file
from consumer.enrich import WordCount
from consumer.exits import Leave
from consumer.lease_losses import LeaseLosses
from consumer.live import Live, Publisher
from consumer.logs import Log
from consumer.shard import Shard
from consumer.shard_config import ShardConfig
from tests.simulation.bucket import STEPS, Bucket, Put
from tests.simulation.chains import LAYOUT, Chains
from tests.simulation.daemon import QUEUE, SHARD_END, Child, Error, FakeCheckpointer, Later, Lease, Time, WorkerClock
from tests.simulation.stream import DAY, At, Stream, StreamShard
from tests.simulation.violation import UNEXPECTED, Violation

RETENTION = 30 * DAY
WORKERS = ("w1", "w2", "w3")
CUTS = ((500, 100), (3000, 100), (100_000, 4), (100_000, 25), (100_000, 100))
"""Bytes and records at which a file is cut."""
STRIKES = 0.09
"""At which part of all steps something strikes."""
NESTED = 3
"""How many stopped workers, one inside the other, a schedule may have."""
MOST_STEPS = 20_000
_ZEROS: Final = re.compile("0{9,}")


class Crash(BaseException):
    """A worker is killed at a step of I/O."""


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
        self.clocks = {worker: WorkerClock(self.time) for worker in WORKERS}
        self.chains = Chains()
        self.bucket = Bucket(self._store_step, self._written)
        self.bucket.hidden = randint(1, 3) if random() < 0.2 else 0
        self.applications = 2 if random() < 0.25 else 1
        self.stream = Stream(randint(1, 2), odd=random() < 0.3)
        self.leases: dict[tuple[int, str], Lease] = {}
        self.children: list[Child] = []
        self.running: list[Child] = []
        """Inside a callback, each stopped but the last."""
        self.faults = True
        self.calm = False
        self.drops = random() < 0.1
        self.operations = [what for what, often in self._operations() if random() < often]
        self.weak_spot = choice(STEPS)
        """Where this schedule's workers crash most."""
        self.on_the_way: list[Put] = []
        """Requests whose senders have given up, or died."""
        self.counts: Counter[str] = Counter()
        self.steps = 0
        self.history: list[str] | None = None
        self._store_down = self._throttled = 0.0  # until then, monotonic
        self._numbers = 0

    def _operations(self) -> Sequence[tuple[Callable[[StreamShard], None], float]]:
        """What may happen to the stream, the leases and the clocks, and in which part of all schedules."""
        return (
            (self.reshard, 0.75),
            (self.trim, 0.4),
            (self.jump, 0.2),
            (self.damage_leases, 0.2),
            (self.recreate, 0.1),
        )

    def tell(self, text: str, *values: object) -> None:
        """A line of the history, where one is kept: what happened, inside which callback of whom."""
        if self.history is not None:
            who = "".join(f"{child} " for child in self.running[-1:])
            indent = "  " * len(self.running)
            line = f"{self.time.monotonic - 1000:9.1f} s {indent}{who}{text.format(*values)}"
            self.history.append(_ZEROS.sub("0..", line))

    # What happens

    def act(self) -> None:
        if self.on_the_way and random() < 0.1:
            self.land()
        chance = random()
        shard = choice(self.stream.live)
        if chance < 0.22:
            if not shard.closed:
                self.put(shard, choice((1, 2, 3, 4, 12)))
        elif chance < 0.30:
            self.time.turn(choice((1.0, 10.0, 100.0, 2000.0)))
        elif chance < 0.32:
            self.time.turn(choice((0.3, 1.0)) * DAY)
        elif chance < 0.36:
            self._operate(shard)
        elif chance < 0.43:
            application = randint(0, self.applications - 1)
            if self.ready(application, shard):
                self.start(application, shard)
        elif alive := [child for child in self.children if child.alive and child not in self.running]:
            self._daemon_acts(choice(alive))

    def land(self) -> None:
        """A request reaches S3 late."""
        put = self.on_the_way.pop()
        self.tell("the late request for {} arrives", put[0])
        if self.bucket.land(put):
            self.counts["late puts"] += 1

    def _operate(self, shard: StreamShard) -> None:
        """Rare things, each in some schedules only."""
        if self.operations and random() < 0.7:
            choice(self.operations)(shard)

    def reshard(self, _shard: StreamShard) -> None:
        if len(self.stream.live) < 6 and self.stream.reshard():
            self.counts["reshards"] += 1
            self.tell("the stream was split or merged")

    def _daemon_acts(self, child: Child) -> None:
        if child.threads and random() < 0.5:
            self._call(child, self._run_threads)
        chance = random()
        if chance < 0.04:
            self.shutdown(child)
        elif chance < 0.08:
            for _ in range(17):
                self.deliver(child, 3)
        elif chance < 0.12:
            self.night(child)
        elif chance < 0.2:
            for _ in range(randint(1, QUEUE - len(child.queue)) if len(child.queue) < QUEUE else 0):
                child.fetch(choice((1, 3, 10)))
        elif chance < 0.24 and child.lease.owner != child.number:
            self.lose_lease(child)
        else:
            self.deliver(child, choice((1, 3, 10, 10, 50)))

    def put(self, shard: StreamShard, count: int) -> None:
        self.chains.line(shard)
        self.stream.put(shard, count, self.time.wall)
        self.tell("{} put into {} up to {}", count, shard.key, shard.at[-1])

    def trim(self, shard: StreamShard) -> None:
        self.counts["trims"] += 1
        shard.trim(randint(shard.visible, len(shard.puts)), self.chains.line(shard).at)
        self.tell("the first {} records of {} expire", shard.visible, shard.key)

    def jump(self, _shard: StreamShard) -> None:
        """A worker's clock is set: by an hour, by a day, over midnight."""
        self.counts["clock jumps"] += 1
        self.chains.clocks_jumped = True
        worker = choice(WORKERS)
        to_midnight = DAY - self.time.wall % DAY
        self.clocks[worker].wrong = choice((3600.0, -3600.0, DAY, -0.9 * DAY, to_midnight + 60, 100.0))
        self.tell("the clock of {} is off by {:.0f} s", worker, self.clocks[worker].wrong)

    def recreate(self, _shard: StreamShard) -> None:
        """Delete the stream and make it again under its name, with an empty lease table."""
        if self.counts["recreated"]:
            return
        self.counts["recreated"] += 1
        for shard in self.stream.live:
            shard.trim(len(shard.puts), self.chains.line(shard).at)
        self.stream.recreate()
        self.tell("the stream was deleted and made again")

    def damage_leases(self, _shard: StreamShard) -> None:
        """A lease table is lost, comes back from a backup, or is another application's."""
        self.counts["lease damage"] += 1
        application = randint(0, self.applications - 1)
        lost = random() < 0.5
        for shard in self.stream.live:
            lease = self.lease(application, shard)
            if lost:
                lease.checkpoint = None
            elif lease.checkpoint and random() < 0.7:
                before = bisect_right(shard.at, (lease.checkpoint.number, lease.checkpoint.sub))
                index = randint(-1, before - 1)
                lease.checkpoint = shard.puts[index].record.position if index >= 0 else None
            self.tell("the lease of {} now says {}", shard.key, lease.checkpoint)
        if random() < 0.3:
            self._foreign_lease(choice(self.stream.live))

    def _foreign_lease(self, shard: StreamShard) -> None:
        """A lease past the chain must be refused: the records between would never be read."""
        line = self.chains.line(shard)
        beyond = [put.record.position for put in shard.puts[shard.after(line.at) :]]
        if not beyond or shard.closed:
            return
        at = choice(beyond)
        child = self._child(0, shard, Lease(at))
        self.tell("{} starts at {}, of another application", child, at)
        survived = self._call(child, child.consumer.start, at.sequence, at.sub)
        child.alive = False
        if survived and (at.number, at.sub) > line.at and not child.parked:
            raise Violation(4, f"a lease at {at}, past the chain's end {line.at}, was taken")

    # The daemon

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
        child = self._child(application, shard, lease)
        lease.owner = child.number
        at = lease.checkpoint
        self.tell("{} starts {} at {}", child, shard.key, at)
        begun = ("TRIM_HORIZON", 0) if at is None else (at.sequence, at.sub)
        return child if self.call(child, "start", *begun) else None

    def _child(self, application: int, shard: StreamShard, lease: Lease) -> Child:
        self._numbers += 1
        worker = choice(WORKERS)
        clock = self.clocks[worker]
        if abs(clock.wrong) > 300:
            clock.wrong = uniform(-300, 300)  # the launcher refuses more
        drops: frozenset[At] = frozenset()
        line = self.chains.line(shard)
        if self.drops and self.faults and random() < 0.3:
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
        if self.faults and child.last and random() < 0.02:
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

    def night(self, child: Child) -> None:
        """The child rests over midnight, while empty batches from before it wait, and records behind them."""
        for _ in range(randint(0, QUEUE - 1)):
            if len(child.queue) < QUEUE - 1:
                child.fetch(3)
        if not child.shard.closed:
            self.put(child.shard, randint(1, 3))
        child.fetch(3)
        self.time.turn(DAY - self.time.wall % DAY + uniform(0, 3600))
        while child.queue and child.alive and child not in self.running:
            self.deliver(child, 3)

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

    def shutdown(self, child: Child) -> None:
        if self.call(child, "shutdown_requested", FakeCheckpointer(self, child)):
            self.call(child, "lease_lost")
        child.alive = False

    def lose_lease(self, child: Child) -> None:
        self.call(child, "lease_lost")
        if random() < 0.5:  # the process ends a moment later
            self._call(child, self._run_threads)
        child.alive = False

    def call(self, child: Child, name: str, *arguments: object) -> bool:
        """One callback; False when the child did not survive it. A child may park only over what another one's
        end has left out."""
        survived = self._call(child, getattr(child.consumer, name), *arguments)
        reason = child.parked
        if survived and reason and not (child.shard.excused and "beyond the end of the chain" in reason):
            raise Violation(9, f"parked: {reason}")
        return survived

    def _run_threads(self) -> None:
        for work in list(self.running[-1].threads):
            if not work.done():
                work.run()

    def _call(self, child: Child, what: Callable[..., None], *arguments: object) -> bool:
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

    # Faults, at every step of I/O

    def _written(self, key: str, body: bytes, attributes: Mapping[str, str], replaced: bool) -> None:
        self.tell("writes {} ({} bytes) {}", key, len(body), attributes.get("after", ""))
        self.chains.written(key, body, attributes, replaced)

    def _store_step(self, where: str, put: Put | None) -> bool:
        if self._store_down > self.time.monotonic and self.faults:
            raise StoreUnavailable(f"down {where}")
        try:
            return self.step(where, StoreUnavailable) and "create" in where
        except (Crash, StoreUnavailable):
            if put is not None and random() < 0.4:
                self.on_the_way.append(put)
            raise

    def throttled(self) -> bool:
        return self._throttled > self.time.monotonic and self.faults

    def step(self, where: str, unanswered: Error) -> bool:
        """One step of I/O, and what may strike here. True: the store answers that it is busy with that key."""
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise Violation(9, f"{MOST_STEPS} steps of I/O: somebody goes round and round")
        if not self.faults or self.calm or not self.running:
            return False
        if self.running[-1].threads and random() < 0.3:
            self._run_threads()
        chance = random() if where != self.weak_spot or random() > 0.3 else 0.0
        if chance > STRIKES:
            return False
        return self._strike(chance, where, unanswered)

    def _strike(self, chance: float, where: str, unanswered: Error) -> bool:
        if chance < 0.01:
            self.counts["crashes"] += 1
            self.counts[f"crash {where}"] += 1
            raise Crash(where)
        if chance < 0.025:
            self.counts["lost answers"] += 1
            self.tell("no answer {}", where)
            raise unanswered(where)
        if chance < 0.026:
            self._store_down = self.time.monotonic + choice((5.0, 100.0))
        elif chance < 0.027:
            self._throttled = self.time.monotonic + choice((5.0, 100.0))
        elif chance < 0.028:
            raise StoreRefused(where) if unanswered is StoreUnavailable else unanswered(where)
        elif chance < 0.035:
            self.counts["conflicts"] += 1
            return True
        elif chance < 0.04:
            self.time.turn(choice((0.5, 20.0, 400.0)))
        elif chance < 0.05:
            self._hand_over(self.running[-1])
        elif len(self.running) < NESTED:
            self.counts["stops"] += 1
            self.tell("stops {}", where)
            for _ in range(randint(1, 6)):
                self.act()
            self.tell("goes on")
        return False

    def _hand_over(self, child: Child) -> None:
        """Another instance gets the lease, and reads, while this one lives on."""
        if len(self.running) < NESTED and self.ready(child.application, child.shard):
            self.counts["handed over"] += 1
            other = self.start(child.application, child.shard)
            for _ in range(randint(0, 3)):
                if other:
                    self.deliver(other, choice((3, 10)))

    # The end

    def drain(self) -> set[str]:
        """No faults any more: everything that is there is read to its end, in a bounded number of calls. Returns the
        shards that an operator must let go on."""
        self.faults = False
        self.bucket.hidden = 0
        while self.on_the_way:
            self.land()
        waiting: set[str] = set()
        if random() < 0.7:
            for child in self.children:
                child.alive = False
        for application in range(self.applications):
            for shard in self.stream.live:  # parents come first
                self.time.turn(1.0)
                if any(parent.key in waiting for parent in shard.parents):
                    waiting.add(shard.key)
                elif self.ready(application, shard):
                    self._drain(application, shard, waiting)
        return waiting

    def _drain(self, application: int, shard: StreamShard, waiting: set[str]) -> None:
        lease = self.lease(application, shard)
        child = next((one for one in self.children if one.alive and one.number == lease.owner and not one.parked), None)
        restarted = False
        for _ in range(len(shard.puts) // 50 + QUEUE + 40):
            if lease.checkpoint is SHARD_END:
                return
            if child is None or not child.alive:
                child = self.start(application, shard)
                if child is None:
                    raise Violation(9, f"{shard.key} does not start")
            elif child.parked and not restarted:
                child, restarted = None, True
            elif child.parked:
                if not self.drops:
                    raise Violation(9, f"parked: {child.parked}")
                waiting.add(shard.key)
                return
            elif not child.read_all:
                self.deliver(child, 100)
            elif shard.closed:
                self.end(child)
            else:
                self.shutdown(child)
                return
        raise Violation(9, f"{shard.key} is not read to its end: {len(shard.puts)} records, lease {lease.checkpoint}")
