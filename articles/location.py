"""Where the files lie: a bucket, a folder of this machine, any URL that the object store's client knows.

Environment: AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL and its forms for one service.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from articles.errors import StoreUnavailable, UserError
from articles.folder import FolderStore
from articles.keys import Layout
from articles.progress import note
from articles.retry import RetryingStore
from articles.store import ObjectStore

DEADLINE: Final = 20.0
"""Seconds that a command goes on asking a store that does not answer."""
_CREDENTIALS: Final = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def open_uri(
    uri: str, region: str | None = None, endpoint_url: str | None = None, deadline: float = DEADLINE
) -> tuple[RetryingStore, Layout]:
    """The store that a URI points into and the prefix in it, the one that holds `data/` and `chain/`: s3://bucket/prefix,
    a local folder, absolute or not, or another URL that the client knows (file://, gs://, az://, https://). `deadline`
    is how many seconds a store that does not answer is asked again. Raises UserError."""
    if not is_remote(uri):
        path = folder(uri)
        if not path.is_dir():
            raise UserError(f"there is no folder {str(path)!r}: give the one that holds data/ and chain/")
        return _retrying(FolderStore(path.parent), deadline), layout(path.name, repr(uri))
    parts = urlsplit(uri)
    path_in = parts.path.strip("/")
    if parts.scheme.lower() in ("s3", "s3a"):
        if not parts.netloc or not path_in:
            raise UserError(f"{uri!r} names no bucket and prefix: s3://bucket/prefix")
        found = layout(path_in, repr(uri))
        return open_bucket(parts.netloc, region, endpoint_url, deadline), found
    above, _, name = path_in.rpartition("/")
    found = layout(name, repr(uri))
    from articles.s3 import open_url  # its client takes a while to import

    return _retrying(open_url(f"{parts.scheme}://{parts.netloc}/{above}"), deadline), found


def folder(uri: str) -> Path:
    """Of a local one: the folder that it names, there or not."""
    return Path(unquote(urlsplit(uri).path) if _SCHEME.match(uri) else uri).expanduser().resolve()


def is_remote(uri: str) -> bool:
    """Whether it points at anything but a local folder."""
    return bool(_SCHEME.match(uri)) and not uri.lower().startswith("file://")


def open_bucket(
    bucket: str, region: str | None = None, endpoint_url: str | None = None, deadline: float = DEADLINE
) -> RetryingStore:
    """A bucket of S3 or of an endpoint like it, behind the retry policy. Raises UserError when there is no region or
    there are no credentials."""
    url = endpoint(endpoint_url, "s3")
    region = region or environment("AWS_REGION") or environment("AWS_DEFAULT_REGION") or ("us-east-1" if url else None)
    if region is None:
        raise UserError("which region? Give --region or set AWS_REGION")
    _check_credentials()
    from articles.s3 import S3ObjectStore

    return _retrying(S3ObjectStore(bucket, region=region, endpoint_url=url), deadline)


def endpoint(given: str | None, service: str) -> str | None:
    """The service's endpoint: the one given, or the environment's as the AWS tools read it."""
    return given or environment(f"AWS_ENDPOINT_URL_{service.upper()}") or environment("AWS_ENDPOINT_URL")


def layout(given: str, where: str) -> Layout:
    """Raises UserError, which names `where` the prefix was given, when it is none."""
    prefix = given.strip("/")
    if not prefix or not {"", ".", ".."}.isdisjoint(prefix.split("/")):
        raise UserError(f"{where} {given!r} is no prefix: give a name such as articles")
    return Layout(prefix)


def environment(name: str) -> str | None:
    return os.environ.get(name) or None


def _retrying(store: ObjectStore, deadline: float) -> RetryingStore:
    return RetryingStore(store, deadline=deadline, on_retry=_on_retry(deadline))


def _check_credentials() -> None:
    """The S3 client knows the chains that the consumer uses: environment, web identity, container, instance. Without
    any of them it waits for the instance's, long and with a confusing error."""
    if any(environment(name) for name in _CREDENTIALS):
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


def _on_retry(deadline: float) -> Callable[[str, StoreUnavailable], None]:
    said = False

    def say(_what: str, error: StoreUnavailable) -> None:
        nonlocal said
        if not said:
            note(f"the store does not answer, trying for {deadline:.0f} s: {error}")
        said = True

    return say
