"""`articles dead-letters replay`."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import takewhile
from types import FrameType, TracebackType
from typing import Final

from articles import aws, options
from articles.clock import SystemClock
from articles.commands import table
from articles.commands.dead_letters import Letters, add_selection, add_what, at, wanted
from articles.dead_letters import DeadLetter
from articles.errors import UserError
from articles.progress import note
from articles.put_records import Outgoing, Placed, put_records
from articles.replay import Marks, Outcome, Replay, What

Check = Callable[[bytes], str | None]
"""Why the consumer would reject a payload; None when it would not."""
FINE: Final = {What.PUT, What.WOULD_PUT, What.REPLAYED}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "A replayed record is a new record with a new position, put under its old partition key; the dead letter\n"
        "stays where it is. What this version of the consumer would reject is not put. Before a record is put it is\n"
        "claimed under <prefix>/replayed/, afterwards marked as put, and never put again. Where a replay was cut\n"
        "short between the two, nobody knows whether the record is on the stream: only --again puts it again.\n"
        "Exit status 1 when a selected record was not put."
    )
    add_what(parser, count="*")
    parser.add_argument("--all", action="store_true", help="everything that was not replayed yet")
    parser.add_argument(
        "--map",
        metavar="COMMAND",
        help="mends a payload: reads it on standard input and writes the new one; another exit status than 0 skips the "
        "record. Run without a shell; POSITION, REASON and SHARD are in its environment",
    )
    parser.add_argument("--again", action="store_true", help="also what a replay that was cut short has left in doubt")
    parser.add_argument("--dry-run", action="store_true", help="mend and check, put and mark nothing")
    add_selection(parser)
    options.add_location(parser)


def run(args: argparse.Namespace, check: Check) -> int:
    if not (args.what or args.reason or args.shard or args.date or args.all):
        raise UserError("which ones? Give positions, files, --reason, --shard, --date, or --all")
    if not args.stream:
        raise UserError("into which stream? Give --stream or set STREAM_NAME")
    layout, clock = options.layout(args), SystemClock()
    store = options.open_store(args)
    kinesis = aws.client("kinesis", region=args.region, endpoint_url=args.endpoint_url, tries_again=False)
    aws.describe_stream(kinesis, args.stream)  # a wrong name is told before anything is claimed

    def put(records: Sequence[Outgoing]) -> list[Placed | str]:
        return put_records(kinesis, args.stream, records, clock)

    mend = Mend(args.map, check)
    replay = Replay(Marks(store, layout, clock), mend, put, again=args.again, dry_run=args.dry_run)
    letters = Letters(store, layout, wanted(args, layout))
    counts: Counter[What] = Counter()
    with Interrupted() as interrupted:
        try:
            for outcome in replay.run(takewhile(lambda _: not interrupted.seen, letters)):
                counts[outcome.what] += 1
                _print(outcome, as_json=args.json)
        finally:
            _summarize(counts, as_json=args.json)
        if interrupted.seen:
            raise KeyboardInterrupt
    if not counts and not letters.problems:
        note("nothing is selected; `articles dead-letters list` shows what there is")
    return 0 if set(counts) <= FINE and not letters.problems else 1


def _print(outcome: Outcome, *, as_json: bool) -> None:
    letter, placed = outcome.letter, outcome.placed
    if as_json:
        said = {"shard": letter.shard.shard, "position": at(letter.position), "key": letter.key}
        now = {"shard": placed.shard, "sequence_number": placed.sequence_number} if placed else None
        print(table.as_json({**said, "outcome": outcome.what.value, "why": outcome.why or None, "now": now}))
        return
    tail = f" -> {placed.shard} {placed.sequence_number}" if placed else f": {outcome.why}" if outcome.why else ""
    print(f"{outcome.what.value:<15}  {letter.shard.shard}  {at(letter.position)}{tail}")


def _summarize(counts: Counter[What], *, as_json: bool) -> None:
    if as_json:
        print(table.as_json({"totals": {what.value: counts[what] for what in What}}))
    else:
        print(", ".join(f"{counts[what]:,} {what.value}" for what in What if counts[what]) or "nothing to replay")


class Interrupted:
    """Ctrl-C, while entered, only sets `seen`: what is claimed is put and marked before the command ends."""

    def __init__(self) -> None:
        self.seen = False

    def __enter__(self) -> Interrupted:
        self._before = signal.signal(signal.SIGINT, self._see)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _see(self, _number: int, _frame: FrameType | None) -> None:
        self.seen = True


class Mend:
    """The payload to put. Raises UserError where the command fails, or the consumer would reject what it made."""

    def __init__(self, command: str | None, check: Check) -> None:
        self._check = check
        try:
            self._words = shlex.split(command) if command else []
        except ValueError as error:
            raise UserError(f"--map {command!r}: {error}") from error
        if self._words and not shutil.which(self._words[0]):
            raise UserError(f"--map: there is no command {self._words[0]!r}")

    def __call__(self, letter: DeadLetter) -> bytes:
        data = self._mapped(letter) if self._words else letter.payload
        if why := self._check(data):
            raise UserError(f"it would be rejected again: {why}")
        return data

    def _mapped(self, letter: DeadLetter) -> bytes:
        said = {"POSITION": at(letter.position), "REASON": letter.reason, "SHARD": letter.shard.shard}
        done = subprocess.run(
            self._words, input=letter.payload, stdout=subprocess.PIPE, env=os.environ | said, check=False
        )
        if done.returncode:
            raise UserError(f"--map ended with status {done.returncode}")
        return done.stdout
