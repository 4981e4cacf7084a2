"""HTTP/1.1 messages as the very bytes that came over the wire, for a proxy that passes them on unaltered."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

HEAD_BYTES: Final = 1 << 20
PIECE_BYTES: Final = 1 << 20
FRESH_SECONDS: Final = 1.0
"""For so long after its last use a connection to the service is used again; the emulator ends idle ones after 5 s."""
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer. `start` is its first line in three parts; names of `headers` are in lower case; `body`
    is as it came, with the framing of its chunks."""

    start: tuple[str, str, str]
    headers: Mapping[str, str]
    head: bytes
    body: bytes

    @property
    def closes(self) -> bool:
        version = self.start[0] if self.start[0].startswith("HTTP/") else self.start[2]
        return version != "HTTP/1.1" or "close" in self.headers.get("connection", "").lower()


class Connection:
    """One end of a connection. Raises OSError, EOFError or ValueError for what is cut or is no HTTP/1.1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @property
    def is_gone(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    async def request(self) -> Message | None:
        """The next one; None when the other side has ended the connection between two."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            if error.partial:
                raise
            return None
        start, headers = _parse(head)
        if headers.get("expect", "").lower() == "100-continue":
            await self.send(CONTINUE)
        return Message(start, headers, head, await self._body(headers, has_length=True))

    async def answer(self, method: str) -> Message:
        """The answer to a request of that method; "100 Continue" is passed over."""
        while True:
            head = await self._reader.readuntil(b"\r\n\r\n")
            start, headers = _parse(head)
            if not start[1].startswith("1"):
                break
        empty = method == "HEAD" or start[1] in ("204", "304")
        body = b"" if empty else await self._body(headers, has_length=False)
        return Message(start, headers, head, body)

    async def send(self, data: bytes, bytes_a_second: float = 0) -> None:
        """In pieces; ten a second where a speed is given."""
        size = max(1, int(bytes_a_second / 10)) if bytes_a_second else PIECE_BYTES
        view = memoryview(data)
        for start in range(0, len(data), size):
            piece = view[start : start + size]
            self._writer.write(piece)
            await self._writer.drain()
            if bytes_a_second:
                await asyncio.sleep(len(piece) / bytes_a_second)

    def close(self) -> None:
        """After what was sent has gone."""
        self._writer.close()

    def cut(self) -> None:
        self._writer.transport.abort()

    async def _body(self, headers: Mapping[str, str], has_length: bool) -> bytes:
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return await self._chunks()
        if "content-length" in headers:
            return await self._reader.readexactly(int(headers["content-length"]))
        return b"" if has_length else await self._reader.read()

    async def _chunks(self) -> bytes:
        pieces = []
        size = 1
        while size:
            line = await self._reader.readuntil(b"\r\n")
            size = int(line.partition(b";")[0], 16)
            pieces += [line, await self._reader.readexactly(size + 2) if size else b""]
        while pieces[-1] != b"\r\n":  # trailers, and the empty line at their end
            pieces.append(await self._reader.readuntil(b"\r\n"))
        return b"".join(pieces)


class Service:
    """The connection behind one client's: opened when it is needed, and anew after it was idle."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._connection: Connection | None = None
        self._used = 0.0

    async def ask(self, request: Message) -> Message:
        loop = asyncio.get_running_loop()
        if self._connection is None or self._connection.is_gone or loop.time() - self._used > FRESH_SECONDS:
            self.cut()
            self._connection = Connection(*await asyncio.open_connection(self._host, self._port, limit=HEAD_BYTES))
        with contextlib.suppress(ConnectionError):  # it may have answered before it had all of the body
            await self._connection.send(request.head + request.body)
        answer = await self._connection.answer(request.start[0])
        self._used = loop.time()
        if request.closes or answer.closes:
            self.cut()
        return answer

    def cut(self) -> None:
        if self._connection:
            self._connection.cut()
            self._connection = None


def _parse(head: bytes) -> tuple[tuple[str, str, str], dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    start = first.split(" ", 2)
    if len(start) == 2:  # an answer without a reason
        start.append("")
    if len(start) != 3 or not (start[0].startswith("HTTP/1.") or start[2].startswith("HTTP/1.")):
        raise ValueError(f"no HTTP/1.1: {first[:80]!r}")
    pairs = (line.partition(":") for line in lines if line)
    return (start[0], start[1], start[2]), {name.lower(): value.strip() for name, _, value in pairs}
