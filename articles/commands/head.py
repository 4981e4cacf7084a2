"""`articles head`."""

from __future__ import annotations

import argparse
import base64
import io
import shutil
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any, Final

from articles import avro, container, options, tombstones
from articles.commands import table
from articles.container import Header, Truncated
from articles.errors import UserError
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.tail import read_object_header

FIRST_READ: Final = 256 << 10
NARROWEST: Final = 40
_LONG: Final = ("avro.schema", "articles.blocks")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "KEY is an object's key, with s3://bucket/prefix/, with the prefix or without: data/dt=…/….avro, or\n"
        "dead-letter/dt=…/….avro. Only as much of the file is read as is needed. Long values are cut to the\n"
        "terminal's width; --json shows them whole, a line a record. Of an article with a tombstone nothing is shown."
    )
    parser.add_argument("key", metavar="KEY", help="a file, as `articles files --json` and `articles verify` name it")
    parser.add_argument("-n", metavar="N", type=int, default=5, help="how many records (default 5)")
    parser.add_argument("--header", action="store_true", help="the header's metadata too: lineage, range, totals")
    options.add_location(parser)


def run(args: argparse.Namespace) -> int:
    if args.n < 0:
        raise UserError("-n must not be negative")
    layout, store = options.layout(args), options.open_store(args)
    key, size = _find(store, layout, options.key(args.key, args.bucket))
    header = read_object_header(store, key, size)
    if args.header:
        _print_header(header, as_json=args.json)
    width = max(NARROWEST, shutil.get_terminal_size((110, 24)).columns)
    erased = tombstones.load(store, layout)
    for number, record in enumerate(islice(_records(store, key, size, header), args.n), 1):
        if "article_id" in record and tombstones.digest(record["article_id"]) in erased:
            record = {"tombstone": "this article must not be read any more"}
        if args.json:
            print(table.as_json({name: _plain(value) for name, value in record.items()}))
            continue
        print(f"{'' if number == 1 else chr(10)}record {number}")
        for name, value in record.items():
            print(_shortened(f"  {name:<19} {_text(value)}", width))
    return 0


def _find(store: RetryingStore, layout: Layout, given: str) -> tuple[str, int]:
    if not {"", ".", ".."}.isdisjoint(given.split("/")):
        raise UserError(f"{given!r} is no key; `articles files --json` lists the keys")
    for key in (given, f"{layout.prefix}/{given}"):
        if found := store.head(key):
            return key, found.size
    next(store.list(layout.roots), None)  # says so where there is no such bucket: the answer to a HEAD cannot
    raise UserError(
        f"there is no object {given!r}, nor {layout.prefix}/{given}; `articles files --json` lists the keys"
    )


def _records(store: RetryingStore, key: str, size: int, header: Header) -> Iterator[dict[str, Any]]:
    """Read whole blocks, more and more of the file, and never the same record twice."""
    done, wanted = 0, header.size + FIRST_READ
    while True:
        data = store.read(key, 0, min(wanted, size)) or b""
        whole = _whole_blocks(data, header, complete=len(data) >= size)
        for record in islice(avro.read_container(io.BytesIO(data[:whole])), done, None):
            done += 1
            yield record
        if len(data) >= size:
            return
        wanted *= 8


def _whole_blocks(data: bytes, header: Header, *, complete: bool) -> int:
    """Where the last whole block ends; raises ChainError when a complete file is damaged."""
    end = header.size
    try:
        for block in container.read_blocks(data, header):
            end += container.framed_size(block.count, len(block.data))
    except Truncated:
        if complete:
            raise
    return end


def _print_header(header: Header, *, as_json: bool) -> None:
    said = {name: value.decode("utf-8", "replace") for name, value in header.metadata.items()}
    if as_json:
        print(table.as_json(said))
        return
    for name, value in said.items():
        shown = f"({len(value):,} characters)" if name in _LONG else value
        print(f"{name.removeprefix('articles.'):<19} {shown}")
    print()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    return value


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return repr(value)[2:-1]
    text = value.isoformat() if isinstance(value, datetime) else "-" if value is None else str(value)
    # Articles come from anywhere: nothing in them may move the terminal's cursor.
    return "".join(c if c.isprintable() else " " for c in text)


def _shortened(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"
