"""The tables for SQL engines are those of the schema, and the page of the readers says what is tried."""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.session
from botocore.validate import validate_parameters

from articles import schema
from tests.readers.document import ROOT, SQL, athena, code, table, trino

HIVE = {"string": "string", "int": "int", "long": "bigint"}
TRINO = {"string": "varchar", "int": "integer", "long": "bigint"}
PROJECTION = {
    "projection.enabled": "true",
    "projection.dt.type": "date",
    "projection.dt.format": "yyyy-MM-dd",
    "projection.dt.range": "2024-01-01,NOW",
    "storage.location.template": "s3://my-bucket/articles/data/dt=${dt}/",
}
Column = tuple[str, str]


def plain(node: Any) -> Any:
    """The schema without what a table does not need: what is said about a field, and that a number is a time."""
    if isinstance(node, dict):
        if node.get("logicalType") == "timestamp-millis":
            return node["type"]
        return {name: plain(value) for name, value in node.items() if name != "doc"}
    return [plain(item) for item in node] if isinstance(node, list) else node


def columns(types: dict[str, str]) -> list[Column]:
    """Of the schema, all of them. Every engine takes a number for a number; of times each makes its own."""

    def only(kind: Any) -> str:
        (found,) = (name for name in (kind if isinstance(kind, list) else [kind]) if name != "null")
        return str(found)

    return [(field["name"], types[only(field["type"])]) for field in plain(schema.ARTICLE)["fields"]]


def declared(statement: str) -> list[Column]:
    block = re.search(r"TABLE \S+ \(\n(.*?)\n\)\n", statement, re.DOTALL)
    assert block
    return re.findall(r"(?m)^  ([a-z_]+) ([a-z]+)", block[1])


def properties(statement: str) -> dict[str, str]:
    return dict(re.findall(r"'([\w.]+)' = '([^']*)'", statement))


def literal(statement: str) -> Any:
    found = re.search(r"avro.schema.literal'? = '(.*?)'\n", statement, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_athena_has_the_columns_of_the_schema() -> None:
    statement = athena()
    assert declared(statement) == columns(HIVE)
    assert "\nPARTITIONED BY (dt string)\n" in statement
    assert literal(statement) == plain(schema.ARTICLE)
    assert properties(statement).items() >= PROJECTION.items()


def test_glue_has_the_table_that_athena_makes() -> None:
    given = json.loads((SQL / "glue-table.json").read_text("utf-8"))
    stored = given["TableInput"]["StorageDescriptor"]
    assert [(column["Name"], column["Type"]) for column in stored["Columns"]] == columns(HIVE)
    assert given["TableInput"]["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    assert json.loads(stored["SerdeInfo"]["Parameters"]["avro.schema.literal"]) == plain(schema.ARTICLE)
    assert given["TableInput"]["Parameters"].items() >= PROJECTION.items()
    assert {stored["InputFormat"], stored["OutputFormat"], stored["SerdeInfo"]["SerializationLibrary"]} == set(
        re.findall(r"'(org\.apache\.hadoop\.hive[\w.]+)'", athena())
    )
    assert f"\nLOCATION '{stored['Location']}'\n" in athena()


def test_glue_s_table_is_one_that_aws_takes() -> None:
    given = json.loads((SQL / "glue-table.json").read_text("utf-8"))
    shape = botocore.session.get_session().get_service_model("glue").operation_model("CreateTable").input_shape
    assert shape
    validate_parameters(given, shape)


def test_trino_has_the_columns_of_the_schema() -> None:
    statement = trino()
    assert declared(statement) == [*columns(TRINO), ("dt", "varchar")]
    assert literal(statement) == plain(schema.ARTICLE)
    told = dict(re.findall(r"(\w+) = ('[^']*'|ARRAY\[[^\]]*\]|true)", statement))
    assert (
        told.items()
        >= {
            "partition_projection_enabled": "true",
            "partition_projection_type": "'DATE'",
            "partition_projection_format": "'yyyy-MM-dd'",
            "partition_projection_range": "ARRAY['2024-01-01', 'NOW']",
            "partition_projection_location_template": f"'{PROJECTION['storage.location.template']}'",
            "partitioned_by": "ARRAY['dt']",
            "external_location": "'s3://my-bucket/articles/data/'",
        }.items()
    )


def test_the_page_names_the_versions_that_are_tried() -> None:
    def locked(plan: str) -> dict[str, str]:
        text = (ROOT / "bootstrap" / "requirements" / f"{plan}.lock").read_text("utf-8")
        return dict(re.findall(r"(?m)^([a-z0-9-]+)==(\S+)", text))

    pom = (ROOT / "tests" / "readers" / "java" / "pom.xml").read_text("utf-8")
    java = dict(re.findall(r"<artifactId>(\S+)</artifactId>(?:\s*<!--.*?-->)?\s*<version>(\S+)</version>", pom))
    there, training = locked("readers"), locked("training")
    assert {reader: row["tried"] for reader, row in table().items()} == {
        "fastavro": there["fastavro"],
        "Java": java["avro"],
        "DuckDB": there["duckdb"],
        "Polars": there["polars"],
        "Spark": there["pyspark"],
        "pandas": there["pandas"],
        "Hugging Face": training["datasets"],
        "PyTorch": training["torch"],
        "Athena, Glue, Trino": "Hive 2.3.10's reader",  # which PySpark brings
    }
    assert java["spark-avro_2.13"] == there["pyspark"]
    packages = {f"org.apache.spark:spark-avro_2.13:{java['spark-avro_2.13']}"}
    packages |= {f"org.apache.hadoop:hadoop-aws:{java['hadoop-aws']}"}
    page = (ROOT / "docs" / "readers.md").read_text("utf-8")
    assert f"`--packages {','.join(sorted(packages, reverse=True))}`" in page


def test_the_java_that_is_shown_is_the_java_that_is_run() -> None:
    program = (ROOT / "tests" / "readers" / "java" / "ReadArticles.java").read_text("utf-8")
    lines = iter(line.strip() for line in program.splitlines())
    assert all(shown in lines for shown in map(str.strip, code("Java").splitlines()))  # in this order
