"""Options that commands share, and the store they point at.

Environment: BUCKET, PREFIX, STREAM_NAME, AWS_REGION, AWS_ENDPOINT_URL and its forms for one service.
"""

from __future__ import annotations

import argparse
import re
from typing import Final

from articles import location
from articles.errors import UserError
from articles.keys import Layout
from articles.location import environment as _env
from articles.retry import RetryingStore
from articles.scan import Selection

PREFIX: Final = "articles"


def add_location(parser: argparse.ArgumentParser) -> None:
    """Adds bucket, prefix, stream, endpoint_url, region and json to what `parser` reads."""
    group = parser.add_argument_group("where")
    group.add_argument("--bucket", metavar="NAME", default=_env("BUCKET"), help="the bucket (environment: BUCKET)")
    group.add_argument(
        "--prefix",
        metavar="PATH",
        default=_env("PREFIX") or PREFIX,
        help=f"where in the bucket everything lies (PREFIX; default {PREFIX})",
    )
    group.add_argument(
        "--stream",
        metavar="NAME",
        default=_env("STREAM_NAME"),
        help="the stream (STREAM_NAME); without one: all streams stored under the prefix, where that makes sense",
    )
    group.add_argument("--region", metavar="NAME", default=_env("AWS_REGION"), help="the AWS region (AWS_REGION)")
    group.add_argument(
        "--endpoint-url",
        metavar="URL",
        help="another endpoint than AWS's, for an emulator (AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3, …)",
    )
    group.add_argument("--json", action="store_true", help="print JSON on standard output")


def endpoint(args: argparse.Namespace, service: str) -> str | None:
    """The service's endpoint: the option, or the environment as the AWS tools read it."""
    return location.endpoint(args.endpoint_url, service)


def layout(args: argparse.Namespace) -> Layout:
    return location.layout(args.prefix, "--prefix")


def selection(args: argparse.Namespace) -> Selection:
    return Selection(stream=args.stream)


def shard(given: str | None) -> str | None:
    """What `--shard` says; its number is enough."""
    if given and given.isascii() and given.isdecimal():
        return f"shardId-{int(given):012d}"
    if given and not re.fullmatch(r"shardId-[0-9]{1,20}", given):
        raise UserError(f"--shard {given!r} is no shard: shardId-000000000003, or 3")
    return given


def date(given: str | None) -> str | None:
    if given and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
        raise UserError(f"--date {given!r} is no date: YYYY-MM-DD")
    return given


def key(given: str, bucket: str) -> str:
    """A key may be given as other tools name it: s3://bucket/key."""
    if not given.startswith("s3://"):
        return given.lstrip("/")
    name, _, inside = given.removeprefix("s3://").partition("/")
    if name != bucket:
        raise UserError(f"{given!r} lies in another bucket than {bucket!r}: give --bucket {name}")
    return inside


def open_store(args: argparse.Namespace) -> RetryingStore:
    """The bucket, behind the retry policy. Raises UserError when there is no bucket, region or credentials."""
    if not args.bucket:
        raise UserError("which bucket? Give --bucket or set BUCKET")
    return location.open_bucket(args.bucket, args.region, args.endpoint_url)
