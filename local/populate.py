"""`articles populate`: generated or given articles into a stream."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import time
from itertools import islice
from pathlib import Path
from typing import IO

from articles.aws import client, describe_stream
from articles.errors import UserError
from articles.progress import Progress as Meter
from local.interrupts import Interrupts
from local.ledger import ledger_file
from local.producer import Producer, Progress
from local.source import from_file, generated


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stream", default=os.environ.get("STREAM_NAME"), help="default: STREAM_NAME")
    parser.add_argument("--records", type=positive, metavar="N", help="how many (default: 1000, or all of --input)")
    parser.add_argument("--input", metavar="FILE", help="JSON lines, also gzipped, '-' for stdin (default: generate)")
    parser.add_argument(
        "--rate", type=float, metavar="R", help="records a second (default: as fast as the stream takes)"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the generated articles (default: 1)")
    parser.add_argument(
        "--ledger",
        metavar="FILE",
        help="append what was put, for `articles verify --ledger` (JSON lines); in a folder: in the stream's own file",
    )
    parser.add_argument("--endpoint-url", help="of Kinesis (default: AWS_ENDPOINT_URL_KINESIS, AWS_ENDPOINT_URL)")
    parser.add_argument("--region", help="default: AWS_REGION")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """0, or 130 when Ctrl-C ended it early; what was put is in the summary and the ledger either way."""
    if not args.stream:
        raise UserError("which stream? Give --stream or set STREAM_NAME")
    if args.rate is not None and args.rate <= 0:
        raise UserError("--rate is in records a second and must be above 0")
    kinesis = client("kinesis", region=args.region, endpoint_url=args.endpoint_url)
    stream = describe_stream(kinesis, args.stream)  # a wrong name is told before anything is read
    args.ledger = args.ledger and str(ledger_file(args.ledger, stream))
    source = from_file(args.input) if args.input else generated(args.seed)
    records = args.records or (None if args.input else 1000)
    started = time.monotonic()
    with Interrupts() as interrupts, open_ledger(args.ledger) as ledger:
        producer = Producer(kinesis, args.stream, ledger=ledger, rate=args.rate, pause=interrupts.sleep)
        try:
            with Meter("records put") as meter:
                for put in producer.put(islice(source, records)):
                    meter(put)
                    interrupts.check()
        except KeyboardInterrupt:
            return 130
        finally:
            summarize(producer.progress, time.monotonic() - started, args)
    return 0


def summarize(done: Progress, seconds: float, args: argparse.Namespace) -> None:
    if args.json:
        value = {
            "stream": args.stream,
            "records": done.records,
            "words": done.words,
            "bytes": done.bytes,
            "invalid": done.invalid,
            "invalid_lines": list(done.invalid_lines),
            "retried": done.retried,
            "seconds": round(seconds, 3),
            "ledger": args.ledger,
        }
        print(json.dumps(value))
        return
    print(f"{done.records} records put on {args.stream}, {done.bytes / 1e6:.1f} MB, in {seconds:.1f} s")
    if done.invalid:
        lines = ", ".join(map(str, done.invalid_lines)) + (", …" if done.invalid > len(done.invalid_lines) else "")
        verb = "is no valid article" if done.invalid == 1 else "are no valid articles"
        print(f"{done.invalid} of them {verb} and will be dead letters (line {lines})")
    if done.retried:
        print(f"{done.retried} refusals of a busy stream were tried again")


def open_ledger(name: str | None) -> contextlib.AbstractContextManager[IO[str] | None]:
    """Opened for appending: runs after one another share a ledger. Locked, so that a reader knows when it is whole."""
    if name is None:
        return contextlib.nullcontext()
    try:
        file = Path(name).open("a", encoding="utf-8")  # noqa: SIM115 - the caller closes it
        fcntl.flock(file, fcntl.LOCK_SH)
    except OSError as error:
        raise UserError(f"cannot write the ledger {name}: {error.strerror}") from error
    return file


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
