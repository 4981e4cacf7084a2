"""What is drawn, and in which order, is the seed's alone; acts run side by side, and clean up when they are cut off."""

from __future__ import annotations

from random import Random

from local.chaos.nemesis import Act, Deck, Entry, Impossible, Nemesis, Steps

World = list[str]


def act(kind: str, steps: int = 2) -> Act[World]:
    def run(world: World, draw: Random) -> Steps:
        try:
            for step in range(steps):
                world.append(f"{kind}{step}")
                yield f"{kind} {draw.random():.6f}"
        finally:
            world.append(f"{kind} over")
        return "well"

    return Act(kind, run)


def impossible(kind: str) -> Act[World]:
    def run(world: World, draw: Random) -> Steps:
        if kind:
            raise Impossible
        yield ""
        return ""

    return Act(kind, run)


def played(seed: int, *decks: Deck[World], seconds: int = 400) -> tuple[list[Entry], World]:
    history: list[Entry] = []
    world: World = []
    nemesis = Nemesis(decks, seed, world, history.append)
    for second in range(seconds):
        nemesis.tick(float(second))
    nemesis.end()
    return history, world


PROCESSES = Deck("processes", [act("a"), act("b"), act("c"), act("d")], (1.0, 4.0))
WIRES = Deck("wires", [act("x", 5), act("y", 5)], (0.0, 9.0), first=("y",))


def test_a_seed_gives_the_same_history_and_another_one_another() -> None:
    once, again = played(1, PROCESSES, WIRES)[0], played(1, PROCESSES, WIRES)[0]
    assert [str(entry) for entry in once] == [str(entry) for entry in again]
    assert [str(entry) for entry in once] != [str(entry) for entry in played(2, PROCESSES, WIRES)[0]]


def test_a_lane_draws_the_same_whatever_the_others_do() -> None:
    def processes(history: list[Entry]) -> list[str]:
        return [str(entry) for entry in history if entry.kind in "abcd"]

    assert processes(played(3, PROCESSES)[0]) == processes(played(3, WIRES, PROCESSES)[0])


def test_every_kind_is_drawn_before_any_comes_again() -> None:
    kinds = [entry.kind for entry in played(4, PROCESSES)[0]][:12]
    assert [set(kinds[at : at + 4]) for at in (0, 4, 8)] == [set("abcd")] * 3


def test_what_comes_first_comes_first_and_once() -> None:
    kinds = [entry.kind for entry in played(5, WIRES)[0]][:4]
    assert kinds[:2] == ["y", "x"]
    assert set(kinds[2:]) == {"x", "y"}


def test_an_entry_tells_what_was_done_and_what_came_of_it() -> None:
    entry = played(6, PROCESSES)[0][0]
    assert entry.what.startswith(f"{entry.kind} 0.")
    assert entry.outcome == "well"
    assert entry.ended is not None
    assert entry.ended - entry.started == 2
    assert str(entry).endswith("→ well (2.0 s)")


def test_what_is_impossible_leaves_no_trace_and_another_is_drawn() -> None:
    history, _ = played(7, Deck("one", [impossible("never"), act("a")], (0.0, 0.0)), seconds=20)
    assert {entry.kind for entry in history} == {"a"}
    assert len(history) > 3


def test_an_act_that_is_cut_off_cleans_up() -> None:
    history, world = played(8, Deck("one", [act("long", 1000)], (0.0, 0.0)), seconds=5)
    assert history[0].outcome == "broken off at the end"
    assert world[-1] == "long over"
