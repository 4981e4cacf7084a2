"""The simulation has teeth: known defects, put into the real consumer, are caught in a bounded number of schedules."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from articles import tail
from articles.chain import END, State
from articles.errors import ChainError
from articles.position import Position
from articles.retry import RetryingStore
from articles.store import ObjectInfo
from articles.tail import Tail
from consumer import shard as shard_module
from consumer.checkpointing import Checkpointer, Checkpoints
from consumer.open_file import OpenFile
from consumer.shard import Shard
from tests.simulation.bucket import CREATED, Bucket
from tests.simulation.schedule import Schedule
from tests.simulation.violation import Violation

SCHEDULES = 400
Patch = pytest.MonkeyPatch


def overwrite_instead_of_create(patch: Patch) -> None:
    def create(self: Bucket, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        self._step(f"before {CREATED[key[:5]]}")
        self.write(key, body, attributes)
        self._step(f"after {CREATED[key[:5]]}")
        return True

    def without_head(self: RetryingStore, key: str, body: bytes, attributes: Mapping[str, str]) -> ObjectInfo | None:
        self._call(key, lambda: self._store.create(key, body, attributes))
        return None

    patch.setattr(Bucket, "create", create)
    patch.setattr(RetryingStore, "create", without_head)


def adoption_that_forgets_to_drop(patch: Patch) -> None:
    whole = OpenFile.drop_through

    def drop_through(self: OpenFile, position: Position) -> None:
        span = self.span
        if span is None or span.last <= position:
            whole(self, position)

    patch.setattr(OpenFile, "drop_through", drop_through)


def checkpoint(of: Checkpoints, position: Position, sequence: str, checkpointer: Checkpointer) -> None:
    of._retry("", lambda: checkpointer.checkpoint(sequence, position.sub), 60.0)
    of._lease = position


def checkpoint_of_what_was_delivered(patch: Patch) -> None:
    def commit(self: Checkpoints, delivered: Position, checkpointer: Checkpointer, within: float = 60.0) -> None:
        if delivered > self._lease:
            checkpoint(self, delivered, delivered.sequence, checkpointer)

    patch.setattr(Checkpoints, "commit", commit)


def checkpoint_of_a_reformatted_number(patch: Patch) -> None:
    def commit(self: Checkpoints, delivered: Position, checkpointer: Checkpointer, within: float = 60.0) -> None:
        end = max((end for end in self._offered if end <= delivered), default=None)
        if end and self._lease < end:
            checkpoint(self, end, str(end.number), checkpointer)

    patch.setattr(Checkpoints, "commit", commit)


def checkpoint_of_zero(patch: Patch) -> None:
    def commit(self: Checkpoints, delivered: Position, checkpointer: Checkpointer, within: float = 60.0) -> None:
        for end in self._offered:
            if end <= delivered:
                checkpoint(self, end, end.sequence, checkpointer)

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


def a_wrong_tail(patch: Patch) -> None:
    found = tail.find

    def find(*arguments: object) -> Tail | None:
        right = found(*arguments)  # type: ignore[arg-type]
        return Tail(right.root, right.root.state, None) if right else None

    def follow(_store: object, _layout: object, given: Tail) -> Tail:
        return given

    patch.setattr(tail, "find", find)
    patch.setattr(tail, "follow", follow)


def a_refusal_before_walking_forward(patch: Patch) -> None:
    def check_start(config: object, chain: object, lease: Position, wall: float) -> None:
        position = chain.position  # type: ignore[attr-defined]
        if lease != position:
            raise ChainError("the lease is not where the chain ends")

    patch.setattr(shard_module, "check_start", check_start)


def a_key_from_the_first_record(patch: Patch) -> None:
    seal = OpenFile.seal

    def from_first(self: OpenFile, layout, shard, before, *rest):  # type: ignore[no-untyped-def]
        span = self.span
        if span:
            before = State(Position.of(str(span.first.number - 1)), before.page)
        return seal(self, layout, shard, before, *rest)

    patch.setattr(OpenFile, "seal", from_first)


DEFECTS: list[Callable[[Patch], None]] = [
    overwrite_instead_of_create,
    adoption_that_forgets_to_drop,
    checkpoint_of_what_was_delivered,
    checkpoint_of_a_reformatted_number,
    checkpoint_of_zero,
    shard_end_after_one_seal,
    a_wrong_tail,
    a_refusal_before_walking_forward,
    a_key_from_the_first_record,
]


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.__name__)
def test_a_defect_is_caught(defect: Callable[[Patch], None], monkeypatch: Patch) -> None:
    defect(monkeypatch)
    for seed in range(SCHEDULES):
        try:
            Schedule(seed).run()
        except Violation:  # any other error is the defect's own: it no longer fits the code that it replaces
            return
    pytest.fail(f"{SCHEDULES} schedules did not catch it")
