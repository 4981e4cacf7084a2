"""The object store in S3, or wherever else the client reaches: the only import of the client."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import obstore
from obstore import Bytes
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnknownConfigurationKeyError,
)
from obstore.store import HTTPStore, MemoryStore, S3Store, from_url
from obstore.store import ObjectStore as Client

from articles.errors import StoreRefused, StoreUnavailable
from articles.store import SMALL_BYTES, ObjectInfo, seconds_for

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

STEP: Final = 8 << 20
"""obstore's time-out belongs to a client, so there is one for small requests and one for each step of sizes in use."""
READ_BYTES: Final = 256 << 20
"""Whole objects are read with the time-out of the largest there may be."""
GAP_BYTES: Final = 256 << 10
"""Ranges no further apart are one request: so many bytes take a store a fraction of what a request does."""
_REFUSED: Final = re.compile(
    r"403 Forbidden|redirect without LOCATION|AuthorizationHeaderMalformed|InvalidAccessKeyId|ExpiredToken|InvalidToken"
    # S3 answers a HEAD without a body: this is its word for expired keys, or for a region that is not the bucket's.
    r"|performing HEAD.* 400 Bad Request"
)
"""What the client has no exceptions for."""
_PAST_THE_END: Final = re.compile(r"416 R|[Rr]ange was invalid|[Ii]nvalid ?[Rr]ange")
_NO_RETRIES: Final[RetryConfig] = {"max_retries": 0, "retry_timeout": timedelta(0)}
_T = TypeVar("_T")
_used_in: Final[set[int]] = set()
"""The processes that have used the client; a fork takes its parent's along."""


def lost_in_a_fork() -> bool:
    """Whether the client's threads, which it starts at its first use and never again, are in another process."""
    return bool(_used_in) and os.getpid() not in _used_in


class ClientStore:
    """Whatever the client reaches. `place` names it in errors; `open_client` makes a client whose requests may take so
    many seconds each.

    Raises StoreRefused for settings that the client does not take."""

    def __init__(self, place: str, open_client: Callable[[float], Client]) -> None:
        self._place = place
        self._open_client = open_client
        self._clients: dict[float, Client] = {}
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
                raise StoreRefused(f"{self._place} does not exist") from error
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
        def read(client: Client) -> bytes:
            if length is None and start == 0:
                return bytes(obstore.get(client, key).bytes())
            if length is None:
                return bytes(obstore.get(client, key, options={"range": {"offset": start}}).bytes())
            return bytes(obstore.get_range(client, key, start=start, length=length))

        return self._get(key, READ_BYTES if length is None else length, read, b"")

    def read_ranges(self, key: str, starts: Sequence[int], lengths: Sequence[int]) -> Sequence[bytes] | None:
        # Merged here, not by the client: it panics over a range that starts behind the end of what it merged.
        spans: list[tuple[int, int]] = []
        span_of = [0] * len(starts)
        for index in sorted(range(len(starts)), key=starts.__getitem__):
            start, end = starts[index], starts[index] + lengths[index]
            if spans and start - spans[-1][1] <= GAP_BYTES:
                spans[-1] = spans[-1][0], max(end, spans[-1][1])
            else:
                spans.append((start, end))
            span_of[index] = len(spans) - 1
        found = self._read_spans(key, spans)
        if found is None:
            return None
        whole = [memoryview(one) for one in found]
        ranges = zip(span_of, starts, lengths, strict=True)
        return [bytes(whole[of][start - spans[of][0] :][:length]) for of, start, length in ranges]

    def list(self, folder: str, after: str = "") -> Iterator[ObjectInfo]:
        if isinstance(self._small, HTTPStore):
            yield from self._list_sorted(folder, after)
            return
        chunks = iter(obstore.list(self._small, folder, offset=after or None, chunk_size=1000))
        while (chunk := self._call(folder, lambda: next(chunks, None))) is not None:
            for item in chunk:
                yield ObjectInfo(item["path"], item["size"], modified=item["last_modified"].timestamp())

    def folders(self, folder: str) -> Sequence[str]:
        found = self._call(folder, lambda: obstore.list_with_delimiter(self._small, folder))
        return [path.rpartition("/")[2] for path in found["common_prefixes"]]

    def _list_sorted(self, folder: str, after: str) -> Iterator[ObjectInfo]:
        """For clients that list in no order: one folder at a time."""
        found = self._call(folder, lambda: obstore.list_with_delimiter(self._small, folder))
        here = {item["path"]: item for item in found["objects"]}
        for path in sorted([*here, *(f"{below}/" for below in found["common_prefixes"])]):
            item = here.get(path)
            if item is None and (after < path or after.startswith(path)):
                yield from self._list_sorted(path.rstrip("/"), after)
            elif item is not None and path > after:
                yield ObjectInfo(path, item["size"], modified=item["last_modified"].timestamp())

    def _read_spans(self, key: str, spans: Sequence[tuple[int, int]]) -> Sequence[bytes | Bytes] | None:
        """Spans in order that do not touch; what lies behind the object's end is not in the answer."""
        if len(spans) == 1:
            one = self.read(key, spans[0][0], spans[0][1] - spans[0][0])
            return None if one is None else [one]
        starts, ends = [start for start, _ in spans], [end for _, end in spans]

        def read(client: Client) -> Sequence[bytes | Bytes]:
            return obstore.get_ranges(client, key, starts=starts, ends=ends, coalesce=0)

        nothing: Sequence[bytes | Bytes] = ()
        found = self._get(key, sum(ends) - sum(starts), read, nothing)
        if found or found is None:
            return found
        return [self.read(key, start, end - start) or b"" for start, end in spans]

    def _get(self, key: str, size: int, read: Callable[[Client], _T], past_the_end: _T) -> _T | None:
        """Call `read` with the client for `size` bytes; None where there is no such object."""
        client = self._client(size)

        def get() -> _T | None:
            try:
                return read(client)
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None
            except BaseError as error:
                if _PAST_THE_END.search(_first_line(error)):
                    return past_the_end
                raise

        return self._call(key, get)

    def _client(self, size: int) -> Client:
        """The client for requests that move up to `size` bytes."""
        seconds = seconds_for(size if size <= SMALL_BYTES else -(-size // STEP) * STEP)
        if seconds not in self._clients:
            try:
                self._clients[seconds] = self._open_client(seconds)
            except (BaseError, ValueError) as error:  # half a key pair, a URL that is none
                raise StoreRefused(f"{self._place}: {_first_line(error)}") from error
        return self._clients[seconds]

    def _call(self, what: str, call: Callable[[], _T]) -> _T:
        if lost_in_a_fork():
            raise StoreRefused(
                f"{self._place}, {what}: this process was forked from one that had used the object store, whose client "
                "would hang here for ever: start it by `spawn` or `forkserver`, or fork before the first use"
            )
        _used_in.add(os.getpid())
        try:
            return call()
        except (PermissionDeniedError, UnauthenticatedError, UnknownConfigurationKeyError) as error:
            raise StoreRefused(f"{self._place}, {what}: {_first_line(error)}") from error
        except (BaseError, OSError) as error:
            text = str(error)
            if "NoSuchBucket" in text:
                raise StoreRefused(f"{self._place} does not exist") from error
            if "invalid path" in text:  # the client lists nothing of a folder that holds a key with an empty segment
                raise StoreRefused(
                    f"{self._place}: {_first_line(error)}; somebody else put it there: move that object away"
                ) from error
            kind = StoreRefused if _REFUSED.search(text) else StoreUnavailable
            raise kind(f"{self._place}, {what}: {_first_line(error)}") from error


class S3ObjectStore(ClientStore):
    """One bucket. Credentials come from the environment, web identity, the container or the instance."""

    def __init__(self, bucket: str, *, region: str | None = None, endpoint_url: str | None = None) -> None:
        _check(bucket, region, endpoint_url)
        if endpoint_url is None and (region or "").startswith("cn-"):  # a domain that the client does not know
            endpoint_url = f"https://s3.{region}.amazonaws.com.cn"
        given: dict[str, Any] = {
            "region": region,
            "endpoint": endpoint_url,
            # The certificate of AWS's virtual hosts does not hold for a name with a dot.
            "virtual_hosted_style_request": endpoint_url is None and "." not in bucket,
            "retry_config": _NO_RETRIES,
        }
        options: dict[str, Any] = {name: value for name, value in given.items() if value not in (None, "")}

        def client(seconds: float) -> S3Store:
            return S3Store(bucket, client_options=_http(seconds, endpoint_url or ""), **options)

        super().__init__(f"bucket {bucket!r}", client)


def open_url(url: str) -> ClientStore:
    """Whatever else the client knows by a URL: gs://, az://, https:// …; credentials and more from the environment as
    its documentation says."""
    if url.startswith("memory:"):
        memory = MemoryStore()
        return ClientStore(url, lambda _seconds: memory)
    return ClientStore(url, lambda seconds: from_url(url, client_options=_http(seconds, url), retry_config=_NO_RETRIES))


def _http(seconds: float, url: str) -> ClientConfig:
    return {
        "timeout": timedelta(seconds=seconds),
        "connect_timeout": timedelta(seconds=5),
        "allow_http": url.startswith("http://"),
    }


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
