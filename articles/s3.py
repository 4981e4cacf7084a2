"""The object store in S3: the only import of its client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)
from obstore.store import S3Store

from articles.errors import StoreRefused, StoreUnavailable
from articles.store import SMALL_BYTES, ObjectInfo, seconds_for

STEP: Final = 8 << 20
"""obstore's time-out belongs to a client, so there is one for small requests and one for each step of sizes in use."""
READ_BYTES: Final = 256 << 20
"""Whole objects are read with the time-out of the largest there may be."""
_REFUSED: Final = re.compile(
    r"403 Forbidden|redirect without LOCATION|AuthorizationHeaderMalformed|InvalidAccessKeyId|ExpiredToken|InvalidToken"
    # S3 answers a HEAD without a body: this is its word for expired keys, or for a region that is not the bucket's.
    r"|performing HEAD.* 400 Bad Request"
)
"""What the client has no exceptions for."""
_T = TypeVar("_T")


class S3ObjectStore:
    """One bucket. Credentials come from the environment, web identity, the container or the instance.

    Raises StoreRefused for settings that the client does not take."""

    def __init__(self, bucket: str, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        self._bucket = bucket
        _check(bucket, region, endpoint_url)
        self._region, self._endpoint_url = region, endpoint_url
        self._clients: dict[float, S3Store] = {}
        self._small = self._client(0)

    def create(self, key: str, body: bytes, attributes: Mapping[str, str]) -> bool:
        store = self._client(len(body))

        def put() -> bool:
            try:
                # Multipart uploads check If-None-Match only at their end, after everything was sent.
                obstore.put(store, key, body, mode="create", attributes=dict(attributes), use_multipart=False)
            except AlreadyExistsError:
                return False
            except FileNotFoundError as error:
                raise StoreRefused(f"bucket {self._bucket!r} does not exist") from error
            return True

        return self._call(key, put)

    def head(self, key: str) -> ObjectInfo | None:
        def head() -> ObjectInfo | None:
            try:
                got = obstore.get(self._small, key, options={"head": True})
            except FileNotFoundError:
                return None
            said = {str(name): str(value) for name, value in got.attributes.items()}
            return ObjectInfo(key, got.meta["size"], said, got.meta["last_modified"].timestamp())

        return self._call(key, head)

    def read(self, key: str, start: int = 0, length: int | None = None) -> bytes | None:
        def read() -> bytes | None:
            client = self._client(READ_BYTES if length is None else length)
            try:
                if length is None and start == 0:
                    return bytes(obstore.get(client, key).bytes())
                if length is None:
                    return bytes(obstore.get(client, key, options={"range": {"offset": start}}).bytes())
                return bytes(obstore.get_range(client, key, start=start, length=length))
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

        return self._call(key, read)

    def list(self, folder: str, after: str = "") -> Iterator[ObjectInfo]:
        chunks = iter(obstore.list(self._small, folder, offset=after or None, chunk_size=1000))
        while (chunk := self._call(folder, lambda: next(chunks, None))) is not None:
            for item in chunk:
                yield ObjectInfo(item["path"], item["size"], modified=item["last_modified"].timestamp())

    def folders(self, folder: str) -> Sequence[str]:
        found = self._call(folder, lambda: obstore.list_with_delimiter(self._small, folder))
        return [path.rpartition("/")[2] for path in found["common_prefixes"]]

    def _client(self, size: int) -> S3Store:
        """The client for requests that move up to `size` bytes."""
        seconds = seconds_for(size if size <= SMALL_BYTES else -(-size // STEP) * STEP)
        if seconds not in self._clients:
            try:
                self._clients[seconds] = _store(self._bucket, self._region, self._endpoint_url, seconds)
            except (BaseError, ValueError) as error:  # half a key pair, a URL that is none
                where = self._endpoint_url or "AWS"
                raise StoreRefused(f"bucket {self._bucket!r}, {where}: {_first_line(error)}") from error
        return self._clients[seconds]

    def _call(self, what: str, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except (PermissionDeniedError, UnauthenticatedError, UnknownConfigurationKeyError) as error:
            raise StoreRefused(f"bucket {self._bucket!r}, {what}: {_first_line(error)}") from error
        except (BaseError, OSError) as error:
            text = str(error)
            if "NoSuchBucket" in text:
                raise StoreRefused(f"bucket {self._bucket!r} does not exist") from error
            if "invalid path" in text:  # the client lists nothing of a folder that holds a key with an empty segment
                raise StoreRefused(
                    f"bucket {self._bucket!r}: {_first_line(error)}; somebody else put it there: move that object away"
                ) from error
            kind = StoreRefused if _REFUSED.search(text) else StoreUnavailable
            raise kind(f"bucket {self._bucket!r}, {what}: {_first_line(error)}") from error


def _store(bucket: str, region: str | None, endpoint_url: str | None, seconds: float) -> S3Store:
    if endpoint_url is None and (region or "").startswith("cn-"):  # a domain of its own, which the client does not know
        endpoint_url = f"https://s3.{region}.amazonaws.com.cn"
    given: dict[str, Any] = {"region": region, "endpoint": endpoint_url}
    return S3Store(
        bucket,
        **{name: value for name, value in given.items() if value},
        # The certificate of AWS's virtual hosts does not hold for a name with a dot.
        virtual_hosted_style_request=endpoint_url is None and "." not in bucket,
        client_options={
            "timeout": timedelta(seconds=seconds),
            "connect_timeout": timedelta(seconds=5),
            "allow_http": (endpoint_url or "").startswith("http://"),
        },
        retry_config={"max_retries": 0, "retry_timeout": timedelta(0)},
    )


def _check(bucket: str, region: str | None, endpoint_url: str | None) -> None:
    """The client panics, with pages of a stack trace, over what no URL can hold."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", bucket):
        raise StoreRefused(f"{bucket!r} is not a bucket's name: give the name alone, without s3://")
    if region and not re.fullmatch(r"[A-Za-z0-9-]+", region):
        raise StoreRefused(f"{region!r} is not a region's name, such as us-east-1")
    if endpoint_url and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[!-~]*)?", endpoint_url):
        raise StoreRefused(f"{endpoint_url!r} is not an endpoint's URL, such as http://localhost:9000")


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0]
