"""An S3 that costs next to nothing, in a process of its own: what a child or a command costs is then its own.

Keeps sizes and metadata of objects, and their bytes where it is told to (`--keep`); begins with those of a folder
(`--serve`), whose folders are buckets. Speaks as much of the protocol as the clients here ask for: PUT (with
If-None-Match), GET (with Range), HEAD, ListObjectsV2. One thread, no checks of signatures, loopback only. Prints its
URL on a line of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote
from xml.sax.saxutils import escape

DATE: Final = "Thu, 01 Jan 2026 00:00:00 GMT"
MODIFIED: Final = "2026-01-01T00:00:00.000Z"
SMALL_BYTES: Final = 4096
"""Roots and the like, which are read again, are kept in any case."""
_REASONS: Final = {200: "OK", 206: "Partial Content", 404: "Not Found", 412: "Precondition Failed"}


@dataclass(frozen=True, slots=True)
class Stored:
    size: int
    headers: bytes
    body: bytes | None


class Objects:
    """All buckets in one: keys start with the bucket's name."""

    def __init__(self, keep: bool) -> None:
        self.latency = 0.0
        self._keep = keep
        self._keys: list[str] = []
        self._objects: dict[str, Stored] = {}

    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        path, _, query = target.partition("?")
        key = unquote(path).lstrip("/")
        # The benchmark's own questions: the sizes below a folder; how long to wait before each answer, in seconds.
        if key == "-/sizes":
            return _response(200, json.dumps(self._sizes(query)).encode())
        if key == "-/latency":
            self.latency = float(query)
            return _response(200, b"null")
        if method == "PUT":
            return self._put(key, headers, body)
        if method == "GET" and "list-type=2" in query:
            return _response(200, self._list(key.rstrip("/"), dict(parse_qsl(query, keep_blank_values=True))))
        found = self._objects.get(key)
        if found is None:
            said = b"" if method == "HEAD" else b"<Error><Code>NoSuchKey</Code><Message>no</Message></Error>"
            return _response(404, said)
        if method == "HEAD":
            return _response(200, b"", found.headers, found.size)
        return _read(found, headers.get("range", ""))

    def serve(self, folder: Path) -> None:
        for file in folder.rglob("*"):
            if file.is_file():
                body = file.read_bytes()
                key = file.relative_to(folder).as_posix()
                self._objects[key] = Stored(len(body), b"", body)
        self._keys = sorted(self._objects)

    def _put(self, key: str, headers: dict[str, str], body: bytes) -> bytes:
        if key in self._objects:
            if headers.get("if-none-match") == "*":
                said = b"<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>"
                return _response(412, said)
        else:
            insort(self._keys, key)
        meta = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name.startswith("x-amz-meta-"))
        size = int(headers.get("x-amz-decoded-content-length", len(body)))
        kept = body if self._keep or size <= SMALL_BYTES else None
        self._objects[key] = Stored(size, meta.encode(), kept)
        return _response(200, b"")

    def _list(self, bucket: str, asked: dict[str, str]) -> bytes:
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        most = int(asked.get("max-keys", 1000))
        after = max(asked.get("start-after", ""), asked.get("continuation-token", ""))
        start = bisect_left(self._keys, f"{bucket}/{prefix}")
        if after:
            start = max(start, bisect_right(self._keys, f"{bucket}/{after}"))
        rows: list[str] = []
        folders: list[str] = []
        last, more = "", False
        for full in self._keys[start:]:
            key = full[len(bucket) + 1 :]
            if not full.startswith(f"{bucket}/{prefix}"):
                break
            if len(rows) + len(folders) == most:
                more = True
                break
            last = key
            if delimiter and (cut := key.find(delimiter, len(prefix))) >= 0:
                if not folders or folders[-1] != key[: cut + 1]:
                    folders.append(key[: cut + 1])
                continue
            rows.append(
                f"<Contents><Key>{escape(key)}</Key><LastModified>{MODIFIED}</LastModified><ETag>&quot;0&quot;</ETag>"
                f"<Size>{self._objects[full].size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            )
        common = "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
        token = f"<NextContinuationToken>{escape(last)}</NextContinuationToken>" if more else ""
        return (
            f'<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>{escape(bucket)}</Name>'
            f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(rows) + len(folders)}</KeyCount><MaxKeys>{most}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{''.join(rows)}{common}</ListBucketResult>"
        ).encode()

    def _sizes(self, prefix: str) -> dict[str, int]:
        return {key: stored.size for key, stored in self._objects.items() if key.startswith(prefix)}


def _read(found: Stored, wanted: str) -> bytes:
    if found.body is None:
        raise ValueError("a body was asked for that was not kept; start the stub with --keep")
    if not wanted:
        return _response(200, found.body, found.headers)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    end = min(int(last) + 1 if last else found.size, found.size)
    part = found.body[int(first) : end]
    where = f"Content-Range: bytes {first}-{end - 1}/{found.size}\r\n".encode()
    return _response(206, part, found.headers + where)


def _response(status: int, body: bytes, headers: bytes = b"", size: int | None = None) -> bytes:
    length = len(body) if size is None else size
    head = f'HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Length: {length}\r\nETag: "0"\r\nLast-Modified: {DATE}\r\n'
    return head.encode() + f"Date: {DATE}\r\n".encode() + headers + b"\r\n" + body


async def _serve(objects: Objects, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head[:-4].split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            if "100-continue" in headers.get("expect", ""):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            if objects.latency:
                await asyncio.sleep(objects.latency)
            writer.write(objects.answer(method, target, headers, body))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _run(keep: bool, folder: Path | None) -> None:
    objects = Objects(keep)
    if folder:
        objects.serve(folder)
    server = await asyncio.start_server(lambda r, w: _serve(objects, r, w), "127.0.0.1", 0, limit=1 << 20)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="An S3 that costs next to nothing, for benchmarks.")
    parser.add_argument("--keep", action="store_true", help="keep the objects' bytes, to be read again")
    parser.add_argument("--serve", metavar="FOLDER", type=Path, help="begin with its files as objects")
    args = parser.parse_args()
    asyncio.run(_run(args.keep, args.serve))


if __name__ == "__main__":
    main()
