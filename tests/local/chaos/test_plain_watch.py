"""What the plain consumer stored, held against the ledger: lost, repeated, or merely not there yet."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from articles.aws import Lease
from local.chaos.plain_watch import reaches, tally

SHARD = "shardId-000000000000"


def lease(checkpoint: str) -> Lease:
    return Lease(SHARD, checkpoint, 0, "worker-1", 1, (), 0)


def test_lost_is_what_the_checkpoint_has_passed(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    put = [(number, sub) for number in (10, 20, 30, 40) for sub in (0, 1)]
    ledger.write_text(
        "".join(
            json.dumps({"shard": SHARD, "sequence_number": str(number), "sub_sequence_number": sub, "words": 1}) + "\n"
            for number, sub in put
        )
    )
    found = Counter({(SHARD, 10, 0): 3, (SHARD, 10, 1): 1, (SHARD, 30, 0): 2, (SHARD, 30, 1): 1, (SHARD, 7, 0): 1})
    said = tally(ledger, found, 5, {SHARD: lease("30")})
    assert said["counts"] == {"lost": 2, "repeated": 3, "behind": 2, "unknown": 1}
    assert [finding["code"] for finding in said["findings"]] == ["lost", "repeated"]
    assert (said["ok"], said["records"], said["objects"], said["shards"]) == (False, 5, 5, 1)


def test_a_checkpoint_reaches_what_is_not_behind_it() -> None:
    assert reaches(lease("30"), 30)
    assert not reaches(lease("30"), 31)
    assert not reaches(lease("TRIM_HORIZON"), 1)
    assert reaches(lease("SHARD_END"), 99)
    assert not reaches(None, 1)
