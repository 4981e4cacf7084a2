"""`articles tombstone`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from articles import options, tombstones
from articles.clock import SystemClock
from articles.commands import table
from articles.errors import UserError
from articles.keys import Layout
from articles.retry import RetryingStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "What has a tombstone is not given to training, not exported, and not shown by `articles head`. The files\n"
        "still hold it, and any other reader still sees it: `articles rewrite` writes them without it. A tombstone\n"
        "holds a digest of the id, not the id, and cannot be taken back by a command."
    )
    parser.add_argument("ids", metavar="ARTICLE_ID", nargs="*", help="articles that must go, by their article_id")
    parser.add_argument("--file", metavar="FILE", help="more ids, one a line; - for standard input")
    parser.add_argument("--reason", metavar="TEXT", default="", help="kept with the tombstones; name no person")
    parser.add_argument("--list", action="store_true", help="show the tombstones that there are, and make none")
    options.add_location(parser)


def run(args: argparse.Namespace) -> int:
    layout, store = options.layout(args), options.open_store(args)
    ids = [*args.ids, *(_read(args.file) if args.file else ())]
    if args.list:
        if ids:
            raise UserError("--list makes none: give it without ids")
        return _list(store, layout, as_json=args.json)
    if not ids:
        raise UserError("which articles? Give their article_ids, or --file")
    made = [tombstones.add(store, layout, one, args.reason, SystemClock()) for one in ids]
    if args.json:
        said = [{"digest": tombstones.digest(one).hex(), "new": new} for one, new in zip(ids, made, strict=True)]
        print(table.as_json({"tombstones": said}))
        return 0
    had = len(made) - sum(made)
    print(f"{table.count(sum(made), 'tombstone')} made{f', {had:,} there already' if had else ''}")
    print("the files still hold these articles: `articles rewrite --help`")
    return 0


def _read(name: str) -> list[str]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"--file {name}: {error}") from error
    return [line for line in text.splitlines() if line]


def _list(store: RetryingStore, layout: Layout, *, as_json: bool) -> int:
    rows = [(one.digest.hex(), one.when, one.reason) for one in tombstones.read(store, layout)]
    if as_json:
        names = ("digest", "when", "reason")
        print(table.as_json({"tombstones": [dict(zip(names, row, strict=True)) for row in rows]}))
        return 0
    for line in table.lines(("digest of article_id", "when", "reason"), rows):
        print(line)
    return 0
