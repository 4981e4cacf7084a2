"""The nemesis: draws what goes wrong next, seeded, and carries it out while everything else goes on.

There are lanes, each with a deck of acts of its own: what is done to processes, to the stream, and to the answers of
S3 and of DynamoDB. Lanes run at the same time; in a lane one act follows the other after a pause. A deck is drawn to
its end before it is shuffled again, so that a run of some minutes has seen every kind. The seed decides the order, the
pauses and the dice of every act; whom they fall on depends on who is there.

An act is a generator: it yields what it has done so far, in words, as often as it waits, and returns what came of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

_W = TypeVar("_W")
Steps = Generator[str, None, str]


class Impossible(Exception):
    """There is nobody to do it to just now: another act is drawn instead."""


@dataclass(frozen=True, slots=True)
class Act(Generic[_W]):
    """`kind` is what it is counted under."""

    kind: str
    run: Callable[[_W, Random], Steps]


@dataclass(slots=True)
class Entry:
    """A line of the history: seconds since the start, what was done to whom, and what came of it."""

    started: float
    kind: str
    what: str = ""
    outcome: str = ""
    ended: float | None = None

    def __str__(self) -> str:
        took = f" ({self.ended - self.started:.1f} s)" if self.ended is not None else ""
        outcome = f" → {self.outcome}" if self.outcome else ""
        return f"{self.started:7.1f} s  {self.kind:<24} {self.what}{outcome}{took}"


@dataclass(frozen=True, slots=True)
class Deck(Generic[_W]):
    """`first` are drawn before all others, in this order: what a short run must have seen."""

    name: str
    acts: Sequence[Act[_W]]
    pause: tuple[float, float]
    first: Sequence[str] = ()


class Lane(Generic[_W]):
    def __init__(self, deck: Deck[_W], seed: int) -> None:
        self.name = deck.name
        self.now: Entry | None = None
        self._deck, self._random = deck, Random(f"{seed}:{deck.name}")
        self._acts = self._drawn()
        self._steps: Steps | None = None
        self._due: float | None = None

    def tick(self, world: _W, seconds: float) -> Entry | None:
        """Go on with the act, or begin one when it is time; an act that has ended."""
        if self._due is None:
            self._due = seconds + self._pause()
        if self._steps is None and seconds >= self._due:
            act = next(self._acts)
            self._steps, self.now = act.run(world, Random(self._random.random())), Entry(seconds, act.kind)
        if self._steps is None or self.now is None:
            return None
        try:
            self.now.what = next(self._steps) or self.now.what
            return None
        except StopIteration as stop:
            ended, self.now.outcome, self.now.ended = self.now, str(stop.value), seconds
            self._due = seconds + self._pause()
        except Impossible:
            ended = None
        self._steps = self.now = None
        return ended

    def end(self) -> Entry | None:
        """Break off; what was under way. Its generator cleans up."""
        ended, self.now = self.now, None
        if self._steps is not None:
            self._steps.close()
            self._steps = None
        if ended:
            ended.outcome = "broken off at the end"
        return ended

    def _pause(self) -> float:
        return self._random.uniform(*self._deck.pause)

    def _drawn(self) -> Iterator[Act[_W]]:
        by_kind = {act.kind: act for act in self._deck.acts}
        yield from (by_kind[kind] for kind in self._deck.first)
        left = [act for act in self._deck.acts if act.kind not in self._deck.first]
        while True:
            self._random.shuffle(left)
            yield from left
            left = list(self._deck.acts)


class Nemesis(Generic[_W]):
    """`history` takes every act that has ended, `counts` how often each was done."""

    def __init__(self, decks: Sequence[Deck[_W]], seed: int, world: _W, tell: Callable[[Entry], None]) -> None:
        self.lanes = [Lane(deck, seed) for deck in decks]
        self.counts: Counter[str] = Counter()
        self._world, self._tell = world, tell

    def tick(self, seconds: float) -> None:
        for lane in self.lanes:
            self._note(lane.tick(self._world, seconds))

    def end(self) -> None:
        for lane in self.lanes:
            self._note(lane.end())

    def under_way(self) -> list[Entry]:
        return [lane.now for lane in self.lanes if lane.now]

    def _note(self, entry: Entry | None) -> None:
        if entry:
            self.counts[entry.kind] += 1
            self._tell(entry)
