"""A wire to a service that a test can cut and mend."""

from __future__ import annotations

import contextlib
import socket
import threading
from urllib.parse import urlsplit


class Wire:
    """Passes bytes between a port of its own and the service at `url`, on loopback; a context manager."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._service = (parts.hostname or "", parts.port or 80)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self._lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Wire:
        threading.Thread(target=self._accept, name="wire", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._server)
        self.cut()

    def cut(self) -> None:
        """Break every connection; new ones break at once."""
        with self._lock:
            self._is_cut = True
            for end in self._open:
                _end(end)
            self._open.clear()

    def mend(self) -> None:
        with self._lock:
            self._is_cut = False

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._server.accept()
                with self._lock:
                    if self._is_cut:
                        _end(client)
                        continue
                    service = socket.create_connection(self._service)
                    self._open |= {client, service}
                for source, target in ((client, service), (service, client)):
                    threading.Thread(target=self._pass, args=(source, target), name="wire", daemon=True).start()

    def _hear(self, source: socket.socket, data: bytes) -> None:
        """For those who want to know what passes."""

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self._hear(source, data)
                target.sendall(data)
        with self._lock:
            for end in (source, target):
                self._open.discard(end)
                _end(end)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
