"""`articles verify`."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from articles import options, verify
from articles.commands import table
from articles.errors import UserError
from articles.progress import Progress
from articles.verify import Checks
from articles.verify_leases import Facts
from articles.verify_ledger import Ledger
from articles.verify_report import SHOWN, Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Follows every chain from its root, and names forks, breaks, strangers, alterations and possible losses by\n"
        "shard and position. Without --deep only the files' headers are read. Exit status 1 when something is wrong;\n"
        "warnings (what may be missing, what somebody should look at) do not count."
    )
    options.add_location(parser)
    parser.add_argument("--deep", action="store_true", help="read every file, decode and count every record again")
    parser.add_argument(
        "--ledger",
        metavar="FILE",
        type=Path,
        help="what `articles populate --ledger` put to the stream: is each record stored exactly once, and is the "
        "average the same? Reads every file",
    )
    parser.add_argument(
        "--leases", action="store_true", help="ask the stream and the lease table too: no lease may be past its chain"
    )
    parser.add_argument(
        "--application",
        metavar="NAME",
        default=os.environ.get("APPLICATION_NAME") or "articles",
        help="whose lease table (APPLICATION_NAME; default articles)",
    )
    parser.add_argument(
        "--retention-hours",
        metavar="N",
        type=int,
        help=f"how long the stream keeps records (default {verify.RETENTION_HOURS}; with --leases the stream is asked)",
    )
    parser.add_argument(
        "--dead-letter-days",
        metavar="N",
        type=int,
        help="how long the bucket keeps dead-letter/, where a lifecycle deletes: what is older and gone is no error",
    )


def run(args: argparse.Namespace) -> int:
    layout = options.layout(args)
    if args.retention_hours is not None and args.retention_hours <= 0:
        raise UserError("--retention-hours must be positive")
    if args.dead_letter_days is not None and args.dead_letter_days <= 0:
        raise UserError("--dead-letter-days must be positive")
    kept_since = time.time() - args.dead_letter_days * 86_400 if args.dead_letter_days else None
    ledger = Ledger.load(args.ledger) if args.ledger else None
    # Leases first: chains only grow, so what is past its chain then was so all the time.
    facts = read_facts(args) if args.leases else None
    checks = Checks(args.deep, ledger, facts, args.retention_hours, kept_since)
    store = options.open_store(args)
    with Progress("files") as progress:
        report = verify.verify(store, layout, options.selection(args), checks, progress)
    if args.json:
        print(table.as_json(report.to_json()))
    else:
        show(report)
    return 0 if report.ok else 1


def read_facts(args: argparse.Namespace) -> Facts:
    """Ask AWS. Raises UserError when there is no stream, or it cannot be reached."""
    from articles import aws

    if not args.stream:
        raise UserError("--leases: which stream? Give --stream or set STREAM_NAME")
    dynamodb = aws.client("dynamodb", region=args.region, endpoint_url=args.endpoint_url)
    kinesis = aws.client("kinesis", region=args.region, endpoint_url=args.endpoint_url)
    leases = aws.read_leases(dynamodb, args.application)
    return Facts(
        aws.describe_stream(kinesis, args.stream), aws.list_shards(kinesis, args.stream), leases, args.application
    )


def show(report: Report) -> None:
    for finding in report.findings:
        where = "  ".join(part for part in (finding.shard, finding.position, finding.key) if part)
        print(f"{finding.severity:<7}  {finding.code}: {finding.message}")
        if where:
            print(f"         {where}")
    for code, count in report.counts.items():
        if count > SHOWN:
            print(f"         {code}: {count:,} in all, the first {SHOWN} are shown")
    if report.findings:
        print()
    print(
        f"{table.count(report.shards, 'shard')}, {table.count(report.objects, 'file')}, "
        f"{table.count(report.totals.good, 'record')} with {table.count(report.totals.words, 'word')}, "
        f"{report.totals.rejected:,} rejected"
    )
    if report.erased.records:
        gone = f"{table.count(report.erased.good, 'record')} with {table.count(report.erased.words, 'word')}"
        print(f"erased on request: {gone}, {report.erased.rejected:,} rejected")
    if report.leftovers:
        leftovers = table.count(report.leftovers, "dead-letter file")
        print(f"{leftovers} that no link names: left over from lost races, harmless")
    # The numbers are the invariants' own, for programs.
    print("checked: " + "\n         ".join(name.partition(": ")[2] for name in report.checked))
    print("everything holds" if report.ok else f"wrong: {table.count(report.errors, 'finding')}")
