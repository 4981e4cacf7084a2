"""`articles rewrite`."""

from __future__ import annotations

import argparse
from pathlib import Path

from articles import location, options
from articles.clock import SystemClock
from articles.commands import table
from articles.errors import UserError
from articles.groups import Group
from articles.progress import Progress, note
from articles.rewrite import SHOWN, Rewritten, rewrite
from articles.rewrite_letters import Unpack
from articles.rewrite_link import Place


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "The new prefix holds the same chains under the same names, so that consumers go on in it; files that hold\n"
        "nothing to be erased keep their blocks as they are. All streams go along, whatever --stream says. The old\n"
        "prefix is not changed: delete it, with all versions, once the new one is in use and verified.\n\n"
        "May be stopped at any point and run again, and then does only what is new. Workers may write to the old\n"
        "prefix meanwhile: tombstones; rewrite; stop the workers; rewrite again; start them with the new PREFIX;\n"
        "`articles verify --deep`. What has been erased is what had a tombstone at the first run. docs/erasure.md\n"
        "says what remains elsewhere."
    )
    parser.add_argument(
        "uri",
        metavar="URI",
        nargs="?",
        help="the old prefix, s3://bucket/prefix or a folder, instead of --bucket and --prefix",
    )
    parser.add_argument(
        "--to", metavar="URI", required=True, help="the new prefix, which holds nothing: s3://bucket/prefix"
    )
    parser.add_argument(
        "--drop-unclear-dead-letters",
        action="store_true",
        help="leave out dead letters in which no article_id can be made out, too: else they stay, and are named",
    )
    options.add_location(parser)


def run(args: argparse.Namespace, unpack: Unpack) -> int:
    if args.uri:
        source, origin = Place(*location.open_uri(args.uri, args.region, args.endpoint_url)), _plain(args.uri)
    else:
        source = Place(options.open_store(args), options.layout(args))
        origin = f"s3://{args.bucket}/{source.layout.prefix}"
    goal = _plain(args.to)
    if f"{goal}/".startswith(f"{origin}/") or f"{origin}/".startswith(f"{goal}/"):
        raise UserError(f"--to {goal} and the old prefix, {origin}, must not lie one inside the other")
    target = Place(*location.open_uri(args.to, args.region, args.endpoint_url))
    with Progress("files") as progress:
        found = rewrite(
            source,
            target,
            origin,
            SystemClock(),
            unpack,
            unclear=not args.drop_unclear_dead_letters,
            progress=progress,
        )
    _note(found)
    if args.json:
        print(table.as_json(_json(found, goal)))
    else:
        _print(found, goal)
    return 0


def _plain(uri: str) -> str:
    if location.is_remote(uri):
        return uri.rstrip("/")
    return str(Path(uri.removeprefix("file://")).expanduser().resolve())


def _note(found: Rewritten) -> None:
    if found.strangers:
        many = "at least " * (len(found.strangers) == SHOWN) + table.count(len(found.strangers), "object")
        note(f"{many} that no chain leads to, not copied: {found.strangers[0]}, …")
    if found.late:
        note(
            f"{table.count(found.late, 'tombstone')} younger than this rewrite: it still holds their articles. Rewrite "
            "into another prefix, or later from this one"
        )
    for one in found.unclear:
        note(f"a dead letter in which no article_id can be made out stays: {one.key} at {one.position}")
    if found.sums.unclear > len(found.unclear):
        note(f"{found.sums.unclear:,} such dead letters in all runs; rewritten/ in the new prefix names them")


def _json(found: Rewritten, goal: str) -> dict[str, object]:
    sums = found.sums
    return {
        "source": found.plan.source,
        "target": goal,
        "begun": found.plan.made,
        "tombstones": len(found.plan.tombstones),
        "late_tombstones": found.late,
        "new_files": found.files,
        **sums.to_json(),
        "average": {"before": Group(sums.before).value, "left": Group(sums.left).value},
        "unclear_dead_letters": sums.unclear,
        "strangers": found.strangers,
    }


def _print(found: Rewritten, goal: str) -> None:
    sums = found.sums
    looked = f"{table.count(found.files, 'new file')} in this run, {table.count(sums.files, 'file')} in all"
    print(f"{found.plan.source} → {goal}: {looked}, {sums.changed:,} without something")
    rows = [
        (name, totals.good, totals.words, totals.rejected, "-" if value is None else f"{value:.6f}")
        for name, totals in (("before", sums.before), ("erased", sums.erased), ("left", sums.left))
        for value in [Group(totals).value]
    ]
    for line in table.lines(("", "records", "words", "rejected", "average"), rows, range(1, 5)):
        print(line)
    print("before − erased = left, and the new prefix's own counts are these")
