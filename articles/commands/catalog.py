"""`articles catalog build`, `list`, `show` and `diff`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Final

from articles import location, options
from articles.catalog import manifest
from articles.catalog.manifest import Manifest
from articles.clock import SystemClock
from articles.commands import table
from articles.errors import UserError
from articles.groups import Group
from articles.keys import Layout
from articles.progress import Progress, note
from articles.retry import RetryingStore
from articles.scan import many

SHOWN: Final = 20
_WHERE: Final = "s3://bucket/prefix, a folder, or another URL, instead of --bucket and --prefix"


_BUILD_EPILOG: Final = (
    "Files that are damaged are named and left out, and looked at again by the next build. It may be stopped at any\n"
    "point, and several may run at once. When nothing is new there is no new snapshot. With --stream only that\n"
    "stream's chains go on; the others stay as the newest snapshot has them."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "A snapshot is a numbered, immutable list of the stored files, with what a reader needs to know of each.\n"
        "Training on a snapshot sees the same records in the same order for ever; `average` goes on from the newest."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, (add, _, summary, epilog) in _COMMANDS.items():
        described = summary[0].upper() + summary[1:] + "."
        kind = argparse.RawDescriptionHelpFormatter
        sub = commands.add_parser(name, help=summary, description=described, epilog=epilog, formatter_class=kind)
        add(sub)
        options.add_location(sub)


def run(args: argparse.Namespace) -> int:
    return _COMMANDS[args.command][1](args)


def _add_build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", metavar="URI", nargs="?", help=_WHERE)
    parser.add_argument(
        "--headers-only",
        action="store_true",
        help="do not read whole files: quicker, but readers cannot filter by words, split or drop duplicates, and "
        "neither digests nor counts are checked; a later build without this reads what is missing",
    )
    parser.add_argument(
        "--retention-hours",
        metavar="N",
        type=int,
        default=24,
        help="how long the stream keeps records (default 24): where a chain paused longer, records may be lost",
    )


def _build(args: argparse.Namespace) -> int:
    from articles.catalog.build import build
    from articles.catalog.gather import Options

    if args.retention_hours <= 0:
        raise UserError("--retention-hours must be positive")
    store, layout, _ = _where(args)
    wanted = Options(rows=not args.headers_only, retention_hours=args.retention_hours)
    with Progress("files") as progress:
        built = build(store, layout, options.selection(args), SystemClock(), wanted, progress)
    found = built.manifest
    if built.strangers:
        beside = table.count(len(built.strangers), "object")
        note(f"{beside} that no chain leads to, left out: {built.strangers[0]}, …; `articles verify` says more")
    for one in found.damaged[:SHOWN]:
        note(f"left out: {layout.whole(one.key)}: {one.problem}")
    if len(found.damaged) > SHOWN:
        note(f"… and {len(found.damaged) - SHOWN:,} more, in `articles catalog show`")
    if args.json:
        print(table.as_json({"new": built.new, **_summary(found)}))
    elif not built.new:
        print(f"nothing new since snapshot {found.number}, of {found.made}")
    else:
        before = built.base.totals if built.base else manifest.Totals()
        links, records = found.totals.links - before.links, found.totals.records - before.records
        print(f"snapshot {found.number}: {table.count(links, 'file')} and {table.count(records, 'record')} more")
        print("\n".join(_lines(found)))
    return 0


def _add_words(*metavar: str) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        said = "; ".join(part for part in ("a snapshot's number" * ("NUMBER" in metavar), _WHERE) if part)
        parser.add_argument("words", metavar="|".join(metavar), nargs="*", help=said)
        if metavar.count("NUMBER") == 2:
            parser.add_argument("--keys", action="store_true", help="print the keys of the new files, and nothing else")

    return add


def _list(args: argparse.Namespace) -> int:
    store, layout, _ = _where(args, 0)
    found = list(many(lambda number: manifest.load(store, layout, number), manifest.numbers(store, layout), 8, 16))
    if args.json:
        print(table.as_json({"snapshots": [_summary(one) for one in found]}))
        return 0
    if not found:
        raise UserError(f"there is no snapshot under {layout.prefix!r} yet: run `articles catalog build`")
    heads = ("snapshot", "made", "files", "records", "words", "size", "complete to", "left out")
    rows = [
        (
            str(one.number),
            one.made,
            one.totals.links,
            one.totals.records,
            one.totals.words,
            table.size(one.totals.bytes),
            one.complete or "-",
            len(one.damaged),
        )
        for one in found
    ]
    print("\n".join(table.lines(heads, rows, (0, 2, 3, 4, 5, 7))))
    return 0


def _show(args: argparse.Namespace) -> int:
    store, layout, numbers = _where(args, 1)
    found = _load(store, layout, numbers[0] if numbers else None)
    if args.json:
        print(found.to_json().decode())
        return 0
    print(f"snapshot {found.number} of {found.made}")
    print("\n".join(_lines(found)))
    labels = table.labels(found.chains)
    rows = [
        (labels[shard], end.group.totals.good, end.group.totals.words, end.group.objects, str(end.state))
        for shard, end in sorted(found.chains.items())
    ]
    print()
    print("\n".join(table.lines(("shard", "records", "words", "files", "up to"), rows[:SHOWN], (1, 2, 3))))
    if len(rows) > SHOWN:
        print(f"… and {len(rows) - SHOWN:,} shards more; --json has them all")
    for loss in found.losses:
        print(f"possible loss: {loss['shard']} {loss['position']}: {loss['message']}")
    for one in found.damaged:
        print(f"left out: {layout.whole(one.key)}: {one.problem}")
    return 0


def _diff(args: argparse.Namespace) -> int:
    from articles.catalog.diff import difference, new_keys

    store, layout, numbers = _where(args, 2)
    newer = _load(store, layout, numbers[1] if len(numbers) > 1 else None)
    earlier = [number for number in manifest.numbers(store, layout) if number < newer.number]
    if not numbers and not earlier:
        raise UserError(f"snapshot {newer.number} is the first: there is nothing to compare it with")
    older = _load(store, layout, numbers[0] if numbers else earlier[-1])
    if args.keys:
        for key in new_keys(store, layout, older, newer):
            print(key)
        return 0
    found = difference(older, newer)
    if args.json:
        print(table.as_json({"from": older.number, "to": newer.number, **found.to_json()}))
        return 0
    more = found.totals
    print(f"from snapshot {older.number} of {older.made} to {newer.number} of {newer.made}")
    print(f"  {more.links:+,} files, {more.records:+,} records, {more.words:+,} words, {more.bytes:+,} bytes")
    for date, (before, after) in found.dates.items():
        records, files = after.totals.good - before.totals.good, after.objects - before.objects
        print(f"  dt={date}  {records:+,} records in {files:+,} files")
    for shard, (start, end) in found.chains.items():
        print(f"  {shard.stream}/{shard.shard}  {start or 'nothing'} → {end or 'nothing'}")
    for what, ones in (("left out", found.damaged), ("no more left out", found.mended)):
        for one in ones:
            print(f"  {what}: {layout.whole(one.key)}: {one.problem}")
    return 0


def _where(args: argparse.Namespace, numbers: int = 0) -> tuple[RetryingStore, Layout, Sequence[int]]:
    """The store, and what else was given: up to that many snapshots' numbers."""
    words = [args.words] if isinstance(args.words, str) else args.words or []
    given = [int(word) for word in words if word.isdecimal()]
    uris = [word for word in words if not word.isdecimal()]
    if len(given) > numbers or len(uris) > 1:
        raise UserError(f"{' '.join(words)!r} is too much; see --help (a folder whose name is a number: ./{words[-1]})")
    if uris:
        return *location.open_uri(uris[0], args.region, args.endpoint_url), given
    return options.open_store(args), options.layout(args), given


def _load(store: RetryingStore, layout: Layout, number: int | None) -> Manifest:
    found = manifest.newest(store, layout) if number is None else manifest.load(store, layout, number)
    if found is None:
        raise UserError(f"there is no snapshot under {layout.prefix!r} yet: run `articles catalog build`")
    return found


def _lines(found: Manifest) -> Sequence[str]:
    totals = found.totals
    mean = _all(found).value
    counts = (table.count(totals.links, "file"), table.count(totals.records, "record"), table.size(totals.bytes))
    return [
        f"  {', '.join((*counts, table.count(len(found.chains), 'shard')))}",
        f"  average word count {'-' if mean is None else f'{mean:.6f}'}",
        f"  complete up to {found.complete or '- (no day yet)'}, as far as the bucket knows",
        f"  {table.count(len(found.segments), 'segment')}, {'with' if found.rows else 'without'} the files' records",
        f"  {table.count(len(found.damaged), 'file')} left out, possible losses: {len(found.losses):,}",
    ]


def _all(found: Manifest) -> Group:
    return sum((end.group for end in found.chains.values()), Group())


def _summary(found: Manifest) -> dict[str, object]:
    return {
        "number": found.number,
        "made": found.made,
        "totals": asdict(found.totals),
        "average": _all(found).value,
        "complete": found.complete,
        "rows": found.rows,
        "shards": len(found.chains),
        "segments": len(found.segments),
        "possible_losses": len(found.losses),
        "damaged": [asdict(one) for one in found.damaged],
    }


_Add = Callable[[argparse.ArgumentParser], None]
_Run = Callable[[argparse.Namespace], int]
_COMMANDS: Final[dict[str, tuple[_Add, _Run, str, str]]] = {
    "build": (
        _add_build,
        _build,
        "make the next snapshot: only what the newest one has not is read",
        _BUILD_EPILOG,
    ),
    "list": (_add_words("URI"), _list, "the snapshots that there are", ""),
    "show": (_add_words("NUMBER", "URI"), _show, "one snapshot, the newest by default", ""),
    "diff": (
        _add_words("NUMBER", "NUMBER", "URI"),
        _diff,
        "what a snapshot has that an older one has not",
        "Without numbers the newest and the one before; with one number: that one and the newest.",
    ),
}
