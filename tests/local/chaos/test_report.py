"""The verdict of a chaos run: what makes it fail, and what makes it worth little."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from articles.errors import UserError
from local.chaos.__main__ import parse
from local.chaos.decks import DECKS, allowed
from local.chaos.report import MUST_HAPPEN, Result, summary


def verified(**counts: int) -> dict[str, Any]:
    findings = [{"code": code, "severity": "error", "message": "m", "shard": "s", "position": "p"} for code in counts]
    return {
        "ok": not counts,
        "counts": counts,
        "findings": findings,
        "checked": [f"{number}: …" for number in (1, 2, 3, 4, 5, 6, 8)],
        "records": 90,
        "rejected": 10,
        "objects": 7,
        "shards": 3,
    }


GOOD = Result(
    seed=1,
    seconds=60.0,
    put=100,
    verify=verified(),
    problems=[],
    complaints=[],
    proofs=dict.fromkeys(MUST_HAPPEN, 1),
    faults={"kill-child": 2},
    restarts={"killed": 2},
    drained_seconds=3.0,
    longest_rest_seconds=9.0,
    looks=40,
    reshards=1,
    watched=(4, 7, 8),
    memory_mb={},
)


def test_a_good_run_ends_with_the_promised_figures() -> None:
    said = json.loads(json.dumps(GOOD.to_json()))
    assert said["ok"]
    assert (said["records_put"], said["records_stored"], said["records_rejected"]) == (100, 90, 10)
    assert (said["lost"], said["repeated"], said["adoptions"], said["restarts"]) == (0, 0, 1, 2)
    assert said["faults"] == {"kill-child": 2}
    assert said["invariants"] == {str(number): True for number in range(1, 10)}
    assert said["drained_seconds"] == 3.0
    assert said["unproven"] == []
    assert summary(GOOD)[-1] == "every record is stored exactly once"


@pytest.mark.parametrize(
    "code, invariant",
    [("lost", 1), ("repeated", 1), ("fork", 2), ("order", 3), ("lease_past_chain", 4), ("digest", 5), ("average", 6)],
)
def test_what_verify_finds_breaks_its_invariant(code: str, invariant: int) -> None:
    bad = replace(GOOD, verify=verified(**{code: 3}))
    assert [number for number, ok in bad.invariants.items() if not ok] == [invariant]
    assert not bad.ok
    assert summary(bad)[-1] == "NOT as promised"


def test_lost_and_repeated_are_counted() -> None:
    bad = replace(GOOD, verify=verified(lost=3, repeated=2))
    assert (bad.lost, bad.repeated) == (3, 2)


def test_what_was_seen_meanwhile_counts_although_verify_is_content() -> None:
    bad = replace(GOOD, problems=[(7, "a key has changed")])
    assert not bad.ok
    assert not bad.invariants[7]
    assert "WRONG: a key has changed" in summary(bad)


def test_what_never_drains_fails() -> None:
    bad = replace(GOOD, drained_seconds=None)
    assert not bad.invariants[9]
    assert bad.to_json()["drained_seconds"] is None


def test_a_parked_shard_fails() -> None:
    assert not replace(GOOD, complaints=["parked: a link is gone (1 times)"]).ok


def test_a_run_without_adoptions_says_that_it_has_proven_little() -> None:
    little = replace(GOOD, proofs={"adoptions": 0, "answers_lost": 4})
    assert little.ok
    assert little.unproven == ["no link was adopted", "no zombie put late", "no shard ended in adoption"]
    assert any(line.startswith("This run has proven little: no link was adopted;") for line in summary(little))


def test_what_was_not_asked_is_not_said_to_hold() -> None:
    plain = replace(GOOD, verify={**verified(repeated=2), "checked": ["1: …"]}, watched=())
    assert plain.invariants == {1: False, 9: True}
    assert replace(plain, proofs={}).unproven == []


def test_only_some_kinds_can_be_asked_for() -> None:
    (deck,) = allowed(("zombie", "kill-child"))
    assert {act.kind for act in deck.acts} == {"zombie", "kill-child"}
    assert deck.first == []
    assert allowed(()) == list(DECKS)
    with pytest.raises(UserError, match="there is no kill-chidl to draw"):
        allowed(("kill-chidl",))


def test_every_kind_has_a_name_of_its_own() -> None:
    kinds = {(act.kind, act.run) for deck in DECKS for act in deck.acts}
    assert len(kinds) == len({kind for kind, _ in kinds})
    assert all(set(deck.first) <= {act.kind for act in deck.acts} for deck in DECKS)


def test_more_workers_than_shards_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(["--workers", "3", "--shards", "2"])
    assert raised.value.code == 2
    assert "--workers 3" in capsys.readouterr().err
