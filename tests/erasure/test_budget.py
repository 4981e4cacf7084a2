"""What is in memory at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from articles.budget import Budget


def test_as_many_at_a_time_as_fit_and_a_larger_one_alone() -> None:
    budget = Budget(10)
    pairs = threading.Barrier(2)
    lock = threading.Lock()
    inside: list[int] = []
    seen: list[tuple[int, ...]] = []

    def take(size: int) -> None:
        with budget.hold(size):
            with lock:
                inside.append(size)
                seen.append(tuple(inside))
            if size == 4:  # goes on only once another one is in
                pairs.wait(30)
            with lock:
                inside.remove(size)

    with ThreadPoolExecutor(9) as pool:
        list(pool.map(take, [4] * 8))
        list(pool.map(take, [20, 5, 5, 20, 5]))
    assert max(map(sum, seen)) == 20
    assert {held for held in seen if 20 in held} == {(20,)}
    assert (4, 4) in seen
    assert (4, 4, 4) not in seen
