"""`articles files`."""

from __future__ import annotations

import argparse
from typing import Final

from articles import options, scan
from articles.chain import Totals
from articles.commands import table
from articles.errors import UserError
from articles.keys import ParsedKey
from articles.position import Position
from articles.progress import Progress
from articles.scan import LinkObject, Selection

TABLE_ROWS: Final = 2000
"""Columns are aligned over so many rows at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "A file holds the records after its first position up to and including its last one. What lies there is\n"
        "shown as it is; whether it is whole, `articles verify` says."
    )
    options.add_location(parser)
    parser.add_argument("--date", metavar="YYYY-MM-DD", help="only this page (dt=…)")
    parser.add_argument("--shard", metavar="ID", help="only this shard: shardId-000000000003, or 3")
    parser.add_argument(
        "--keys", action="store_true", help="print the keys alone, one a line, as `articles head` takes them"
    )


def run(args: argparse.Namespace) -> int:
    layout = options.layout(args)
    selection = Selection(stream=args.stream, shard=options.shard(args.shard), page=options.date(args.date))
    store = options.open_store(args)
    rows: list[tuple[ParsedKey, LinkObject]] = []
    totals, size, count = Totals(), 0, 0
    with Progress("files") as progress:
        for parsed, link in scan.links(store, layout, selection, progress):
            count += 1
            size += link.info.size
            if link.summary:
                totals += link.summary.totals
            if args.json:  # written as it comes: a bucket may hold millions
                print(("{" + '"files": [\n' if count == 1 else ",\n") + table.as_json(_said(parsed, link)), end="")
                continue
            if args.keys:
                print(link.info.key)
                continue
            rows.append((parsed, link))
            if len(rows) == TABLE_ROWS:
                _print(rows)
                rows.clear()
    if not count and not any(scan.roots(store, layout, selection)):
        raise UserError(scan.nothing(layout, selection))
    if args.json:
        summed = {"files": count, "bytes": size, **_counts(totals)}
        print(("\n" if count else '{"files": [') + f'], "totals": {table.as_json(summed)}' + "}")
        return 0
    if args.keys:
        return 0
    if rows:
        _print(rows)
    print(f"keys: {layout.page('<page>')}/s-<stream>-<created>-<shard>-<after>.avro; --keys has them in full")
    print(
        f"{table.count(count, 'file')}, {table.size(size)}: {table.count(totals.good, 'record')} with "
        f"{table.count(totals.words, 'word')}, "
        f"{totals.rejected:,} rejected"
    )
    return 0


def _print(rows: list[tuple[ParsedKey, LinkObject]]) -> None:
    names = table.labels({parsed.shard for parsed, _ in rows})
    heads = ("page", "shard", "after", "up to", "records", "words", "rejected", "size", "worker")
    cells: list[tuple[object, ...]] = []
    counts: tuple[object, ...]
    for parsed, link in rows:
        start = _short(parsed.position)
        if link.summary:
            s = link.summary
            end = _short(s.after.position) + (" END" if s.after.ended else "")
            counts = (s.totals.good, s.totals.words, s.totals.rejected, table.size(link.info.size), s.worker)
        else:
            end, counts = "unreadable", ("?", "?", "?", table.size(link.info.size), "?")
        cells.append((parsed.page, names[parsed.shard], start, end, *counts))
    for line in table.lines(heads, cells, (4, 5, 6, 7)):
        print(line)
    print()


def _said(parsed: ParsedKey, link: LinkObject) -> dict[str, object]:
    said: dict[str, object] = {
        "key": link.info.key,
        "bytes": link.info.size,
        "page": parsed.page,
        "stream": parsed.shard.stream,
        "created": parsed.shard.created,
        "shard": parsed.shard.shard,
        "after": f"{parsed.position.number}:{parsed.position.sub}",
    }
    if link.summary is None:
        return {**said, "problem": link.problem}
    summary = link.summary
    return {
        **said,
        "up_to": str(summary.after.position),
        "next_page": summary.after.page,
        **_counts(summary.totals),
        "worker": summary.worker,
        "digest": summary.digest,
        "enrichment": summary.enrichment,
    }


def _counts(totals: Totals) -> dict[str, object]:
    return {"records": totals.good, "rejected": totals.rejected, "words": totals.words}


def _short(position: Position) -> str:
    """Sequence numbers of one shard differ in their last digits."""
    digits = str(position.number)
    return (f"…{digits[-14:]}" if len(digits) > 16 else digits) + f":{position.sub}"
