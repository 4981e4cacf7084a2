"""`articles watermark`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable

from articles import options, scan, watermark
from articles.commands import table
from articles.errors import UserError
from articles.progress import note
from articles.watermark import Listed, ShardPage, Watermark


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "A day is complete when all its records are stored, so that its folder dt=… never grows again: 30 minutes\n"
        "after its end every shard of the stream has ended or turned to a later page. The stream is asked for its\n"
        "shards; where it cannot be reached, only the shards that the bucket knows are counted, with a warning."
    )
    options.add_location(parser)
    parser.add_argument(
        "--bucket-only", action="store_true", help="do not ask the stream: count the shards that the bucket knows"
    )


def run(args: argparse.Namespace) -> int:
    layout, store, selection = options.layout(args), options.open_store(args), options.selection(args)
    listed: list[Listed] = []
    if not args.bucket_only:
        names = {found.shard.stream for found in scan.roots(store, layout, selection) if found.shard}
        listed = _list(args, sorted(names | ({args.stream} if args.stream else set())))
    found = watermark.compute(store, layout, selection, listed, time.time())
    print(table.as_json(_said(found)) if args.json else "\n".join(_lines(found)))
    return 0


def _list(args: argparse.Namespace, streams: Iterable[str]) -> list[Listed]:
    from articles import aws

    listed = []
    for stream in streams:
        try:
            kinesis = aws.client("kinesis", region=args.region, endpoint_url=args.endpoint_url)
            at = time.time()
            created = aws.describe_stream(kinesis, stream).created
            shards = tuple(shard.id for shard in aws.list_shards(kinesis, stream))
            listed.append(Listed(stream, created, shards, at))
        except UserError as error:
            note(f"shards of {stream} that have stored nothing yet are not counted: {error}")
    return listed


def _said(found: Watermark) -> dict[str, object]:
    return {
        "complete": found.complete,
        "held_by": [_page(one) for one in found.held_by],
        "shards": [_page(one) for one in found.shards],
        "former": [_page(one) for one in found.former],
        "stream_asked": found.listed,
    }


def _page(one: ShardPage) -> dict[str, object]:
    shard = one.shard
    return {
        "stream": shard.stream,
        "created": shard.created,
        "shard": shard.shard,
        "page": one.page or None,
        "position": one.position or None,
    }


def _lines(found: Watermark) -> Iterable[str]:
    names = table.labels(one.shard for one in (*found.shards, *found.former))
    rows = [(names[one.shard], one.page or "nothing stored yet", one.position) for one in found.shards]
    rows += [(names[one.shard], f"{one.page} (a former stream)", one.position) for one in found.former]
    yield from table.lines(("shard", "open page", "stored up to"), rows)
    yield ""
    yield f"complete up to and including {found.complete}" if found.complete else "no day is complete yet"
    if found.held_by:
        of = f" {found.next_day}" if found.next_day else ""
        yield f"the next day{of} is held back by: {', '.join(names[one.shard] for one in found.held_by)}"
    elif found.next_day:
        yield f"{found.next_day} can be complete 30 minutes after its end"
