"""Options that commands share, and the store they point at.

Environment: BUCKET, PREFIX, STREAM_NAME, AWS_REGION, AWS_ENDPOINT_URL and its forms for one service.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from typing import Final

from articles.errors import StoreUnavailable, UserError
from articles.keys import Layout
from articles.progress import note
from articles.retry import RetryingStore
from articles.scan import Selection

PREFIX: Final = "articles"
DEADLINE: Final = 20.0
"""Seconds that a command goes on asking a store that does not answer."""
_CREDENTIALS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


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
    given: str | None = args.endpoint_url
    return given or _env(f"AWS_ENDPOINT_URL_{service.upper()}") or _env("AWS_ENDPOINT_URL")


def layout(args: argparse.Namespace) -> Layout:
    prefix = str(args.prefix).strip("/")
    if not prefix or not {"", ".", ".."}.isdisjoint(prefix.split("/")):
        raise UserError(f"--prefix {args.prefix!r} is no prefix: give a name such as {PREFIX}")
    return Layout(prefix)


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
    url = endpoint(args, "s3")
    region = args.region or _env("AWS_DEFAULT_REGION") or ("us-east-1" if url else None)
    if region is None:
        raise UserError("which region? Give --region or set AWS_REGION")
    _check_credentials()
    from articles.s3 import S3ObjectStore  # its client takes a while to import, and --help does without

    return RetryingStore(
        S3ObjectStore(args.bucket, region=region, endpoint_url=url), deadline=DEADLINE, on_retry=_on_retry()
    )


def _check_credentials() -> None:
    """The S3 client knows the chains that the consumer uses: environment, web identity, container, instance. Without
    any of them it waits for the instance's, long and with a confusing error."""
    if any(_env(name) for name in _CREDENTIALS):
        return
    from articles.aws import CLIENT_METHODS, credentials_method

    found = credentials_method()
    if found is None:
        raise UserError("no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run under a role")
    if found not in CLIENT_METHODS:
        raise UserError(
            f"AWS credentials come from a profile ({found}), which the S3 client does not read; put them into the "
            'environment: eval "$(aws configure export-credentials --format env)"'
        )


def _on_retry() -> Callable[[str, StoreUnavailable], None]:
    said = False

    def say(_what: str, error: StoreUnavailable) -> None:
        nonlocal said
        if not said:
            note(f"the store does not answer, trying for {DEADLINE:.0f} s: {error}")
        said = True

    return say


def _env(name: str) -> str | None:
    return os.environ.get(name) or None
