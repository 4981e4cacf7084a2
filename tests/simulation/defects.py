"""Known defects, each put into the real consumer by replacing what it would be written in.

A defect is a function that patches; `DEFECTS` says within how many schedules it must be caught.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest

from articles import tail
from articles.chain import END, State
from articles.errors import ChainError
from articles.position import Position
from articles.retry import RetryingStore
from articles.store import ObjectInfo
from articles.tail import Tail
from consumer import idle
from consumer import shard as shard_module
from consumer.checkpointing import Checkpointer, Checkpoints
from consumer.enrich import WordCount
from consumer.open_file import OpenFile, SealedFile
from consumer.record import Record
from consumer.shard import Shard
from consumer.shard_chain import Appended
from consumer.writer import Creating, Writer
from tests.simulation.bucket import CREATED, Bucket

Patch = pytest.MonkeyPatch
Defect = Callable[[Patch], None]


def overwrite_instead_of_create(patch: Patch) -> None:
    def create(self: Bucket, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        self._step(f"before {CREATED[key[:5]]}", None)
        self.write(key, body, attributes)
        self._step(f"after {CREATED[key[:5]]}", None)
        return True

    def without_head(self: RetryingStore, key: str, body: bytes, attributes: Mapping[str, str]) -> ObjectInfo | None:
        self._call(key, lambda: self._store.create(key, body, attributes))
        return None

    patch.setattr(Bucket, "create", create)
    patch.setattr(RetryingStore, "create", without_head)


def conflict_taken_for_success(patch: Patch) -> None:
    """409 and 412: whoever is told that a key exists goes on as if the object were its own."""

    def create(self: RetryingStore, key: str, body: bytes, attributes: Mapping[str, str]) -> ObjectInfo | None:
        def attempt() -> ObjectInfo | None:
            there = self._store.head(key)
            if there is None:
                self._store.create(key, body, attributes)
            return there

        return self._call(key, attempt)

    patch.setattr(RetryingStore, "create", create)


def adoption_that_forgets_to_drop(patch: Patch) -> None:
    whole = OpenFile.drop_through

    def drop_through(self: OpenFile, position: Position) -> None:
        span = self.span
        if span is None or span.last <= position:
            whole(self, position)

    patch.setattr(OpenFile, "drop_through", drop_through)


def an_adopted_object_counted_twice(patch: Patch) -> None:
    """By its writer, and by who adopts it."""
    advance = Writer._advance

    def as_ours(self: Writer, creating: Creating, appended: Appended) -> None:
        advance(self, creating, replace(appended, ours=True))

    patch.setattr(Writer, "_advance", as_ours)


def _checkpoint(of: Checkpoints, position: Position, sequence: str, checkpointer: Checkpointer) -> None:
    of._retry("", lambda: checkpointer.checkpoint(sequence, position.sub), 60.0)
    of._lease = position


def checkpoint_before_put(patch: Patch) -> None:
    process = Shard.process

    def eager(self: Shard, records: Sequence[Record], behind: int | None, checkpointer: Checkpointer) -> None:
        if records and not self._dropping and records[-1].position > self._checkpoints._lease:
            self._delivered = records[-1].position
            _checkpoint(self._checkpoints, self._delivered, self._delivered.sequence, checkpointer)
        process(self, records, behind, checkpointer)

    patch.setattr(Shard, "process", eager)


def checkpoint_of_what_was_delivered(patch: Patch) -> None:
    def commit(self: Checkpoints, delivered: Position, checkpointer: Checkpointer, within: float = 60.0) -> None:
        if delivered > self._lease:
            _checkpoint(self, delivered, delivered.sequence, checkpointer)

    patch.setattr(Checkpoints, "commit", commit)


def checkpoint_inside_an_object(patch: Patch) -> None:
    """As far as delivered, inside what another writer stored in one piece."""

    def commit(self: Checkpoints, delivered: Position, checkpointer: Checkpointer, within: float = 60.0) -> None:
        stored = max(self._offered, default=self._lease)
        reached = min(delivered, stored)
        if reached > self._lease:
            _checkpoint(self, reached, reached.sequence, checkpointer)

    patch.setattr(Checkpoints, "commit", commit)


def checkpoint_of_a_reformatted_number(patch: Patch) -> None:
    def commit(self: Checkpoints, delivered: Position, checkpointer: Checkpointer, within: float = 60.0) -> None:
        end = max((end for end in self._offered if end <= delivered), default=None)
        if end and self._lease < end:
            _checkpoint(self, end, str(end.number), checkpointer)

    patch.setattr(Checkpoints, "commit", commit)


def checkpoint_of_zero(patch: Patch) -> None:
    """Of the position that a root begins at."""

    def commit(self: Checkpoints, delivered: Position, checkpointer: Checkpointer, within: float = 60.0) -> None:
        end = max((end for end in self._offered if end <= delivered), default=self._lease)
        _checkpoint(self, end, end.sequence, checkpointer)

    patch.setattr(Checkpoints, "commit", commit)


def shard_end_after_one_seal(patch: Patch) -> None:
    def shard_ended(self: Shard, checkpointer: Checkpointer) -> None:
        if self._dropping:
            return
        with self._callback(30.0):
            if self._chain.root is None:
                self._begin("2025-06-15")
            if not self._chain.state.ended:
                self._seal(END, "shard end")
            self._checkpoints._retry("SHARD_END", checkpointer.end_shard, 60.0)
            self._dropping = True

    patch.setattr(Shard, "shard_ended", shard_ended)


def an_end_that_points_to_itself(patch: Patch) -> None:
    """The last link leaves the page as it was, so the end is written for ever."""
    seal = OpenFile.seal

    def pointless(self: OpenFile, layout: Any, shard: Any, before: State, next_page: str, *rest: str) -> SealedFile:
        return seal(self, layout, shard, before, before.page if next_page == END else next_page, *rest)

    patch.setattr(OpenFile, "seal", pointless)


def a_wrong_tail(patch: Patch) -> None:
    """The root's state, whatever follows it."""
    found = tail.find

    def find(*arguments: object) -> Tail | None:
        right = found(*arguments)  # type: ignore[arg-type]
        return Tail(right.root, right.root.state, None) if right else None

    def follow(_store: object, _layout: object, given: Tail) -> Tail:
        return given

    patch.setattr(tail, "find", find)
    patch.setattr(tail, "follow", follow)


def a_tail_from_the_listing_alone(patch: Patch) -> None:
    """Without the walk forward by HEAD: a listing is older than the chain."""
    patch.setattr(tail, "follow", lambda _store, _layout, given: given)


def a_refusal_before_walking_forward(patch: Patch) -> None:
    def check_start(config: object, chain: object, lease: Position, wall: float) -> None:
        position = chain.position  # type: ignore[attr-defined]
        if lease != position:
            raise ChainError("the lease is not where the chain ends")

    patch.setattr(shard_module, "check_start", check_start)


def no_refusal(patch: Patch) -> None:
    """A lease past the chain is taken."""
    patch.setattr(shard_module, "check_start", lambda *_: None)


def a_key_from_the_first_record(patch: Patch) -> None:
    seal = OpenFile.seal

    def from_first(self: OpenFile, layout: Any, shard: Any, before: State, *rest: str) -> SealedFile:
        span = self.span
        if span:
            before = State(Position.of(str(span.first.number - 1)), before.page)
        return seal(self, layout, shard, before, *rest)

    patch.setattr(OpenFile, "seal", from_first)


def a_page_from_before_the_adoption(patch: Patch) -> None:
    """The page to go to is taken before the link is settled that may turn out to be another writer's, and further."""

    def seal(self: Writer, next_page: str, reason: str, until: float | None = None) -> None:
        self.settle(until)
        if self._file.records or next_page != self._chain.state.page:
            file, self._file = self._file, OpenFile(self._config.codec)
            self._create(file, self._opened, next_page, reason)

    patch.setattr(Writer, "seal", seal)


def idle_turn_after_three_calls(patch: Patch) -> None:
    patch.setattr(idle, "CALLS", 3)


def no_stream_identity(patch: Patch) -> None:
    """The stream's creation time is left out of the chain's name."""
    begin = Shard.__init__

    def without(self: Shard, config: Any, *rest: Any) -> None:
        begin(self, replace(config, shard=replace(config.shard, created=1_700_000_000)), *rest)

    patch.setattr(Shard, "__init__", without)


def words_separated_by_spaces_alone(patch: Patch) -> None:
    patch.setattr(WordCount, "__call__", lambda _, content: len(content.split(b" ")))


DEFECTS: Final[Mapping[Defect, int]] = {
    overwrite_instead_of_create: 100,
    conflict_taken_for_success: 400,
    adoption_that_forgets_to_drop: 200,
    an_adopted_object_counted_twice: 200,
    checkpoint_before_put: 20,
    checkpoint_of_what_was_delivered: 20,
    checkpoint_inside_an_object: 200,
    checkpoint_of_a_reformatted_number: 20,
    checkpoint_of_zero: 20,
    shard_end_after_one_seal: 1500,
    an_end_that_points_to_itself: 20,
    a_wrong_tail: 100,
    a_tail_from_the_listing_alone: 200,
    a_refusal_before_walking_forward: 100,
    no_refusal: 400,
    a_key_from_the_first_record: 20,
    a_page_from_before_the_adoption: 400,
    idle_turn_after_three_calls: 800,
    no_stream_identity: 400,
    words_separated_by_spaces_alone: 20,
}
