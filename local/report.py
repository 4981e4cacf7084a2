"""`articles report`: waits until everything in the ledger is stored, then shows and proves it.

Files, the average of each worker and of all, and `verify` against the ledger and the leases, whose exit status it has.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import time
from pathlib import Path

from articles import average, cli, options
from articles.aws import client, describe_stream
from articles.errors import UserError
from local.interrupts import Interrupts
from local.ledger import ledger_file

EVERY_SECONDS = 1.0
LOCATION = ("bucket", "prefix", "stream", "region", "endpoint-url")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_location(parser)
    parser.add_argument(
        "--ledger", metavar="FILE", required=True, help="of `articles populate`; a folder: the stream's own in it"
    )
    parser.add_argument(
        "--application",
        default=os.environ.get("APPLICATION_NAME") or "articles",
        help="the lease table's name (APPLICATION_NAME, articles)",
    )
    parser.add_argument(
        "--at-least", type=int, default=1, metavar="N", help="how many records the ledger must have (%(default)s)"
    )
    parser.add_argument("--within", type=float, default=300.0, metavar="S", help="seconds to wait (%(default).0f)")


def run(args: argparse.Namespace) -> int:
    """The status of `verify`; raises UserError when records are missing after `--within` seconds."""
    if not args.stream:
        raise UserError("which stream? Give --stream or set STREAM_NAME")
    kinesis = client("kinesis", region=args.region, endpoint_url=args.endpoint_url)
    ledger = ledger_file(args.ledger, describe_stream(kinesis, args.stream))
    seconds = wait(args, ledger)
    where = [f"--{name}={value}" for name in LOCATION if (value := getattr(args, name.replace("-", "_")))]
    for command in (["files"], ["average", "--by=worker"]):
        cli.main([*command, *where])
        print()
    status = cli.main(["verify", f"--ledger={ledger}", "--leases", f"--application={args.application}", *where])
    print(f"all stored after {seconds:.1f} s of waiting" if status == 0 else "WRONG: see above")
    return status


def wait(args: argparse.Namespace, ledger: Path) -> float:
    """Seconds until the ledger is whole and as many records are stored as it has lines. Raises UserError."""
    layout, store, selection = options.layout(args), options.open_store(args), options.selection(args)
    began = time.monotonic()
    with Interrupts() as interrupts:
        while True:
            wanted = lines_of(ledger)
            stored, why = 0, ""
            try:
                stored = average.compute(store, layout, selection).total.totals.records
            except UserError as error:  # no chain has begun
                why = f" ({error})"
            seconds = time.monotonic() - began
            if wanted >= args.at_least and stored >= wanted:
                return seconds
            if seconds > args.within:
                raise UserError(
                    f"{stored} of {wanted} records are stored after {seconds:.0f} s{why}; what do the workers say?"
                )
            interrupts.sleep(EVERY_SECONDS)


def lines_of(ledger: Path) -> int:
    """0 where there is no ledger yet, or one that is being written."""
    try:
        with ledger.open("rb") as lines:
            fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return sum(1 for _ in lines)
    except OSError:
        return 0
