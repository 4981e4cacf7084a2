"""A proxy in front of S3 that misbehaves on request: what really comes over HTTP when a store is in trouble."""

from __future__ import annotations

import fnmatch
import http.client
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit

KEPT = ("authorization", "content-type", "if-none-match", "range")

CONFLICT = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>ConditionalRequestConflict</Code><Message>A conflicting operation is in progress.</Message></Error>"""
SLOW_DOWN = b"""<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"""


@dataclass
class Fault:
    """`status` None: the connection is cut without an answer. `applied`: the store takes the request all the same."""

    method: str
    pattern: str
    status: int | None
    body: bytes = b""
    applied: bool = False
    left: int = 1


class FaultyS3:
    """A context manager; `url` stands in for the store's endpoint. `seen` has the method and key of every request."""

    def __init__(self, endpoint_url: str) -> None:
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str]] = []
        upstream = urlsplit(endpoint_url).netloc
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                fault = proxy.judge(self.command, self.path)
                if fault and not fault.applied:
                    self.reply(fault.status, [], fault.body)
                    return
                connection = http.client.HTTPConnection(upstream, timeout=30)
                try:
                    keep = {n: v for n, v in self.headers.items() if n.lower() in KEPT or n.lower().startswith("x-amz")}
                    connection.request(self.command, self.path, body, keep)
                    answer = connection.getresponse()
                    said = answer.read()
                    if fault:
                        self.reply(fault.status, [], fault.body)
                    else:
                        length = answer.headers.get("content-length", "0") if self.command == "HEAD" else None
                        self.reply(answer.status, answer.getheaders(), said, length)
                finally:
                    connection.close()

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = handle_any  # noqa: N815

            def reply(
                self, status: int | None, headers: list[tuple[str, str]], body: bytes, length: str | None = None
            ) -> None:
                if status is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("content-length", length or str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def finish(self) -> None:
                try:
                    super().finish()
                except (OSError, ValueError):
                    return  # the connection was cut on purpose

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyS3:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def judge(self, method: str, path: str) -> Fault | None:
        key = urlsplit(path).path.removeprefix("/").partition("/")[2]
        self.seen.append((method, key))
        for fault in self.faults:
            if fault.left and fault.method == method and fnmatch.fnmatchcase(key, fault.pattern):
                fault.left -= 1
                return fault
        return None

    def puts(self) -> list[str]:
        return [key.rpartition("/")[2][-4:] for method, key in self.seen if method == "PUT"]
