from __future__ import annotations

import polars
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from articles import ArticleDataset, schema
from articles.errors import UserError
from articles.training.adapters import arrow
from tests.training.adapters.stored import TOTAL, opened

ALL = tuple(field["name"] for field in schema.ARTICLE["fields"])


def test_the_schema_is_avros(uri: str) -> None:
    assert arrow.schema(opened(uri, fields=ALL)) == pa.schema(
        [
            pa.field("article_id", pa.string(), nullable=False),
            pa.field("title", pa.string()),
            pa.field("author", pa.string()),
            pa.field("publish_date", pa.string()),
            pa.field("content", pa.string(), nullable=False),
            pa.field("word_count", pa.int32(), nullable=False),
            pa.field("shard_id", pa.string(), nullable=False),
            pa.field("sequence_number", pa.string(), nullable=False),
            pa.field("sub_sequence_number", pa.int64(), nullable=False),
            pa.field("arrival_timestamp", pa.timestamp("ms", "UTC")),
            pa.field("extra", pa.string()),
        ]
    )
    assert arrow.schema(opened(uri, fields=("word_count", "title"))).names == ["word_count", "title"]


@given(rows=st.integers(1, TOTAL + 1), shuffle=st.booleans(), stop=st.integers(0, TOTAL))
def test_batches_are_the_samples_and_resume(uri: str, rows: int, shuffle: bool, stop: int) -> None:
    def of_rank() -> ArticleDataset:
        return opened(uri, shuffle=shuffle, rank=1, world_size=2, split=(0.1, 0.9))

    samples = list(of_rank())
    dataset = of_rank()
    taken = []
    for number, batch in enumerate(arrow.batches(dataset, rows)):
        batch.validate(full=True)
        taken.append(batch)
        if number == stop:
            break
    assert all(batch.num_rows == rows for batch in taken[:-1])
    resumed = of_rank()
    resumed.load_state_dict(dataset.state_dict())
    taken += arrow.batches(resumed, rows)
    assert [row for batch in taken for row in batch.to_pylist()] == samples


def test_a_table_holds_all(uri: str) -> None:
    dataset = opened(uri, fields=ALL, shuffle=True)
    table = arrow.to_table(dataset)
    table.validate(full=True)
    first = table.slice(0, 1).to_pylist()[0]
    expected = next(iter(opened(uri, fields=ALL, shuffle=True)))
    assert first.pop("arrival_timestamp").timestamp() * 1000 == expected.pop("arrival_timestamp")
    assert first == expected
    assert table.num_rows == TOTAL
    assert arrow.to_table(opened(uri, since="2999-01-01")).schema == arrow.schema(opened(uri)), "empty, yet typed"


def test_pandas_and_polars_take_it(uri: str) -> None:
    samples = list(opened(uri, shuffle=True))
    frame = arrow.to_table(opened(uri, shuffle=True)).to_pandas()
    assert frame["article_id"].tolist() == [sample["article_id"] for sample in samples]
    assert frame["word_count"].sum() == sum(sample["word_count"] for sample in samples)
    assert frame["title"].isna().all()
    found = polars.from_arrow(arrow.to_table(opened(uri, shuffle=True)))
    assert isinstance(found, polars.DataFrame)
    assert found.to_dicts() == samples
    assert found.schema["word_count"] == polars.Int32
    parts = [polars.DataFrame(batch) for batch in arrow.batches(opened(uri, shuffle=True), 10)]
    assert polars.concat(parts).equals(found)


def test_parquet_takes_the_stream(uri: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("parquet") / "articles.parquet"
    reader = arrow.reader(opened(uri), rows=10)
    with parquet.ParquetWriter(file, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    assert parquet.read_table(file).to_pylist() == list(opened(uri))


def test_a_batch_has_rows(uri: str) -> None:
    with pytest.raises(UserError, match="rows=0"):
        next(arrow.batches(opened(uri), 0))
