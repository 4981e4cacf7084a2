"""Parquet files of exports, through pyarrow, which only the plan `training` installs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from articles import avro
from articles.errors import ChainError
from articles.export.options import Profile
from articles.export.records import FIELDS
from articles.training.adapters.arrow import columns

ROW_GROUP_BYTES: Final = 8 << 20
"""Uncompressed: more is hardly smaller, and takes several times as much memory."""


class ParquetWriter:
    def __init__(self, path: Path, profile: Profile) -> None:
        self._path, self._columns = path, columns(FIELDS)
        self._held: list[bytes] = []
        self._size = 0
        self._file = pq.ParquetWriter(
            path,
            self._columns,
            compression=profile.codec,
            compression_level=profile.level,
            use_dictionary=["shard_id"],
            write_page_checksum=True,
        )

    def add(self, record: bytes) -> None:
        self._held.append(record)
        self._size += len(record)
        if self._size >= ROW_GROUP_BYTES:
            self._row_group()

    def finish(self, metadata: Mapping[str, str]) -> bytes:
        if self._held:
            self._row_group()
        self._file.add_key_value_metadata(dict(metadata))
        self._file.close()
        body = self._path.read_bytes()
        self._path.unlink()
        return body

    def close(self) -> None:
        self._file.close()

    def _row_group(self) -> None:
        table = _table(self._held, self._columns)
        self._held.clear()
        self._size = 0
        self._file.write_table(table, table.num_rows)


def read_metadata(body: bytes) -> Mapping[str, str]:
    """That of a whole file, all of whose pages are checked. Raises ChainError."""
    try:
        file = pq.ParquetFile(pa.BufferReader(body), page_checksum_verification=True)
        for group in range(file.num_row_groups):
            file.read_row_group(group)
    except (pa.ArrowException, OSError) as error:
        raise ChainError(f"it is no Parquet file, or damaged: {error}") from error
    said: Mapping[bytes, bytes] = file.metadata.metadata or {}
    return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in said.items()}


def _table(records: list[bytes], columns: pa.Schema) -> pa.Table:
    values: list[list[Any]] = [[] for _ in columns]
    for record in avro.decode_articles(b"".join(records), len(records)):
        for held, name in zip(values, FIELDS, strict=True):
            held.append(record[name])
    arrays = [pa.array(held, column.type) for held, column in zip(values, columns, strict=True)]
    return pa.Table.from_arrays(arrays, schema=columns)
