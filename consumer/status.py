"""`./run_kcl.sh status`: what the worker with these settings on this host is doing, from its state directory.

The numbers are the worker's own, since its children started; what is stored in all is `articles average`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

from consumer.launcher import PROFILE_DEFAULTS
from consumer.live import Live, WorkerAggregate, aggregate, read_shards
from consumer.properties import PROFILES
from consumer.settings import Settings, SettingsError, read_settings
from consumer.state_dir import folder_of

SILENT_SECONDS: Final = 30.0
"""Children speak about once a second, but not while a call of theirs waits for S3."""


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 1 where a shard is parked, 2 where no worker with these settings has run here."""
    parser = argparse.ArgumentParser(
        prog="run_kcl.sh status",
        description="What the worker with these settings on this host is doing: its shards, and its own average.",
        epilog="Exit status 1 when a shard is parked, 2 when no worker with these settings has run here.",
    )
    parser.add_argument("--profile", choices=PROFILES, default="production", help="whose defaults (production)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    try:
        settings = read_settings(os.environ, PROFILE_DEFAULTS[args.profile])
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"run_kcl.sh status: {problem}\n")
        return 2
    folder = folder_of(settings)
    shards = read_shards(folder)
    if not shards:
        sys.stderr.write(
            f"run_kcl.sh status: nothing in {folder}: worker {settings.worker_id} has not run here, or has no shard\n"
        )
        return 2
    worker = aggregate(shards)
    sys.stdout.write(_json(settings, worker, shards) if args.json else _text(settings, worker, shards))
    return 1 if worker.parked else 0


def _json(settings: Settings, worker: WorkerAggregate, shards: Sequence[Live]) -> str:
    average = {"words": worker.words, "records": worker.records, "value": worker.average}
    said = {"worker": settings.worker_id, "average_word_count": average, "objects": worker.objects}
    return json.dumps(said | {"parked": worker.parked, "shards": [asdict(shard) for shard in shards]}) + "\n"


def _text(settings: Settings, worker: WorkerAggregate, shards: Sequence[Live]) -> str:
    lines = [f"{'shard':<22}{'records':>10}{'rejected':>10}{'files':>7}{'buffered':>10}{'behind':>10}  seen"]
    for shard in shards:
        behind = "-" if shard.millis_behind is None else f"{shard.millis_behind / 1000:.0f} s"
        seen = "ended" if shard.ended else f"{max(0.0, time.time() - shard.updated):.0f} s ago"
        lines.append(
            f"{shard.shard:<22}{shard.records:>10,}{shard.rejected:>10,}{shard.objects:>7,}{shard.buffered:>10,}"
            f"{behind:>10}  {f'PARKED: {shard.parked}' if shard.parked else seen}"
        )
    if worker.average is None:
        average = "no record stored yet"
    else:
        average = f"average {worker.average:.3f} = {worker.words:,} words / {worker.records:,} articles"
    lines.append(f"{settings.worker_id}, since its start: {average}")
    silent = min((time.time() - shard.updated for shard in shards if not shard.ended), default=0.0)
    if silent > SILENT_SECONDS:
        lines.append(f"nothing was heard of it for {silent:.0f} s: it has stopped, or waits for S3")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
