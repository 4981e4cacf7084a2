"""What the profiles promise of sizes, on text that deflates as news does."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from articles import container
from articles.export.formats import writer
from articles.export.options import PROFILES, Options
from benchmarks.export_data import encoded

Records = list[bytes]


@pytest.fixture(scope="module")
def records() -> Records:
    return [*islice(encoded(), 900)]


def size(records: Records, options: Options, folder: Path) -> float:
    """Of the uncompressed records."""
    out = writer(options, folder / "part", "key")
    for record in records:
        out.add(record)
    body = out.finish({})
    return len(body) / sum(map(len, records))


def in_the_pipeline(records: Records) -> float:
    """Blocks of 64 KiB."""
    some = range(0, len(records), 21)
    packed = sum(len(container.compress("deflate", b"".join(records[first : first + 21]))) for first in some)
    return packed / sum(map(len, records))


def test_compatible_is_smaller_than_the_pipelines_files_and_dense_than_all(records: Records, tmp_path: Path) -> None:
    compatible = size(records, Options(), tmp_path)
    dense = size(records, Options(profile="dense"), tmp_path)
    assert dense < 0.85 * compatible
    assert compatible < 0.9 * in_the_pipeline(records)
    for profile, found in (("compatible", compatible), ("dense", dense)):
        assert found == pytest.approx(PROFILES["avro", profile].size, rel=0.1)


def test_compatible_is_no_larger_than_parquet_with_zstd(records: Records, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="only the plan `training` has it")
    from pyarrow import parquet

    from articles.export.parquet import _table
    from articles.export.records import FIELDS
    from articles.training.adapters.arrow import columns

    table = _table(records, columns(FIELDS))
    parquet.write_table(table, tmp_path / "whole.parquet", compression="zstd")
    other = (tmp_path / "whole.parquet").stat().st_size / sum(map(len, records))
    assert size(records, Options(), tmp_path) < other
    assert size(records, Options(profile="dense"), tmp_path) < other
