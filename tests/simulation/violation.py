"""What a schedule is judged by: the invariants, by number."""

from __future__ import annotations

from typing import Final

UNEXPECTED: Final = 0
INVARIANTS: Final = {
    UNEXPECTED: "the consumer raises nothing unexpected",
    1: "every record put is stored in exactly one place",
    2: "from its root, a shard's links form one line",
    3: "positions increase inside an object",
    4: "no checkpoint is past its chain, nor inside an object",
    5: "headers and object metadata equal what is counted again",
    6: "the average is exact",
    7: "no object ever changes",
    8: "a child shard begins after its parents' chains are complete",
    9: "after the load everything is read in a bounded number of calls",
    10: "records lie on the page of their arrival",
}
"""1 to 9 are the promise; 10 is what readers of a page rely on."""


class Violation(AssertionError):
    def __init__(self, invariant: int, what: str, *, lost: int = 0, repeated: int = 0) -> None:
        super().__init__(f"{what} [invariant {invariant}: {INVARIANTS[invariant]}]")
        self.invariant, self.lost, self.repeated = invariant, lost, repeated
