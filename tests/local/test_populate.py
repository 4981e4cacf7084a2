"""`articles populate` against the emulator: what it says it put is what the stream holds."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from articles.errors import UserError
from local import populate
from local.emulator import Emulator
from local.generator import article, encode


def command(emulator: Emulator, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    populate.add_arguments(parser)
    where = ("--endpoint-url", emulator.endpoint_urls["kinesis"], "--region", emulator.region)
    return populate.run(parser.parse_args([*where, *arguments]))


def everything(kinesis: Any, stream: str) -> dict[tuple[str, str], bytes]:
    """(shard, sequence number) to data."""
    held: dict[tuple[str, str], bytes] = {}
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        start = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = kinesis.get_records(ShardIterator=start, Limit=10_000)
            held |= {(shard["ShardId"], one["SequenceNumber"]): one["Data"] for one in answer["Records"]}
            if not answer["Records"]:
                break
            start = answer["NextShardIterator"]
    return held


def test_the_ledger_names_every_record_on_the_stream(
    emulator: Emulator, kinesis: Any, stream: Callable[[int], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, ledger = stream(3), tmp_path / "ledger.jsonl"
    options = ("--stream", name, "--seed", "4", "--ledger", str(ledger), "--json")
    assert command(emulator, *options, "--records", "700") == 0
    said = json.loads(capsys.readouterr().out)
    held = everything(kinesis, name)
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert {(entry["shard"], entry["sequence_number"]) for entry in entries} == held.keys()
    assert sorted(held.values()) == sorted(encode(article(4, index)) for index in range(700))
    for entry in entries:
        sent = json.loads(held[entry["shard"], entry["sequence_number"]])
        assert entry["article_id"] == sent["article_id"]
        assert entry["words"] == len(sent["content"].split())
    assert (said["records"], said["invalid"]) == (700, 0)
    assert said["words"] == sum(entry["words"] for entry in entries)


def test_given_lines_are_put_and_what_is_no_article_is_told(
    emulator: Emulator, kinesis: Any, stream: Callable[[int], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, file = stream(1), tmp_path / "in.jsonl"
    lines = [b'{"article_id":"a","content":"b"}', b"not json", '{"article_id":"é","content":"ü ß"}'.encode()]
    file.write_bytes(b"\n".join(lines))
    assert command(emulator, "--stream", name, "--input", str(file)) == 0
    assert sorted(everything(kinesis, name).values()) == sorted(lines)
    printed = capsys.readouterr().out
    assert "3 records put" in printed
    assert "1 of them is no valid article" in printed
    assert "(line 2)" in printed


def test_a_stream_that_is_not_there_is_told_before_anything_is_read(emulator: Emulator) -> None:
    with pytest.raises(UserError, match="stream nowhere"):
        command(emulator, "--stream", "nowhere", "--input", "absent")


def test_a_second_run_goes_on_in_the_same_ledger(
    emulator: Emulator, stream: Callable[[int], str], tmp_path: Path
) -> None:
    name, ledger = stream(1), tmp_path / "ledger.jsonl"
    for seed in ("1", "2"):
        command(emulator, "--stream", name, "--records", "5", "--seed", seed, "--ledger", str(ledger), "--json")
    assert len(ledger.read_text().splitlines()) == 10
