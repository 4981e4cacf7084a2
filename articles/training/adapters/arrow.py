"""Arrow batches of an `ArticleDataset`, and through them pandas, Polars and whatever else takes Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

import pyarrow as pa

from articles import schema as avro
from articles.errors import UserError
from articles.training.dataset import ArticleDataset

ROWS: Final = 1_000
"""Some 3 MB of articles."""

_TYPES: Final[Mapping[str, pa.DataType]] = {
    "string": pa.string(),
    "int": pa.int32(),
    "long": pa.int64(),
    "timestamp-millis": pa.timestamp("ms", "UTC"),
}


def schema(dataset: ArticleDataset) -> pa.Schema:
    """Of the dataset's fields, in its order, as the Avro schema has them: what is nullable there is nullable here."""
    return columns(dataset.fields)


def columns(fields: Sequence[str]) -> pa.Schema:
    """Of those fields of an article."""
    known = {field["name"]: field["type"] for field in avro.ARTICLE["fields"]}
    return pa.schema([_field(name, known[name]) for name in fields])


def batches(dataset: ArticleDataset, rows: int = ROWS) -> Iterator[pa.RecordBatch]:
    """The dataset's samples in its order, `rows` at a time; the last batch has what is left. Whenever a batch has come
    out `dataset.state_dict()` is the state behind it. A batch's strings have to fit into 2 GiB."""
    if rows < 1:
        raise UserError(f"rows={rows}: a batch has one or more")
    said = schema(dataset)
    samples = iter(dataset)
    while taken := list(islice(samples, rows)):
        arrays = [pa.array([sample[field.name] for sample in taken], field.type) for field in said]
        yield pa.RecordBatch.from_arrays(arrays, schema=said)


def reader(dataset: ArticleDataset, rows: int = ROWS) -> pa.RecordBatchReader:
    """The same for libraries that take a stream of Arrow, such as DuckDB, and for writing Parquet files."""
    return pa.RecordBatchReader.from_batches(schema(dataset), batches(dataset, rows))


def to_table(dataset: ArticleDataset) -> pa.Table:
    """All samples that an iteration gives, in memory: for pandas `to_table(dataset).to_pandas()`, for Polars
    `polars.from_arrow(to_table(dataset))`."""
    return reader(dataset).read_all()


def _field(name: str, kind: Any) -> pa.Field:
    options = kind if isinstance(kind, list) else [kind]
    (value,) = (option for option in options if option != "null")
    type_name = value["logicalType"] if isinstance(value, dict) else value
    return pa.field(name, _TYPES[type_name], nullable="null" in options)
