"""A shard's consumer: the daemon's callbacks in, links and checkpoints out.

    start               find the chain's tail; refuse what would lose or fork
    process             skip what is stored, turn pages, decode, enrich, append; seal by size, count and age; checkpoint
    shard_ended         seal until the chain is at END, then SHARD_END
    shutdown_requested  seal until nothing is buffered, within the grace
    lease_lost          drop everything: whoever holds the lease reads it again

Only what the chain holds is ever checkpointed. A ChainError parks the shard: its calls are taken and dropped, nothing
is stored or checkpointed, and its live file says so; leaving would take down every worker the lease wanders to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from articles import __version__
from articles.chain import END, Root
from articles.clock import Clock, utc_date
from articles.errors import ChainError, StoreUnavailable
from articles.position import ZERO
from articles.retry import RetryingStore
from consumer.admission import check_start, lease_position
from consumer.background import Background, InThread
from consumer.checkpointing import Checkpointer, Checkpoints, LeaseGone
from consumer.decode import Rejected, decode
from consumer.enrich import Enricher
from consumer.exits import Exit, Leave
from consumer.flood import Flood
from consumer.idle import IdleTurn
from consumer.lease_losses import LeaseLosses
from consumer.live import Publisher
from consumer.logs import Log
from consumer.record import Record
from consumer.shard_chain import ShardChain
from consumer.shard_config import ShardConfig
from consumer.writer import Writer

SHUTDOWN_SECONDS: Final = 12.0
"""How long shutting down tries to seal; it fits the daemon's grace (`shutdownGraceMillis`, 20 s)."""
SHUTDOWN_CHECKPOINT_SECONDS: Final = 4.0
AHEAD_SECONDS: Final = 24 * 3600.0
"""An arrival this far ahead of our clock says nothing about the page."""
CLOCK_JUMP_SECONDS: Final = 300.0


class Shard:
    def __init__(
        self,
        config: ShardConfig,
        store: RetryingStore,
        enrich: Enricher,
        clock: Clock,
        log: Log,
        publisher: Publisher,
        losses: LeaseLosses,
        background: Background = InThread,
    ) -> None:
        self._config = config
        self._store = store
        self._enrich = enrich
        self._clock = clock
        self._log = log
        self._publisher = publisher
        self._losses = losses
        self._chain = ShardChain(store, config.layout, config.shard)
        self._checkpoints = Checkpoints(ZERO, clock, log)
        self._idle = IdleTurn(config.idle_turn)
        self._flood = Flood()
        self._writer = Writer(
            config, self._chain, enrich.version, clock, log, publisher.live, background, self._line_up
        )
        self._taken = ZERO  # stored or buffered up to here
        self._delivered = ZERO
        self._page: str | None = ""  # of records that can be appended as the chain stands
        self._latest_arrival = 0.0  # that is believed, in epoch seconds
        self._drift = clock.wall() - clock.monotonic()
        self._dropping = False  # parked, or the lease is lost
        self._leaving = False  # asked to shut down: losing the lease is what follows

    @property
    def objects(self) -> int:
        """Links stored by this child."""
        return self._publisher.live.objects

    def start(self, sequence_number: str, sub_sequence_number: int | None) -> None:
        """`sequence_number` is the lease's checkpoint: digits, or where the stream is entered."""
        with self._callback(self._config.deadline_seconds):
            lease = lease_position(sequence_number, sub_sequence_number)
            self._chain.find()
            check_start(self._config, self._chain, lease, self._clock.wall())
            self._taken = self._chain.position
            self._delivered = lease
            self._checkpoints = Checkpoints(lease, self._clock, self._log)
            self._checkpoints.offer(self._chain.last)
            self._log.info("started", lease=lease, stored=self._chain.position)

    def process(self, records: Sequence[Record], millis_behind: int | None, checkpointer: Checkpointer) -> None:
        """One delivery of the daemon; positions must increase. Raises Leave, StoreUnavailable or StoreRefused."""
        if self._dropping:
            return
        with self._callback(self._config.deadline_seconds):
            self._writer.look()
            self._latest_arrival = self._clock.wall() + AHEAD_SECONDS
            previous = None
            for record in records:
                if record.position > self._taken:  # and so after the one before, which is taken
                    self._take(record)
                elif previous and record.position <= previous:
                    raise Leave(Exit.ORDER, f"position {record.position} was delivered after {previous}")
                previous = record.position
            if previous:
                self._delivered = max(self._delivered, previous)
            if self._writer.aged:
                self._writer.seal(self._chain.state.page, "age")
            if millis_behind:
                self._writer.look()
            else:  # nothing waits to be encoded meanwhile, so the checkpoint need not wait for the next call
                self._writer.settle()
            self._turn_when_idle(empty=not records, millis_behind=millis_behind)
            self._publisher.live.millis_behind = millis_behind
            self._checkpoints.commit(self._delivered, checkpointer)

    def shard_ended(self, checkpointer: Checkpointer) -> None:
        """The END link is written even for a shard without records; SHARD_END comes only after it. A parked shard does
        not end: without its checkpoint the daemon keeps its children waiting, and its lease."""
        if self._dropping:
            return
        with self._callback(self._config.deadline_seconds):
            if self._chain.root is None:
                self._begin(utc_date(self._clock.wall()))
            while not self._chain.state.ended:  # a shorter link may be adopted on the way
                self._seal(END, "shard end")
            end = self._chain.last
            if end is None:
                raise ChainError(f"the chain of {self._config.shard} ended without a link")
            self._checkpoints.end_shard(end, checkpointer)
            self._publisher.live.ended = True
            self._drop()

    def shutdown_requested(self, checkpointer: Checkpointer) -> None:
        """Gives up sealing in time; nothing is lost by that: the records are delivered again."""
        self._leaving = True
        if self._dropping:
            return
        with self._callback(SHUTDOWN_SECONDS):
            until = self._clock.monotonic() + SHUTDOWN_SECONDS
            try:
                while self._writer.buffered:
                    self._writer.seal(self._chain.state.page, "shutdown", until)
                    self._writer.settle(until)
            except StoreUnavailable as error:
                self._log.warning("shutdown-gave-up", buffered=self._writer.buffered, reason=error)
            self._publish(now=True)  # the daemon may be gone before it says that the lease is lost
            self._checkpoints.commit(self._delivered, checkpointer, within=SHUTDOWN_CHECKPOINT_SECONDS)

    def lease_lost(self) -> None:
        """Drop everything: whoever holds the lease reads it again. Raises Leave when it is lost too often."""
        self._log.info("lease-lost", buffered=self._writer.buffered)
        self._drop()
        if not self._leaving and self._losses.note(self._clock.wall()):
            raise Leave(
                Exit.LEASES,
                f"the lease of {self._config.shard.shard} was lost again and again within minutes: another worker "
                f"seems to run as {self._config.worker}; give each worker a WORKER_ID of its own",
            )

    def park(self, reason: str) -> None:
        """Take and drop every further call: what would be stored could be lost, doubled or out of line."""
        if self._publisher.live.parked:
            return
        self._log.error("parked", reason=reason)
        self._publisher.live.parked = reason
        self._drop()

    def _drop(self) -> None:
        self._dropping = True
        self._writer.drop()
        self._publish(now=True)

    @contextmanager
    def _callback(self, seconds: float) -> Iterator[None]:
        """What every callback has in common: its deadline, a look at the clock, and where errors lead."""
        self._store.allow(seconds)
        try:
            self._check_clock()
            yield
            self._publish()
        except ChainError as error:
            self.park(str(error))
        except LeaseGone:
            self._log.info("lease-gone", buffered=self._writer.buffered)
            self._drop()

    def _check_clock(self) -> None:
        jump = self._clock.wall() - self._clock.monotonic() - self._drift
        if abs(jump) > CLOCK_JUMP_SECONDS:
            raise Leave(Exit.CLOCK, f"the wall clock jumped by {jump:.0f} s")

    def _publish(self, *, now: bool = False) -> None:
        self._publisher.live.buffered = self._writer.buffered
        self._publisher.publish(self._clock.wall(), self._clock.monotonic(), now=now)

    def _take(self, record: Record) -> None:
        """Judge one record that is not stored yet: turn pages for it, then append or reject it."""
        page = self._page_of(record)
        if page != self._page and not self._make_way(record, page):
            return
        self._append(record)
        self._taken = record.position
        if self._writer.full:
            self._writer.seal(self._chain.state.page, "size")

    def _make_way(self, record: Record, page: str | None) -> bool:
        """Bring the chain to where a record of that page can be appended; False if it was adopted meanwhile."""
        if self._chain.root is None:
            self._begin(page or utc_date(self._clock.wall()))
        while True:
            if record.position <= self._taken:
                return False
            if self._chain.state.ended:
                raise ChainError(
                    f"record {record.position} lies beyond the end of the chain at {self._chain.position}: the shard "
                    "had ended, or the stream was deleted"
                )
            if page is None or page <= self._chain.state.page:
                self._page = page
                return True
            self._seal(page, "page turn")

    def _append(self, record: Record) -> None:
        article = decode(record.data)
        if isinstance(article, Rejected):
            self._reject(record, article)
            return
        try:
            self._writer.append(record, article, self._enrich(article.content))
        except (ValueError, TypeError, OverflowError) as error:
            self._reject(record, Rejected("avro", type(error).__name__))

    def _reject(self, record: Record, rejected: Rejected) -> None:
        self._note("rejected", rejected.reason, record)
        self._writer.reject(record, rejected)

    def _note(self, event: str, reason: str, record: Record) -> None:
        """A line for the first record of its kind, one with their number for the others: see `_line_up`."""
        if self._flood.is_first(f"{event}: {reason}"):
            self._log.warning(event, position=record.position, reason=reason, arrival=record.arrival)

    def _page_of(self, record: Record) -> str | None:
        """The page a record asks for: its arrival date, None where that says nothing."""
        if record.arrival is None or not 0 <= record.arrival / 1000 <= self._latest_arrival:
            self._note("odd-arrival", "none" if record.arrival is None else "out of range", record)
            return None
        return utc_date(record.arrival / 1000)

    def _turn_when_idle(self, *, empty: bool, millis_behind: int | None) -> None:
        root = self._chain.root
        idle = empty and millis_behind == 0 and self._writer.idle
        page = self._idle.due(idle=idle, page=self._chain.state.page if root else "", wall=self._clock.wall())
        if page is None:
            return
        if root is None:
            self._begin(page)
        else:
            self._seal(page, "idle")

    def _begin(self, page: str) -> None:
        config = self._config
        root = Root(
            shard=config.shard,
            page=page,
            mode=config.start_mode,
            stream_arn=config.stream_arn,
            starting_sequence_number=config.starting_sequence_number,
            written=int(self._clock.wall() * 1000),
            software=__version__,
        )
        if self._chain.begin(root):
            self._log.info("chain-begun", page=page)
            return
        self._log.info("root-adopted", stored=self._chain.position)
        check_start(config, self._chain, ZERO, self._clock.wall())
        self._line_up()

    def _seal(self, next_page: str, reason: str) -> None:
        """Move the chain to a page, or to its END, and wait for that."""
        self._writer.seal(next_page, reason)
        self._writer.settle()

    def _line_up(self) -> None:
        """The chain has moved."""
        for kind, count in self._flood.close().items():
            self._log.warning("more-of-a-kind", kind=kind, records=count, position=self._chain.position)
        self._taken = max(self._taken, self._chain.position)
        self._page = ""
        self._checkpoints.offer(self._chain.last)
        self._idle.reset()
