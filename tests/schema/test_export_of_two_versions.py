"""An export of files of two versions is of the later one's schema; the earlier software does not make it, which would
lose a field."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from articles.avro import read_container
from articles.errors import UserError
from tests.consumer.kit import LAYOUT, Bench
from tests.schema.sides import Side, rows

MEMORY = 512 << 20


@pytest.fixture
def bucket(mixed: Bench, old: Side, tmp_path: Path) -> Path:
    """As a folder, with a snapshot."""
    old.build(mixed)
    for key, stored in mixed.store.objects.items():
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).write_bytes(stored.body)
    return tmp_path / LAYOUT.prefix


def export(side: Side, bucket: Path, to: Path) -> list[dict[str, Any]]:
    module = side.module("articles.export.export")
    to.mkdir()
    places = side.module("articles.export.pool").Places((str(bucket), None, None, 5.0), (str(to), None, None, 5.0))
    options = side.module("articles.export.options").Options()
    means = module.Means(MEMORY, 1, to.parent)
    module.export(places.open(), None, options, means, places, lambda *_: None)
    return [row for path in sorted(to.rglob("*.avro")) for row in read_container(io.BytesIO(path.read_bytes()))]


def test_the_later_version_exports_both(new: Side, mixed: Bench, bucket: Path, tmp_path: Path) -> None:
    found = export(new, bucket, tmp_path / "exported")
    assert found == [{**row, "sentence_count": row.get("sentence_count")} for row in rows(mixed)]


def test_the_earlier_version_refuses(old: Side, bucket: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="export with a newer version"):
        export(old, bucket, tmp_path / "exported")
