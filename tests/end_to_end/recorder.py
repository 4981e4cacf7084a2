"""Records which calls are made of AWS, and on what, as a proxy sees them: whoever makes them, in any language."""

from __future__ import annotations

import json
import socket
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType

import cbor2
import hpack

from local.aws_call import Call, call_of
from local.fault_proxy import FaultProxy
from tests.end_to_end.wire import Wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, CONTINUATION = 0, 1, 9
END_HEADERS, PADDED, PRIORITY = 0x4, 0x8, 0x20


class Recorder:
    """A context manager; `environment` leads a worker or a command past it. Afterwards `calls` has what was called."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._seen: set[Call] = set()
        self._stack = ExitStack()
        self._kinesis = Tap(environment["AWS_ENDPOINT_URL_KINESIS"])
        self._proxies = {
            service: FaultProxy(environment[f"AWS_ENDPOINT_URL_{service}"], listen=self._hear)
            for service in ("S3", "DYNAMODB", "CLOUDWATCH")
        }

    def __enter__(self) -> Recorder:
        self._stack.enter_context(self._kinesis)
        for proxy in self._proxies.values():
            self._stack.enter_context(proxy)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        urls = {service: proxy.url for service, proxy in self._proxies.items()} | {"KINESIS": self._kinesis.url}
        return {f"AWS_ENDPOINT_URL_{service}": url for service, url in urls.items()}

    @property
    def calls(self) -> set[Call]:
        return set(self._seen) | set(self._kinesis.calls())

    def _hear(self, _method: str, call: Call) -> None:
        self._seen.add(call)


class Tap(Wire):
    """A wire that keeps what is said. Kinesis' Java client speaks HTTP/2, which the proxy does not."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._said: dict[socket.socket, bytearray] = defaultdict(bytearray)

    def _hear(self, source: socket.socket, data: bytes) -> None:
        self._said[source] += data

    def calls(self) -> Iterator[Call]:
        for said in [bytes(said) for said in self._said.values()]:
            yield from http_2(said) if said.startswith(PREFACE) else http_1(said)


def http_1(said: bytes) -> Iterator[Call]:
    """The calls of a client that speaks HTTP/1.1; nothing of what a service says."""
    while said.startswith((b"POST ", b"GET ")):
        head, _, rest = said.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        size = int(headers.get("content-length", 0))
        method, target, _ = lines[0].split(" ")
        yield call_of(method, target, headers, rest[:size])
        said = rest[size:]


def http_2(said: bytes) -> Iterator[Call]:
    """The calls of a client that speaks HTTP/2 with prior knowledge, in CBOR (RFC 9113: frames, RFC 7541: headers)."""
    decoder = hpack.Decoder()
    decoder.max_allowed_table_size = 1 << 16
    heads: dict[int, bytes] = defaultdict(bytes)
    headers: dict[int, dict[str, str]] = {}
    bodies: dict[int, bytes] = defaultdict(bytes)
    at = len(PREFACE)
    while at + 9 <= len(said):
        size, kind, flags = int.from_bytes(said[at : at + 3]), said[at + 3], said[at + 4]
        stream, payload = int.from_bytes(said[at + 5 : at + 9]), said[at + 9 : at + 9 + size]
        at += 9 + size
        if kind in (DATA, HEADERS) and flags & PADDED:
            payload = payload[1 : len(payload) - payload[0]]
        if kind == HEADERS and flags & PRIORITY:
            payload = payload[5:]
        if kind == DATA:
            bodies[stream] += payload
        elif kind in (HEADERS, CONTINUATION):
            heads[stream] += payload
            if flags & END_HEADERS:
                headers[stream] = {str(name): str(value) for name, value in decoder.decode(heads.pop(stream))}
    for stream, named in headers.items():
        if stream in bodies:  # otherwise the connection ended before it was whole
            body = json.dumps(cbor2.loads(bodies[stream]), default=str).encode()
            yield call_of(named[":method"], named[":path"], named, body)
