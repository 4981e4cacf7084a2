"""Which of S3's answers are worth asking again: refused keys, rights and regions are not, whatever the request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from articles.errors import StoreError, StoreRefused, StoreUnavailable
from articles.s3 import S3ObjectStore

CALLS: tuple[Callable[[S3ObjectStore], object], ...] = (
    lambda store: store.head("k"),
    lambda store: store.create("k", b"body", {}),
    lambda store: store.read("k"),
    lambda store: store.read_ranges("k", [0, 1_000_000], [1, 1]),
    lambda store: list(store.list("folder/")),
    lambda store: store.folders("folder/"),
)


@contextmanager
def answering(status: int, code: str) -> Iterator[str]:
    """An endpoint that refuses everything as S3 does: a HEAD without a body."""

    class Handler(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        do_HEAD = do_GET = do_PUT = _refuse  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def raised(status: int, code: str) -> list[type[StoreError]]:
    kinds = []
    with answering(status, code) as url:
        store = S3ObjectStore("bucket", region="us-east-1", endpoint_url=url)
        for call in CALLS:
            with pytest.raises(StoreError) as caught:
                call(store)
            assert "\n" not in str(caught.value)
            kinds.append(caught.type)
    return kinds


@pytest.mark.parametrize(
    "status, code",
    [
        (400, "ExpiredToken"),
        (400, "InvalidToken"),
        (400, "AuthorizationHeaderMalformed"),
        (301, "PermanentRedirect"),
        (403, "AccessDenied"),
        (403, "SignatureDoesNotMatch"),
        (403, "RequestTimeTooSkewed"),
    ],
)
def test_keys_rights_and_regions_that_are_refused_are_not_asked_again(status: int, code: str) -> None:
    assert raised(status, code) == [StoreRefused] * len(CALLS)


@pytest.mark.parametrize("status, code", [(503, "SlowDown"), (500, "InternalError"), (507, "QuotaExceeded")])
def test_a_store_in_trouble_is_asked_again(status: int, code: str) -> None:
    assert raised(status, code) == [StoreUnavailable] * len(CALLS)
