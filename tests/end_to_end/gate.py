"""A gate before S3 or DynamoDB that holds one request at an exact moment: before the service has heard of it, or with
the service's answer in hand. So a crash hits the moment that a test is about, every time."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from tests.end_to_end.pipeline import PATIENCE

NOT_PASSED_ON = ("connection", "content-length", "transfer-encoding", "host", "expect")


@dataclass(slots=True)
class Call:
    """`key` is the S3 key; `target` the DynamoDB operation. `status` is the service's, None while it was not asked."""

    method: str
    key: str
    target: str
    headers: dict[str, str]
    body: bytes
    status: int | None = None


@dataclass(slots=True)
class Held:
    """The first call that `matches`, held from the moment that it is `reached` until it is let go."""

    matches: Callable[[Call], bool]
    answered: bool
    call: Call | None = None
    dropped: bool = False
    _go: threading.Event = field(default_factory=threading.Event)

    @property
    def reached(self) -> bool:
        return self.call is not None

    @property
    def status(self) -> int | None:
        """What the service answered."""
        return self.call.status if self.call else None

    def release(self) -> None:
        """Let it go on."""
        self._go.set()

    def drop(self) -> None:
        """Cut the connection: the service never hears of the request, or the client never of the answer."""
        self.dropped = True
        self._go.set()

    def wait(self) -> bool:
        """Whether it may go on."""
        self._go.wait(PATIENCE)
        return not self.dropped


class Gate:
    """A context manager; `url` stands in for the service's endpoint. `calls` holds what the service was asked, in the
    order of its answers."""

    def __init__(self, url: str) -> None:
        self.calls: list[Call] = []
        self._held: list[Held] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, urlsplit(url).netloc))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="gate", daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Gate:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            for held in self._held:
                held.drop()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def hold(self, matches: Callable[[Call], bool], *, answered: bool = False) -> Held:
        """Hold the next call that `matches`: before the service hears of it, or when it has `answered`."""
        held = Held(matches, answered)
        with self._lock:
            self._held.append(held)
        return held

    def passes(self, call: Call, *, answered: bool) -> bool:
        """Waits where the call is to be held; whether it may go on."""
        with self._lock:
            if answered:
                self.calls.append(call)
            fits = (h for h in self._held if h.answered == answered and not h.reached and h.matches(call))
            held = next(fits, None)
            if held is None:
                return True
            held.call = call
        return held.wait()


def _handler(gate: Gate, service: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            key = unquote(urlsplit(self.path).path).removeprefix("/").partition("/")[2]
            target = headers.get("x-amz-target", "").rpartition(".")[2]
            call = Call(self.command, key, target, headers, body)
            if not gate.passes(call, answered=False):
                self._cut()
                return
            connection = http.client.HTTPConnection(service, timeout=PATIENCE)
            with contextlib.closing(connection):
                passed_on = {name: value for name, value in headers.items() if name not in NOT_PASSED_ON}
                connection.request(self.command, self.path, body, passed_on)
                answer = connection.getresponse()
                said = answer.read()
            call.status = answer.status
            if not gate.passes(call, answered=True):
                self._cut()
                return
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in NOT_PASSED_ON:
                    self.send_header(name, value)
            length = answer.headers.get("content-length", "0") if self.command == "HEAD" else len(said)
            self.send_header("content-length", str(length))
            self.end_headers()
            with contextlib.suppress(OSError):  # whoever asked was killed
                self.wfile.write(said)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815

        def handle(self) -> None:
            with contextlib.suppress(OSError):
                super().handle()

        def finish(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().finish()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
            return

        def _cut(self) -> None:
            self.close_connection = True
            self.connection.close()

    return Handler
