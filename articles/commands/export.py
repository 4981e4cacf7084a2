"""`articles export`."""

from __future__ import annotations

import argparse
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from articles import location, options
from articles.commands import table
from articles.errors import UserError
from articles.export import options as shape
from articles.progress import Progress, note

_SOURCE: Final = "s3://bucket/prefix, a folder, or another URL, instead of --bucket and --prefix"
_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Writes the articles of a snapshot again, as few right-sized files: compacted, and if you want so shuffled\n"
        "over the whole snapshot, split and without older duplicates. What it reads stays as it is. Last comes\n"
        "manifest.json, which says where everything came from. The same snapshot and options give the same\n"
        "bytes. It may be ended at any point: called again, it goes on.\n\n"
        "compatible: deflate, for every Avro reader. dense: zstandard, a sixth smaller, many times slower to write.\n"
        "Sizes and limits: docs/export.md."
    )
    parser.add_argument(
        "snapshot", metavar="SNAPSHOT", help="its number, or newest; `articles catalog list` shows them"
    )
    parser.add_argument("source", metavar="URI", nargs="?", help=_SOURCE)
    parser.add_argument("--to", metavar="URI", required=True, help="s3://bucket/prefix, a folder, or another URL")
    parser.add_argument("--format", choices=shape.FORMATS, default="avro", help="avro (default); parquet needs pyarrow")
    parser.add_argument("--profile", choices=shape.NAMES, default="compatible", help="default compatible")
    parser.add_argument("--file-size", metavar="SIZE", type=_size, default="128MiB", help="about; default 128MiB")
    parser.add_argument("--shuffle", action="store_true", help="over the whole snapshot, instead of in its order")
    parser.add_argument("--seed", metavar="N", type=int, help="another shuffle for each; default 0")
    parser.add_argument("--deduplicate", action="store_true", help="of articles with one article_id only the newest")
    parser.add_argument(
        "--split",
        metavar="SHARES",
        default="",
        help="such as 0.98/0.01/0.01: into the folders train, validation and test; an article's part follows from its "
        "article_id, as in ArticleDataset",
    )
    parser.add_argument("--tolerate", action="store_true", help="export without the files that are damaged")
    means = parser.add_argument_group("means", "They change nothing of what comes out.")
    means.add_argument(
        "--memory", metavar="SIZE", type=_size, default="512MiB", help="of all processes; default 512MiB"
    )
    means.add_argument("--processes", metavar="N", type=int, help="at most; default: one a core")
    means.add_argument(
        "--scratch",
        metavar="DIR",
        type=Path,
        default=Path(tempfile.gettempdir()),
        help="a folder on a local disk, with room for all articles uncompressed (default %(default)s)",
    )
    options.add_location(parser)


def run(args: argparse.Namespace, elsewhere: Callable[..., Any] | None = None) -> int:
    """`elsewhere` does the work instead of `articles.export.export.export`, on other machines."""
    from articles.export.export import Means, export
    from articles.export.pool import DEADLINE, Places

    if args.seed is not None and not args.shuffle:
        raise UserError("--seed belongs to --shuffle")
    if args.processes is not None and args.processes < 1:
        raise UserError("--processes must be at least 1")
    seed = (args.seed or 0) if args.shuffle else None
    wanted = shape.Options(args.format, args.profile, args.file_size, seed, args.deduplicate, args.split)
    source = args.source or _bucket(args)
    _check_apart(source, args.to)
    if not location.is_remote(args.to):
        _make_folder(Path(_place(args.to)))
    places = Places(*((uri, args.region, args.endpoint_url, DEADLINE) for uri in (source, args.to)))
    means = Means(args.memory, args.processes or os.cpu_count() or 1, args.scratch, args.tolerate)
    with _Phases() as phases:
        done = (elsewhere or export)(places.open(), _number(args.snapshot), wanted, means, places, phases)
    said = done.manifest
    for one in (*said["damaged"], *said["set_aside"]):
        note(f"left out: {one['key']}: {one['problem']}")
    if args.json:
        print(table.as_json({"new": done.new, **said}))
        return 0
    totals = said["totals"]
    counts = (table.count(totals["files"], "file"), table.count(totals["records"], "record"))
    print(f"{', '.join(counts)}, {table.size(totals['bytes'])} in {args.to}{'' if done.new else ': all there already'}")
    left = {name: totals[name] for name in ("duplicates", "tombstones", "set_aside") if totals[name]}
    if left:
        print("  left out: " + ", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in left.items()))
    before, after = (said["average"][name] for name in ("before", "after"))
    means_said = " → ".join("-" if mean is None else f"{mean:.6f}" for mean in (before, after))
    print(f"  average word count {means_said}, snapshot {said['snapshot']}, {args.to.rstrip('/')}/manifest.json")
    return 0


class _Phases:
    """Progress, a phase after the other."""

    def __init__(self) -> None:
        self._phase = ""
        self._progress: Progress | None = None

    def __enter__(self) -> _Phases:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._progress:
            self._progress.clear()

    def __call__(self, phase: str, records: int, total: int) -> None:
        if phase != self._phase:
            self.__exit__()
            self._phase, self._progress = phase, Progress(f"of {total:,} records {phase}")
        if self._progress:
            self._progress(records)


def _size(text: str) -> int:
    match = re.fullmatch(r"([0-9]+)(?:([KMG])(?:i?B)?)?", text, re.IGNORECASE)
    if not match or not int(match[1]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size, such as 128MiB or 2GiB")
    return int(match[1]) * _UNITS[(match[2] or "").upper()]


def _number(given: str) -> int | None:
    if given == "newest":
        return None
    if not (given.isascii() and given.isdecimal()):
        raise UserError(f"snapshot {given!r}: its number, or newest")
    return int(given)


def _bucket(args: argparse.Namespace) -> str:
    if not args.bucket:
        raise UserError("which bucket? Give the source's URI or --bucket, or set BUCKET")
    return f"s3://{args.bucket}/{options.layout(args).prefix}"


def _check_apart(source: str, to: str) -> None:
    """An export among what it reads would be read by whoever reads that."""
    inner, outer = _place(to), _place(source)
    if inner == outer or inner.startswith(f"{outer}/"):
        raise UserError(f"--to {to} lies in {source}, which stays as it is: give another place")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--to {path}: {error.strerror}") from error


def _place(uri: str) -> str:
    if location.is_remote(uri):
        return uri.rstrip("/")
    parts = urlsplit(uri)
    return str(Path(unquote(parts.path) if parts.scheme else uri).expanduser().resolve())
