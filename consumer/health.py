"""`python -m consumer.health`: is this worker getting on? For a container's health check: light, it reads files alone.

Unhealthy, with a line for each shard, where a shard of this worker is parked, has had records waiting for longer than
HEALTH_SECONDS without storing any, or has not been heard of for as long while its process lives. Healthy when there is
nothing to do: an idle shard, or none at all. What children that are gone left behind does not count.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from consumer.live import Live, read_shards
from consumer.settings import SettingsError, read_settings
from consumer.state_dir import folder_of


def problems(shards: Sequence[Live], now: float, seconds: float, lives: Callable[[int], bool]) -> Iterator[str]:
    """One line for each shard that does not get on; `lives` tells of a process id, `now` is in epoch seconds."""
    latest: dict[int, Live] = {}
    for live in shards:  # a process id may have been another child's before
        if live.pid not in latest or latest[live.pid].started < live.started:
            latest[live.pid] = live
    for live in sorted(latest.values(), key=lambda live: live.shard):
        if live.ended or not lives(live.pid):
            continue
        if live.parked:
            yield f"{live.shard} is parked: {live.parked}"
        elif now - live.updated > seconds:
            yield f"{live.shard} has not been heard of for {now - live.updated:.0f} s"
        elif live.updated - live.progressed > seconds:
            yield (
                f"{live.shard} has stored nothing for {live.updated - live.progressed:.0f} s with records waiting: "
                f"{live.buffered} here, {(live.millis_behind or 0) / 1000:.0f} s behind"
            )


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main() -> int:
    """0 when healthy, 1 when not, 2 when the settings make no sense."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"health: {problem}\n")
        return 2
    found = list(problems(read_shards(folder_of(settings)), time.time(), settings.health_seconds, alive))
    sys.stdout.write("".join(f"{line}\n" for line in found) or "healthy\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
