"""A proxy in front of S3 or DynamoDB that misbehaves on request: what really comes over HTTP when a service is in
trouble.

It speaks HTTP/1.1 on loopback and passes on the very bytes that it gets, `Host` included. A request is read whole
before the service is asked, and so is the answer: what is cut leaves no half of anything behind, as with the services
themselves (the emulator would store half a body).
"""

from __future__ import annotations

import asyncio
import fnmatch
import hashlib
import math
import random
import re
import socket
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from local.aws_call import Call, call_of
from local.http_wire import HEAD_BYTES, Connection, Message, Service

SLOW_DOWN: Final = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
CONFLICT: Final = b"<Error><Code>ConditionalRequestConflict</Code><Message>Another one is at work.</Message></Error>"
MISMATCH: Final = (
    b"<Error><Code>XAmzContentSHA256Mismatch</Code><Message>The provided 'x-amz-content-sha256' header does not match "
    b"what was computed.</Message></Error>"
)
THROTTLED: Final = (
    b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",'
    b'"message":"The level of configured provisioned throughput for the table was exceeded."}'
)
TROUBLE: Final = (OSError, EOFError, ValueError, asyncio.LimitOverrunError)


class Action(Enum):
    REFUSE = auto()
    """Answer `status` and `body`; the service is not asked."""
    LOSE = auto()
    """The service is asked; its answer is dropped, and the connection cut."""
    MISREPORT = auto()
    """The service is asked; the answer is `status` and `body` all the same."""
    CUT = auto()
    """The connection is cut, and the service not asked."""
    CORRUPT = auto()
    """One bit of the body is wrong: the request's where S3 gets an object, otherwise the answer's."""
    TRUNCATE = auto()
    """Half of the answer, then the connection is cut."""
    SLOW = auto()
    """The request and the answer take their time, at `bytes_a_second`; who has given up by then is not served."""
    HOLD = auto()
    """The request waits for `seconds`, and then goes on, whether or not somebody still waits for the answer."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes requests of these `methods` (such as PUT) and `operations` (PutObject, UpdateItem), where empty means
    any, on S3 keys or DynamoDB tables that match `pattern`, and with `holding` in the body; `left` times at most, None
    without an end."""

    kind: str
    action: Action
    methods: frozenset[str] = frozenset()
    operations: frozenset[str] = frozenset()
    pattern: str = "*"
    holding: bytes = b""
    probability: float = 1.0
    left: int | None = None
    status: int = 503
    body: bytes = SLOW_DOWN
    seconds: float = 0.0
    bytes_a_second: float = 0.0

    def __post_init__(self) -> None:
        if self.action is Action.SLOW and self.bytes_a_second <= 0:
            raise ValueError(f"{self.kind}: SLOW needs a speed in bytes_a_second")

    def fits(self, request: Message, call: Call) -> bool:
        return (
            (not self.methods or request.start[0] in self.methods)
            and (not self.operations or call.operation in self.operations)
            and fnmatch.fnmatchcase(call.name, self.pattern)
            and self.holding in request.body
        )


class FaultProxy:
    """A context manager; `url` stands in for the endpoint `upstream_url`. May be asked from any thread.

    `listen` gets each request's method and call, before a fault is chosen, from the proxy's own thread.
    """

    def __init__(
        self, upstream_url: str, seed: int = 0, listen: Callable[[str, Call], None] = lambda _method, _call: None
    ) -> None:
        parts = urlsplit(upstream_url)
        self._service = (parts.hostname or "", parts.port or 80)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._listen = listen
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._left: list[float] = []
        self._counts: Counter[str] = Counter()
        self._calls: Counter[str] = Counter()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="fault-proxy", daemon=True)

    def __enter__(self) -> FaultProxy:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def set(self, faults: Sequence[Fault]) -> None:
        """Replaces those there were; of several that fit a request the first whose dice fall so strikes."""
        with self._lock:
            self._faults = list(faults)
            self._left = [math.inf if fault.left is None else fault.left for fault in faults]

    @property
    def counts(self) -> Counter[str]:
        """How often each kind of fault has struck."""
        with self._lock:
            return Counter(self._counts)

    @property
    def calls(self) -> Counter[str]:
        """What was called how often, such as "s3:PutObject bucket/prefix/data/…": with `#` for the digits of numbers
        that grow, so that there are no more of them in an hour than in a minute."""
        with self._lock:
            return Counter(self._calls)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        tasks: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self._loop.create_task(self._serve(Connection(reader, writer), Service(*self._service)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(accept, sock=self._socket, limit=HEAD_BYTES)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, client: Connection, service: Service) -> None:
        try:
            while (request := await client.request()) and await self._exchange(client, service, request):
                pass
            client.close()
        except (asyncio.CancelledError, *TROUBLE):
            client.cut()  # as the service would have: the client is told of any trouble by its end
        finally:
            service.cut()

    async def _exchange(self, client: Connection, service: Service, request: Message) -> bool:
        """Whether the connection may go on."""
        method, target, _ = request.start
        call = call_of(method, target, request.headers, request.body)
        self._listen(method, call)
        fault = self._judge(request, call)
        answer = await self._answer(fault, client, service, request)
        if answer is None:
            client.cut()
            return False
        await client.send(answer.head + answer.body, fault.bytes_a_second if fault else 0)
        return not (request.closes or answer.closes)

    async def _answer(
        self, fault: Fault | None, client: Connection, service: Service, request: Message
    ) -> Message | None:
        """None when the connection is to be cut."""
        if fault is None:
            return await service.ask(request)
        match fault.action:
            case Action.REFUSE:
                return _told(fault.status, fault.body, request)
            case Action.LOSE:
                await service.ask(request)
                return None
            case Action.MISREPORT:
                await service.ask(request)
                return _told(fault.status, fault.body, request)
            case Action.CUT:
                return None
            case Action.CORRUPT:
                return await self._corrupted(service, request)
            case Action.TRUNCATE:
                answer = await service.ask(request)
                await client.send(answer.head + answer.body[: len(answer.body) // 2])
                return None
            case Action.SLOW:
                await asyncio.sleep(len(request.body) / fault.bytes_a_second)
                return None if client.is_gone else await service.ask(request)
            case Action.HOLD:
                await asyncio.sleep(fault.seconds)
                return await service.ask(request)

    def _judge(self, request: Message, call: Call) -> Fault | None:
        with self._lock:
            self._calls[f"{call.service}:{call.operation} {re.sub(r'[0-9]{4,}', '#', call.resource)}"] += 1
            for at, fault in enumerate(self._faults):
                if self._left[at] > 0 and fault.fits(request, call) and self._random.random() < fault.probability:
                    self._left[at] -= 1
                    self._counts[fault.kind] += 1
                    return fault
        return None

    async def _corrupted(self, service: Service, request: Message) -> Message:
        """S3 compares what an object's request says of its body with what came; the emulator does not, so it is done
        here. DynamoDB says a checksum of its answers, and the emulator none, so it is added here."""
        said = request.headers.get("x-amz-content-sha256")
        if said and request.body:
            damaged = self._damaged(request.body)
            if len(said) == 64 and said != hashlib.sha256(damaged).hexdigest():
                return _told(400, MISMATCH, request)
            return await service.ask(replace(request, body=damaged))
        answer = await service.ask(request)
        checksum = f"x-amz-crc32: {zlib.crc32(answer.body)}\r\n\r\n".encode()
        return replace(answer, head=answer.head[:-2] + checksum, body=self._damaged(answer.body))

    def _damaged(self, body: bytes) -> bytes:
        if not body:
            return body
        with self._lock:
            at, bit = self._random.randrange(len(body)), 1 << self._random.randrange(8)
        return b"".join((body[:at], bytes([body[at] ^ bit]), body[at + 1 :]))


def _told(status: int, body: bytes, request: Message) -> Message:
    """An answer of our own."""
    if request.start[0] == "HEAD":
        body = b""
    kind = "application/x-amz-json-1.0" if "x-amz-target" in request.headers else "application/xml"
    head = f"HTTP/1.1 {status} Fault\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    return Message(("HTTP/1.1", str(status), "Fault"), {}, head, body)
