"""`articles dead-letters list` and `show`."""

from __future__ import annotations

import argparse
import base64
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from articles import options
from articles.clock import SystemClock
from articles.commands import table
from articles.dead_letters import DeadLetter, Wanted, files
from articles.errors import ChainError, UserError
from articles.keys import Layout
from articles.position import Position
from articles.progress import Progress, note
from articles.replay import Marks
from articles.retry import RetryingStore
from articles.scan import Selection

SHOWN_CHARACTERS: Final = 2000
_POSITION: Final = re.compile(r"(\d{1,56})(?::(\d{1,10}))?", re.ASCII)


def add_selection(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("which")
    group.add_argument("--reason", metavar="R", action="append", default=[], help="only those; may be given again")
    group.add_argument("--shard", metavar="ID", help="only this shard: shardId-000000000003, or 3")
    group.add_argument("--date", metavar="YYYY-MM-DD", help="only this page (dt=…)")


def add_what(parser: argparse.ArgumentParser, *, count: int | str) -> None:
    parser.add_argument(
        "what",
        metavar="POSITION|KEY",
        nargs=count,
        help="a record, as `list` names it (sequence number, or sequence:sub-sequence number), or a dead-letter file",
    )


def add_list(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Only files that a stored link names: what a lost race left over is never listed. A record that was replayed\n"
        "says so; one in doubt was claimed by a replay that did not end (see `replay --help`)."
    )
    add_selection(parser)
    options.add_location(parser)


def add_show(parser: argparse.ArgumentParser) -> None:
    add_what(parser, count=1)
    parser.add_argument("--raw", action="store_true", help="the payload alone, byte for byte; for one record")
    add_selection(parser)
    options.add_location(parser)


def wanted(args: argparse.Namespace, layout: Layout) -> Wanted:
    """What the options say. Raises UserError."""
    keys: set[str] = set()
    positions: set[tuple[int, int | None]] = set()
    for what in getattr(args, "what", ()):
        if match := _POSITION.fullmatch(what):
            positions.add((int(match[1]), int(match[2]) if match[2] else None))
            continue
        key = options.key(what, args.bucket)
        key = key if key.startswith(f"{layout.prefix}/") else f"{layout.prefix}/{key}"
        if not layout.is_dead_letter(key):
            raise UserError(
                f"{what!r} is neither a position nor a dead-letter file; `articles dead-letters list` has both"
            )
        keys.add(key)
    chains = Selection(stream=args.stream, shard=options.shard(args.shard), page=options.date(args.date))
    return Wanted(chains, frozenset(args.reason), frozenset(keys), frozenset(positions))


class Letters:
    """Iterates over what is wanted. `problems` counts the files that could not be read, each of which was told."""

    def __init__(self, store: RetryingStore, layout: Layout, which: Wanted) -> None:
        self._store, self._layout, self._which = store, layout, which
        self.problems = 0

    def __iter__(self) -> Iterator[DeadLetter]:
        with Progress("dead-letter files") as progress:
            for file in files(self._store, self._layout, self._which, progress):
                progress.clear()
                if file.problem:
                    self.problems += 1
                    note(f"{file.key}: {file.problem}; `articles verify --deep` looks closer")
                yield from (letter for letter in file.letters() if self._which.takes(letter))


def run_list(args: argparse.Namespace) -> int:
    layout = options.layout(args)
    store = options.open_store(args)
    marks = Marks(store, layout, SystemClock())
    letters = Letters(store, layout, wanted(args, layout))
    reasons: Counter[str] = Counter()
    states: Counter[str] = Counter()
    size, key = 0, ""
    for letter in letters:
        state = _state(marks, letter)
        if args.json:  # written as it comes
            print(("," if reasons else '{"dead_letters": [') + "\n" + table.as_json(_said(letter, state)), end="")
        else:
            if letter.key != key:
                print(f"{letter.key}")
            print(_row(letter, state))
        key = letter.key
        reasons[letter.reason] += 1
        states[state] += bool(state)
        size += len(letter.payload)
    counts = dict(reasons.most_common())
    summed = {
        "records": reasons.total(),
        "bytes": size,
        "reasons": counts,
        "states": {s: n for s, n in states.items() if s},
    }
    if args.json:
        print(("" if reasons else '{"dead_letters": [') + "\n" + f'], "totals": {table.as_json(summed)}' + "}")
    else:
        each = "".join(f"; {number:,} {name}" for name, number in (*counts.items(), *states.items()) if number)
        print(f"{table.count(reasons.total(), 'dead letter')}, {table.size(size)}{each}")
    return 1 if letters.problems else 0


def run_show(args: argparse.Namespace) -> int:
    layout = options.layout(args)
    store = options.open_store(args)
    marks = Marks(store, layout, SystemClock())
    letters = Letters(store, layout, wanted(args, layout))
    found = list(islice(letters, 2)) if args.raw else letters
    if isinstance(found, list) and len(found) == 2:
        raise UserError(f"{args.what[0]} is more than one record; give the position, with its :sub-sequence number")
    count = 0
    for letter in found:
        count += 1
        if args.raw:
            sys.stdout.buffer.write(letter.payload)
        else:
            _show(letter, _state(marks, letter), as_json=args.json)
    if letters.problems:
        raise ChainError("a dead-letter file cannot be read")
    if not count:
        raise UserError(f"there is no dead letter {args.what[0]}; `articles dead-letters list` shows what there is")
    return 0


def _show(letter: DeadLetter, state: str, *, as_json: bool) -> None:
    if as_json:
        payload = {"base64": base64.b64encode(letter.payload).decode()}
        print(table.as_json({**_said(letter, state), "partition_key": letter.partition_key, "payload": payload}))
        return
    for name, value in {**_said(letter, state), "partition_key": letter.partition_key}.items():
        print(f"{name:<14} {'-' if value in (None, '') else printable(str(value))}")
    text = printable(letter.payload[:SHOWN_CHARACTERS].decode("utf-8", "backslashreplace"))
    left = len(letter.payload) - SHOWN_CHARACTERS
    print(f"\n{text}" + (f"\n… and {left:,} bytes more; --raw has them all" if left > 0 else "") + "\n")


def printable(text: str) -> str:
    """Payloads come from anywhere: nothing in them may move the terminal's cursor."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def moment(arrival: int | None) -> str:
    try:
        return (
            "-" if arrival is None else datetime.fromtimestamp(arrival / 1000, UTC).isoformat(timespec="milliseconds")
        )
    except (ValueError, OverflowError, OSError):
        return str(arrival)


def at(position: Position) -> str:
    return f"{position.number}:{position.sub}"


def _state(marks: Marks, letter: DeadLetter) -> str:
    mark = marks.of(letter)
    return "replayed" if mark.put else "in doubt" if mark.attempts else ""


def _row(letter: DeadLetter, state: str) -> str:
    size = table.size(len(letter.payload))
    cells = f"  {at(letter.position)}  {moment(letter.arrival)}  {letter.reason:<13}  {size:>9}  {letter.detail}"
    return cells + (f"  ({state})" if state else "")


def _said(letter: DeadLetter, state: str) -> dict[str, object]:
    return {
        "stream": letter.shard.stream,
        "shard": letter.shard.shard,
        "position": at(letter.position),
        "arrival": None if letter.arrival is None else moment(letter.arrival),
        "reason": letter.reason,
        "detail": letter.detail,
        "bytes": len(letter.payload),
        "key": letter.key,
        "state": state or None,
    }
