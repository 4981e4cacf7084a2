"""The lanes of a chaos run, and what is drawn in each."""

from __future__ import annotations

from dataclasses import replace

from articles.errors import UserError
from local.chaos.kills import KILLS
from local.chaos.nemesis import Deck
from local.chaos.reshard import STREAM
from local.chaos.scaling import SCALING
from local.chaos.wires import DYNAMODB, S3
from local.chaos.world import World
from local.chaos.zombies import ZOMBIES

PROCESSES: Deck[World] = Deck(
    "processes", (*KILLS, *ZOMBIES, *SCALING), (1.0, 5.0), ("zombie-at-shard-end", "kill-child-in-put")
)
DECKS = (PROCESSES, STREAM, S3, DYNAMODB)


def allowed(only: tuple[str, ...]) -> list[Deck[World]]:
    """The decks with nothing but these kinds; all of it when none are named. Raises UserError for an unknown kind."""
    kinds = {act.kind for deck in DECKS for act in deck.acts}
    if unknown := set(only) - kinds:
        raise UserError(f"there is no {', '.join(sorted(unknown))} to draw; there are {', '.join(sorted(kinds))}")
    if not only:
        return list(DECKS)
    kept = [
        replace(
            deck,
            acts=[act for act in deck.acts if act.kind in only],
            first=[kind for kind in deck.first if kind in only],
        )
        for deck in DECKS
    ]
    return [deck for deck in kept if deck.acts]
