"""Spark writes the files that one machine writes, byte for byte: so they are equal record for record."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import boto3
import pytest

from articles import cli
from local.emulator import Emulator
from tests.jobs.conftest import Submit

MANIFEST = "manifest.json"


def files(folder: Path) -> dict[str, bytes]:
    found = {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    return {name: body for name, body in found.items() if name != MANIFEST}


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / MANIFEST).read_bytes())
    return found


def one_machine(source: Path, to: Path, *options: str) -> None:
    assert cli.main(["export", "1", str(source), "--to", str(to), "--processes", "1", *options]) == 0


@pytest.mark.parametrize(
    "options, at_least",
    [
        ("", 1),
        ("--file-size 3K --split 0.5/0.5 --deduplicate", 4),
        ("--file-size 3K --shuffle --seed 7 --deduplicate --split 0.8/0.1/0.1", 5),
        ("--shuffle --split 0.0001/0.9999", 2),
        ("--file-size 6K --shuffle --profile dense", 2),
        ("--file-size 6K --shuffle --deduplicate --format parquet --memory 1G", 2),
    ],
    ids=["in order", "in order, split", "shuffled", "one file empty", "dense", "parquet"],
)
def test_the_files_are_those_of_one_machine(
    bucket: Path, submit: Submit, tmp_path: Path, options: str, at_least: int
) -> None:
    one_machine(bucket, tmp_path / "one", *options.split())
    done = submit("1", bucket, "--to", tmp_path / "spark", *options.split())
    assert (done.status, done.err) == (0, "")
    assert files(tmp_path / "spark") == files(tmp_path / "one")
    said, expected = manifest(tmp_path / "spark"), manifest(tmp_path / "one")
    assert said.pop("spark")[0].isdecimal()
    assert said == expected
    totals = said["totals"]
    assert totals["files"] == len(said["files"]) >= at_least
    assert totals["tombstones"] > 0
    assert (totals["duplicates"] > 0) == ("--deduplicate" in options)
    assert ("0.0001" in options) == (said["files"][0]["records"] == 0)


def test_from_s3_to_s3(bucket: Path, submit: Submit, emulator: Emulator, tmp_path: Path) -> None:
    url = emulator.endpoint_urls["s3"]
    client: Any = boto3.client("s3", endpoint_url=url, region_name=emulator.region)
    client.create_bucket(Bucket="on-spark")
    for file in bucket.rglob("*"):
        if file.is_file():
            client.upload_file(str(file), "on-spark", f"news/articles/{file.relative_to(bucket)}")
    options = ("--shuffle", "--deduplicate", "--file-size", "6K")
    done = submit("newest", "s3://on-spark/news/articles", "--to", "s3://on-spark/made/one", *options, "--json")
    assert (done.status, done.err) == (0, "")
    one_machine(bucket, tmp_path / "one", *options)
    expected = files(tmp_path / "one")
    assert [file["name"] for file in json.loads(done.out)["files"]] == sorted(expected)
    for name, body in expected.items():
        assert client.get_object(Bucket="on-spark", Key=f"made/one/{name}")["Body"].read() == body


def test_what_was_damaged_since_is_refused_or_named(bucket: Path, submit: Submit, tmp_path: Path) -> None:
    source = tmp_path / "articles"
    shutil.copytree(bucket, source)
    damaged, gone = sorted(source.glob("data/*/*.avro"))[:2]
    damaged.write_bytes(damaged.read_bytes()[:-20] + bytes(20))
    gone.unlink()
    options = ("--shuffle", "--file-size", "6K")
    refused = submit("1", source, "--to", tmp_path / "spark", *options)
    assert refused.status == 1
    assert damaged.name in refused.err
    assert "--tolerate" in refused.err
    assert files(tmp_path / "spark") == {}
    one_machine(source, tmp_path / "one", *options, "--tolerate")
    done = submit("1", source, "--to", tmp_path / "spark", *options, "--tolerate")
    assert done.status == 0
    assert gone.name in done.err
    assert files(tmp_path / "spark") == files(tmp_path / "one")
    assert manifest(tmp_path / "spark")["set_aside"] == manifest(tmp_path / "one")["set_aside"] != []


def test_it_goes_on_where_another_export_ended(bucket: Path, submit: Submit, tmp_path: Path) -> None:
    """Of one machine, or of Spark."""
    options = ("--shuffle", "--file-size", "6K")
    one_machine(bucket, tmp_path / "one", *options)
    expected = files(tmp_path / "one")
    half = sorted(expected)[::2]
    assert len(half) > 1
    for name in (*half, MANIFEST):
        (tmp_path / "one" / name).unlink()
    left = {file: file.stat().st_mtime_ns for file in (tmp_path / "one").iterdir()}
    done = submit("1", bucket, "--to", tmp_path / "one", *options)
    assert (done.status, done.err) == (0, "")
    assert files(tmp_path / "one") == expected
    assert {file: file.stat().st_mtime_ns for file in left} == left
    again = submit("1", bucket, "--to", tmp_path / "one", *options)
    assert "all there already" in again.out


def test_mistakes_are_said_in_a_line(bucket: Path, submit: Submit, tmp_path: Path) -> None:
    def said(*arguments: str | Path) -> str:
        done = submit(*arguments)
        assert done.status == 2
        assert done.out == ""
        assert done.err.count("\n") == 1
        return done.err

    to = tmp_path / "spark"
    assert "there is no snapshot 9" in said("9", bucket, "--to", to)
    assert "belongs to --shuffle" in said("1", bucket, "--to", to, "--seed", "1")
    one_machine(bucket, to, "--shuffle")
    assert "another export" in said("1", bucket, "--to", to)
    (to / MANIFEST).unlink()
    assert "another export" in said("1", bucket, "--to", to)
