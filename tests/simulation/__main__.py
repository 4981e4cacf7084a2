"""`./run_tests.sh simulate`: the real consumer under random schedules of faults, as many as wanted.

Exit status: 0 when every invariant held in every schedule; 1 when one did not, then the failing schedule is made as
small as it gets and its history printed; 2 for wrong options; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence

from articles.progress import Progress, note
from tests.simulation.bucket import STEPS
from tests.simulation.campaign import Result, campaign, run
from tests.simulation.schedule import ACTS, Schedule, shrink

FIGURES = ("schedules", "records", "crashes", "adoptions", "lost", "repeated")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    start = time.monotonic()
    try:
        with Progress("schedules") as progress:
            if options.acts is not None:
                result = run([Schedule(options.seed, options.acts, frozenset(options.calm))])
            else:
                result = campaign(options.seed, options.schedules, options.seconds, options.processes, progress)
    except KeyboardInterrupt:
        return 130
    seconds = time.monotonic() - start
    small = None
    if result.failed is not None:
        print(f"seed {result.failed.seed} failed: {result.failure}\n  {command(result.failed)}", file=sys.stderr)
        small = _explain(result.failed)
    if options.json:
        print(json.dumps(_json(result, small, seconds)))
    else:
        print(_line(result.counts, seconds))
    return 1 if result.failed else 0


def _explain(failed: Schedule) -> Schedule:
    """Shrink it, and tell what happens in it."""
    small = shrink(failed, lambda smaller: note(f"shrunk to {len(smaller.acts)} acts"))
    history: list[str] = []
    violation = small.failure(history)
    for line in history:
        print(line, file=sys.stderr)
    print(f"{violation}\nto replay the shrunk schedule:\n  {command(small)}", file=sys.stderr)
    return small


def command(schedule: Schedule) -> str:
    """What replays exactly this schedule."""
    whole = f"./run_tests.sh simulate --seed {schedule.seed}"
    if schedule == Schedule(schedule.seed):
        return f"{whole} --schedules 1"
    calm = f" --calm {_numbers(sorted(schedule.calm))}" if schedule.calm else ""
    return f"{whole} --acts {_numbers(schedule.acts)}{calm}"


def _numbers(numbers: Sequence[int]) -> str:
    return ",".join(str(number) for number in numbers) or "none"


def _line(counts: Counter[str], seconds: float) -> str:
    figures = ", ".join(f"{counts[name]:,} {name}" for name in FIGURES)
    rate = counts["schedules"] / seconds * 60
    return f"{figures} ({counts['reshards']:,} reshards, {counts['stops']:,} stops, {rate:,.0f} schedules a minute)"


def _json(result: Result, small: Schedule | None, seconds: float) -> dict[str, object]:
    counts = result.counts
    crashes = {step: counts[f"crash {step}"] for step in STEPS}
    more = ("objects", "reshards", "stops", "handed over", "lost answers", "conflicts", "trims", "clock jumps")
    return {
        **{name: counts[name] for name in FIGURES},
        **{name.replace(" ", "_"): counts[name] for name in (*more, "lease damage", "recreated")},
        "crashes_at": crashes,
        "seconds": round(seconds, 3),
        "failed_seed": result.failed.seed if result.failed else None,
        "failure": str(result.failure) if result.failure else None,
        "replay": command(small) if small else None,
    }


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run_tests.sh simulate",
        description="The real consumer on a fake daemon, bucket, lease table and clock, under random faults at every "
        "step of I/O. After each schedule every record put must be stored exactly once.",
        epilog="The last line has the figures. Exit status: 0 all went well, 1 a schedule failed (it is printed, made "
        "small, with the command that replays it), 2 wrong options.",
    )
    parser.add_argument("--schedules", type=_positive, help="how many (default: 1000, with --seconds no bound)")
    parser.add_argument("--seed", type=int, help="of the first schedule, the next ones count up (default: the time)")
    parser.add_argument("--seconds", type=float, help="stop after so many")
    parser.add_argument("--processes", type=_positive, default=1, help="how many at a time (default: 1)")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    parser.add_argument("--acts", type=_acts, help="run one schedule with only these acts: 3,7,12 (to replay)")
    parser.add_argument("--calm", type=_acts, default=(), help="acts in which nothing fails, beside --acts")
    options = parser.parse_args(arguments)
    if options.acts is not None and options.seed is None:
        parser.error("--acts needs the --seed of its schedule")
    if options.seed is None:
        options.seed = int(time.time())
        note(f"--seed {options.seed}")
    if options.schedules is None and options.seconds is None:
        options.schedules = 1000
    options.processes = min(options.processes, 4 * (os.cpu_count() or 1))
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def _acts(text: str) -> tuple[int, ...]:
    numbers = tuple(int(part) for part in text.split(",")) if text != "none" else ()
    if any(not 1 <= number <= ACTS for number in numbers):
        raise argparse.ArgumentTypeError(f"acts are numbered from 1 to {ACTS}")
    return numbers


if __name__ == "__main__":
    sys.exit(main())
