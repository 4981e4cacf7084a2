"""Today's readers read what every released version of the schema wrote, and earlier readers what is written today."""

from __future__ import annotations

import base64
import io
import json
import shutil
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import fastavro
import pytest

from articles import ArticleDataset, average, avro, cli, dead_letters, location, options, schema, verify
from articles.catalog import open_snapshot
from articles.catalog.build import build
from articles.container import decompress, read_blocks, read_header
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from articles.training.opening import COLUMNS
from tests.articles.bucket import DEEP
from tests.fakes import FakeClock
from tests.schema import release, released, rules

LAYOUT = Layout("articles")
PLACE = ("shard_id", "sequence_number", "sub_sequence_number")
TODAY = {"Article": schema.ARTICLE, "DeadLetter": schema.DEAD_LETTER}


@pytest.fixture(params=released.numbers())
def version(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def bucket(version: int, tmp_path: Path) -> Path:
    """A copy of what that version left, to add to."""
    shutil.copytree(released.VERSIONS / str(version), tmp_path, dirs_exist_ok=True)
    return tmp_path / LAYOUT.prefix


@pytest.fixture
def store(bucket: Path) -> RetryingStore:
    return location.open_uri(str(bucket))[0]


def articles(version: int) -> dict[str, list[dict[str, Any]]]:
    """As today's readers must give them, by key: fields that came later have their defaults."""
    today = {field["name"]: field.get("default") for field in schema.ARTICLE["fields"]}
    return {
        key: [today | record for record in records]
        for key, records in released.records(version).items()
        if key.startswith(LAYOUT.data)
    }


def in_order(version: int) -> list[dict[str, Any]]:
    return [record for _, records in sorted(articles(version).items()) for record in records]


def test_the_schema_is_the_released_one_of_its_version() -> None:
    said = (
        "docs/schema.md says how to change it: with a new VERSION, whose files `python -m tests.schema.release` writes"
    )
    assert schema.VERSION in released.numbers(), said
    assert released.schemas(schema.VERSION) == TODAY, said


def test_no_version_is_missing_and_each_only_adds_nullable_fields_at_the_end() -> None:
    numbers = released.numbers()
    assert numbers == list(range(1, schema.VERSION + 1))
    for older, newer in pairwise(numbers):
        for name, before in released.schemas(older).items():
            assert rules.breaches(before, released.schemas(newer)[name]) == []


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda fields: fields.pop(2), "author is gone: removed or renamed"),
        (lambda fields: fields[1].update(name="headline"), "title is gone: removed or renamed"),
        (lambda fields: fields[5].update(type="long"), "word_count has another type or default"),
        (lambda fields: fields[3].update(default=""), "publish_date has another type or default"),
        (lambda fields: fields.insert(0, fields.pop()), "article_id has moved"),
        (lambda fields: fields.append({"name": "x", "type": "int", "default": 0}), "x is new and not"),
        (lambda fields: fields.append({"name": "x", "type": ["null", "int"]}), "x is new and not"),
        (lambda fields: fields.append({"name": "x", "type": ["int", "null"], "default": 0}), "x is new and not"),
    ],
)
def test_a_change_that_is_not_promised_is_named(change: Any, said: str) -> None:
    changed = deepcopy(schema.ARTICLE)
    change(changed["fields"])
    assert said in "; ".join(rules.breaches(schema.ARTICLE, changed))


def test_its_fields_are_the_first_of_todays(version: int) -> None:
    fields = released.schemas(version)["Article"]["fields"]
    assert [field["name"] for field in fields] == [
        field["name"] for field in schema.ARTICLE["fields"][: schema.FIELDS[version]]
    ]


def test_any_reader_reads_its_files(version: int, bucket: Path) -> None:
    expected = released.records(version)
    assert sum(map(len, expected.values())) >= 36
    for key, records in expected.items():
        with (bucket.parent / key).open("rb") as file:
            assert [released.plain(record) for record in avro.read_container(file)] == records


def test_blocks_are_decoded_to_the_fields_of_today(version: int, bucket: Path) -> None:
    for key, records in articles(version).items():
        data = (bucket.parent / key).read_bytes()
        header = read_header(data)
        found = [
            record
            for block in read_blocks(data, header)
            for record in avro.decode_articles(
                decompress(header.codec, block.data), block.count, header.metadata["avro.schema"]
            )
        ]
        assert found == records


def test_they_hold_and_have_an_average(version: int, store: RetryingStore) -> None:
    report = verify.verify(store, LAYOUT, None, DEEP)
    assert (report.ok, set(report.counts)) == (True, {"metadata_lost"})  # a folder keeps no object metadata
    records = in_order(version)
    words = sum(record["word_count"] for record in records)
    found = average.compute(store, LAYOUT)
    assert (found.total.totals.words, found.total.totals.good) == (words, len(records))
    assert words == sum(len(record["content"].split()) for record in records)


def test_head_shows_them(
    version: int, store: RetryingStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(options, "open_store", lambda _args: store)
    for key, records in released.records(version).items():
        assert cli.main(["head", key, "-n", "1000", "--json"]) == 0
        shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        names = [list(record) for record in shown]
        assert names == [list(record) for record in records]
        ids = [(record["shard_id"], record["sequence_number"], record["sub_sequence_number"]) for record in shown]
        assert ids == [tuple(record[name] for name in PLACE) for record in records]


def test_rejected_records_are_found(version: int, store: RetryingStore) -> None:
    expected = [
        base64.b64decode(record["payload"])
        for key, records in sorted(released.records(version).items())
        if key.startswith(LAYOUT.dead_letters)
        for record in records
    ]
    found = [
        letter.payload for file in dead_letters.files(store, LAYOUT, dead_letters.Wanted()) for letter in file.letters()
    ]
    assert found == expected


@pytest.mark.parametrize("fields", [COLUMNS, tuple(field["name"] for field in schema.ARTICLE["fields"])])
def test_a_snapshot_holds_them_and_training_reads_them(
    version: int, bucket: Path, store: RetryingStore, fields: tuple[str, ...]
) -> None:
    build(store, LAYOUT, Selection(), FakeClock())
    snapshot = open_snapshot(store, LAYOUT)
    assert (snapshot.damaged, {file.schema for file in snapshot.files()}) == ([], {version})
    expected = [{name: record[name] for name in fields} for record in in_order(version)]
    dataset = ArticleDataset(str(bucket), fields=fields, tolerate=0)
    assert list(dataset) == expected
    assert [dataset[index] for index in range(len(expected))] == expected
    assert len(ArticleDataset(str(bucket), min_words=1, deduplicate=True, tolerate=0)) < len(expected)


@pytest.fixture(scope="module")
def of_today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("today")
    release.release(folder / "made")
    return folder / "made"


def test_a_reader_of_that_version_reads_the_files_of_today(version: int, of_today: Path) -> None:
    known = released.schemas(version)["Article"]
    names = [field["name"] for field in known["fields"]]
    files = sorted((of_today / LAYOUT.data).rglob("*.avro"))
    assert files
    for path in files:
        data = path.read_bytes()
        everything = [released.plain(record) for record in avro.read_container(io.BytesIO(data))]
        found = [released.plain(record) for record in fastavro.reader(io.BytesIO(data), reader_schema=known)]  # type: ignore[arg-type]
        assert found == [{name: record[name] for name in names} for record in everything]
