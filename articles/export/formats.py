"""The files of an export: Avro as everywhere here, and Parquet through pyarrow, which is there only with the plan
`training`. Records go through a file of the scratch folder, so that a file's size costs memory only while it is stored.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from articles import container, schema
from articles.errors import ChainError, UserError
from articles.export.compression import BLOCK_BYTES, compressor
from articles.export.options import Options, Profile

COPIED: Final = 1 << 20
Metadata = Mapping[str, str]


class Format(Protocol):
    def add(self, record: bytes) -> None: ...

    def finish(self, metadata: Metadata) -> bytes:
        """The whole file, once in memory."""
        ...

    def close(self) -> None:
        """Also what was not finished."""
        ...


def writer(options: Options, path: Path, key: str) -> Format:
    """Of one file, which collects at `path` what it is given. `key` decides an Avro file's sync marker."""
    if options.format == "parquet":
        from articles.export.parquet import ParquetWriter

        return ParquetWriter(path, options.chosen)
    return AvroWriter(path, key, options.chosen)


def metadata_of(options: Options, body: bytes) -> Metadata:
    """That of a whole file. Raises ChainError when it is damaged, or none of that format."""
    if options.format == "parquet":
        from articles.export.parquet import read_metadata

        return read_metadata(body)
    return _read_avro(body)


def check_installed(options: Options) -> None:
    """Raises UserError where there is no pyarrow and it is needed."""
    if options.format == "parquet":
        try:
            import articles.export.parquet  # noqa: F401
        except ImportError as error:
            raise UserError(
                "--format parquet needs pyarrow, which is not installed here: `./run_tests.sh training` sets it up in "
                "this clone, `pip install pyarrow` elsewhere; or take --format avro"
            ) from error


class AvroWriter:
    def __init__(self, path: Path, key: str, profile: Profile) -> None:
        self._path, self._key, self._codec = path, key, profile.codec
        self._compress = compressor(profile.codec, profile.level)
        self._sync = container.sync_marker(key)
        self._digest = hashlib.sha256()
        self._held: list[bytes] = []
        self._size = 0
        self._file = path.open("w+b")

    def add(self, record: bytes) -> None:
        self._held.append(record)
        self._size += len(record)
        if self._size >= BLOCK_BYTES:
            self._block()

    def finish(self, metadata: Metadata) -> bytes:
        if self._held:
            self._block()
        # As in `container.assemble`: Polars takes an empty file of a codec for damaged.
        codec = self._codec if self._file.tell() else "null"
        said = {"avro.schema": json.dumps(schema.ARTICLE), "avro.codec": codec, **metadata}
        said["articles.digest"] = self._digest.hexdigest()
        entries = {name: value.encode() for name, value in said.items()}
        whole = self._path.with_suffix(".avro")
        with self._file, whole.open("wb") as file:
            file.write(container.join(self._key, entries, []))
            self._file.seek(0)
            shutil.copyfileobj(self._file, file, COPIED)
        self._path.unlink()
        return _taken(whole)

    def close(self) -> None:
        self._file.close()

    def _block(self) -> None:
        count, data = len(self._held), b"".join(self._held)
        self._held.clear()
        self._size = 0
        data = self._compress(data)
        framing = container.encode_long(count) + container.encode_long(len(data))
        self._digest.update(framing + data)
        self._file.write(framing + data + self._sync)


def _taken(path: Path) -> bytes:
    body = path.read_bytes()
    path.unlink()
    return body


def _read_avro(body: bytes) -> Metadata:
    header = container.read_header(body)
    found = {name: value.decode("utf-8", "replace") for name, value in header.metadata.items()}
    if container.digest(container.read_blocks(body, header)) != found.get("articles.digest"):
        raise ChainError("its blocks are not those of its digest")
    return found
