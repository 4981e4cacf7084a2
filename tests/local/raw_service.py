"""An HTTP service that answers with given bytes and keeps the very bytes that it was sent."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence


class RawService:
    """A context manager. Each request that ends is answered with the next of `answers`, the last one again and again;
    `ends_after` closes the connection after each answer."""

    def __init__(self, answers: Sequence[bytes], request_bytes: Sequence[int], ends_after: bool = False) -> None:
        self.received: list[bytes] = []
        self._answers, self._sizes, self._ends_after = answers, request_bytes, ends_after
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> RawService:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()

    def _run(self) -> None:
        done = 0
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._server.accept()
                with connection, contextlib.suppress(OSError, IndexError):
                    connection.settimeout(10)
                    while True:
                        self.received.append(read_exactly(connection, self._sizes[done]))
                        connection.sendall(self._answers[done])
                        done += 1
                        if self._ends_after:
                            break


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """Raises OSError when the other side ends before."""
    data = bytearray()
    while len(data) < size:
        if not (piece := connection.recv(size - len(data))):
            raise OSError(f"{len(data)} bytes came of {size}")
        data += piece
    return bytes(data)
