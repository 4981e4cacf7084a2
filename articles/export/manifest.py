"""What an export says of itself: `manifest.json`, created last, once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from articles import __version__, schema
from articles.catalog.snapshot import Snapshot
from articles.errors import ChainError, UserError
from articles.export.make import Made
from articles.export.plan import FORMAT, Plan
from articles.keys import Layout
from articles.retry import RetryingStore

NAME: Final = "manifest.json"


def build(snapshot: Snapshot, plan: Plan, source: str, made: Sequence[Made]) -> dict[str, Any]:
    """Raises ChainError when the files do not hold what they must: nothing may be missing silently."""
    lost = sorted({one for file in made for one in file.lost})
    records, words = sum(one.records for one in made), sum(one.words for one in made)
    erased = plan.records - sum(count for _, _, count in lost) - records
    if erased < 0 or (erased and not plan.erased):
        raise ChainError(
            f"the files hold {records:,} records, {plan.records:,} were to be exported and {len(lost):,} blocks could "
            "not be read: this must not happen; delete what is there and export again"
        )
    before = snapshot.totals
    return {
        "format": FORMAT,
        "export": plan.fingerprint,
        "software": __version__,
        "schema": schema.VERSION,
        "source": source,
        "snapshot": snapshot.number,
        "segments": [{"name": one.name, "digest": one.digest} for one in snapshot.manifest.segments],
        "options": plan.options.to_json(),
        "totals": {
            "files": len(made),
            "records": records,
            "words": words,
            "bytes": sum(one.bytes for one in made),
            "duplicates": before.records - plan.records,
            "tombstones": erased,
            "set_aside": sum(count for _, _, count in lost),
        },
        "average": {"before": _mean(before.words, before.records), "after": _mean(words, records)},
        "damaged": [{"key": key, "problem": problem} for key, problem in snapshot.damaged],
        "set_aside": [{"key": key, "problem": problem, "records": count} for key, problem, count in lost],
        "files": [
            {
                "name": one.part.name,
                "records": one.records,
                "words": one.words,
                "bytes": one.bytes,
                "sha256": one.sha256,
            }
            for one in made
        ],
    }


def read(store: RetryingStore, layout: Layout) -> dict[str, Any] | None:
    """Raises UserError for one that is none."""
    key = layout.whole(NAME)
    body = store.read(key)
    if body is None:
        return None
    try:
        found = json.loads(body)
    except ValueError as error:
        raise UserError(f"{key} is no export's manifest: give another --to") from error
    if not isinstance(found, dict):
        raise UserError(f"{key} is no export's manifest: give another --to")
    return found


def create(store: RetryingStore, layout: Layout, said: dict[str, Any]) -> None:
    """Raises UserError where there is another one."""
    body = json.dumps(said, indent=1, ensure_ascii=False).encode()
    key = layout.whole(NAME)
    if store.create(key, body, {}) and store.read(key) != body:
        raise UserError(f"{key} is there already, of another export: give another --to")


def _mean(words: int, records: int) -> float | None:
    return words / records if records else None
