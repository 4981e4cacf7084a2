"""What a shard's consumer has in hand: the file being filled, the one being created, and the chain behind both.

Sealing a file begins to create its link; meanwhile the next file fills. The one after that waits: there is never more
than one uncommitted link. What became of a link is learned in `settle`, on the daemon's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from articles.clock import Clock
from articles.errors import ChainError
from consumer.background import Background, Work
from consumer.decode import Article, Rejected
from consumer.live import Live
from consumer.logs import Log
from consumer.open_file import OpenFile, SealedFile
from consumer.record import Record
from consumer.shard_chain import Appended, ShardChain
from consumer.shard_config import ShardConfig


@dataclass(frozen=True, slots=True)
class Creating:
    """A sealed file whose link is being created; `opened` is in the clock's monotonic seconds."""

    file: OpenFile
    opened: float
    sealed: SealedFile
    reason: str
    work: Work[Appended]


class Writer:
    """`moved` is called whenever the chain's state has changed, with what is still in hand in line with it."""

    def __init__(
        self,
        config: ShardConfig,
        chain: ShardChain,
        enrichment: str,
        clock: Clock,
        log: Log,
        live: Live,
        background: Background,
        moved: Callable[[], None],
    ) -> None:
        self._config = config
        self._chain = chain
        self._enrichment = enrichment
        self._clock = clock
        self._log = log
        self._live = live
        self._background = background
        self._moved = moved
        self._file = OpenFile(config.codec)
        self._opened = 0.0
        self._creating: Creating | None = None

    @property
    def buffered(self) -> int:
        """Records in hand."""
        return self._file.records + (self._creating.file.records if self._creating else 0)

    @property
    def idle(self) -> bool:
        return self._creating is None and not self._file.records

    @property
    def full(self) -> bool:
        return self._file.size >= self._config.file_bytes or self._file.records >= self._config.file_records

    @property
    def aged(self) -> bool:
        return self._file.records > 0 and self._clock.monotonic() - self._opened >= self._config.file_seconds

    def append(self, record: Record, article: Article, words: int) -> None:
        """Raises ValueError for an article that Avro cannot hold; nothing has changed then."""
        self._file.append(record, article, words, self._config.shard.shard)
        self._open()

    def reject(self, record: Record, rejected: Rejected) -> None:
        self._file.reject(record, rejected)
        self._open()

    def _open(self) -> None:
        if self._file.records == 1:
            self._opened = self._clock.monotonic()

    def seal(self, next_page: str, reason: str, until: float | None = None) -> None:
        """Begin to create the next link; the chain then stands on `next_page`. With nothing in the file an empty link
        moves the page alone. Waits for the link before it, at most `until` that monotonic second: see `settle`."""
        self.settle(until)
        next_page = max(next_page, self._chain.state.page)  # which an adopted link may have turned, END being the last
        if self._file.records or next_page != self._chain.state.page:
            file, self._file = self._file, OpenFile(self._config.codec)
            self._create(file, self._opened, next_page, reason)

    def _create(self, file: OpenFile, opened: float, next_page: str, reason: str) -> None:
        config = self._config
        state = self._chain.state
        sealed = file.seal(config.layout, config.shard, state, next_page, config.worker, self._enrichment)
        file.release(sealed.body)
        work = self._background(lambda: self._chain.append(sealed))
        self._creating = Creating(file, opened, sealed, reason, work)

    def settle(self, until: float | None = None) -> None:
        """Wait for the link that is being created. Raises what creating it raised: StoreError or ChainError."""
        while (creating := self._creating) is not None:
            appended = creating.work.result(None if until is None else max(0.0, until - self._clock.monotonic()))
            self._creating = None
            self._advance(creating, appended)

    def look(self) -> None:
        """As `settle`, but only if it need not wait."""
        while self._creating is not None and self._creating.work.done():
            self.settle()

    def _advance(self, creating: Creating, appended: Appended) -> None:
        self._chain.advance(appended.tail)
        sealed, totals = creating.sealed, creating.sealed.link.totals
        if appended.ours:
            self._live.records += totals.good
            self._live.rejected += totals.rejected
            self._live.words += totals.words
            self._live.objects += 1
        if self._chain.state != sealed.link.after:
            self._adopt(creating)
        self._live.last_position = str(self._chain.position)
        self._log.info(
            "stored" if appended.ours else "adopted",
            key=sealed.key,
            reason=creating.reason,
            records=totals.records,
            bytes=len(sealed.body),
            position=self._chain.position,
            kept=self.buffered,
        )
        self._moved()

    def _adopt(self, creating: Creating) -> None:
        """The chain stands elsewhere than our link would have led: drop what it holds, keep the rest and its age."""
        rest, state = creating.file, self._chain.state
        rest.drop_through(state.position)
        self._file.drop_through(state.position)
        if state.ended and (rest.records or self._file.records):
            raise ChainError(
                f"{rest.records + self._file.records} records lie beyond the end of the chain at {state.position}, "
                "which another writer has ended"
            )
        if rest.records and rest.size + self._file.size >= self._config.file_bytes:  # too much for one file
            self._create(rest, creating.opened, max(creating.sealed.link.after.page, state.page), creating.reason)
        elif rest.records:
            rest.extend(self._file)
            self._file, self._opened = rest, creating.opened

    def drop(self) -> None:
        """Forget what is in hand. A link that is being created is another's business from now on."""
        self._file, self._creating = OpenFile(self._config.codec), None
