"""Exports as Parquet, where pyarrow is: `./run_tests.sh training` has it."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest

from articles.errors import ChainError
from articles.export.options import MIB, Options
from tests.export.kit import Repeated, Run, small
from tests.fakes import Stored

pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is there only with the plan `training`")
parquet = pytest.importorskip("articles.export.parquet")
MEMORY = 1024 * MIB
OPTIONS = Options(format="parquet", file_size=120, seed=1, split="0.7/0.3", deduplicate=True)


@pytest.fixture
def bucket() -> Repeated:
    return Repeated([[(9, 3), (4, 3)], [(8, 3)]], ids=17)


def test_it_holds_the_same_records_as_avro(bucket: Repeated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, avro = Run(bucket, tmp_path), Run(bucket, tmp_path)
    with small():
        said = run(OPTIONS, memory=MEMORY).manifest
        avro(dataclasses.replace(OPTIONS, format="avro"))
        monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", 100)
        groups = Run(bucket, tmp_path)
        groups(OPTIONS, memory=MEMORY)
    assert said["totals"]["records"] == 17
    for folder in ("train", "validation"):
        for kind in (run, groups):
            tables = [pq.read_table(io.BytesIO(kind.files[one])) for one in kind.files if one.startswith(folder)]
            found = [record for table in tables for record in table.to_pylist()]
            wanted = [record for one in avro.files if one.startswith(folder) for record in avro.records(one)]
            assert sorted(found, key=str) == sorted(wanted, key=str)


def test_it_goes_on_and_notices_damage(bucket: Repeated, tmp_path: Path) -> None:
    run = Run(bucket, tmp_path)
    with small():
        said = run(OPTIONS, memory=MEMORY).manifest
        del run.to.objects["exports/one/manifest.json"]
        key = min(run.to.objects)
        body = run.to.objects.pop(key).body
        assert run(OPTIONS, memory=MEMORY).manifest == said
        assert run.to.objects[key].body == body
        del run.to.objects["exports/one/manifest.json"]
        run.to.objects[key] = Stored(body[:60] + bytes([body[60] ^ 255]) + body[61:])
        with pytest.raises(ChainError, match="delete it, and it will be made again"):
            run(OPTIONS, memory=MEMORY)
