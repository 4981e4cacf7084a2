"""A worker's own numbers, as its children published them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consumer.live import Live, Publisher
from consumer.status import main


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in {"STREAM_NAME": "S", "BUCKET": "my-bucket", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("WORKER_ID", "w1")
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    return tmp_path


def publish(folder: Path, number: int, **fields: object) -> None:
    live = Live(f"shardId-{number:012d}", "w1", 1, 0.0, **fields)  # type: ignore[arg-type]
    Publisher(folder, live).publish(1.0, 1.0, now=True)


def test_the_workers_average_is_over_all_its_shards(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish(state_dir, 0, records=2, words=10, objects=1)
    publish(state_dir, 1, records=1, words=2, objects=1, millis_behind=3000)
    assert main([]) == 0
    out = capsys.readouterr().out
    assert "average 4.000 = 12 words / 3 articles" in out
    assert "3 s" in out
    assert main(["--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["average_word_count"] == {"words": 12, "records": 3, "value": 4.0}
    assert [shard["records"] for shard in said["shards"]] == [2, 1]


def test_a_parked_shard_is_shown_and_told_by_the_exit_status(
    state_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(state_dir, 0, parked="the lease is past the chain")
    assert main([]) == 1
    out = capsys.readouterr().out
    assert "PARKED: the lease is past the chain" in out
    assert "no record stored yet" in out
    assert "has stopped" in out, "what was published long ago is not taken for a worker that runs"


def test_a_home_in_the_state_directory_is_read_as_the_launcher_reads_it(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(state_dir.parent))
    monkeypatch.setenv("STATE_DIR", f"~/{state_dir.name}")
    publish(state_dir, 0, records=1, words=3, objects=1)
    assert main([]) == 0
    assert "average 3.000" in capsys.readouterr().out


def test_where_no_worker_ran_one_line_says_so(state_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert str(state_dir) in capsys.readouterr().err


def test_bad_settings_are_told(
    state_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BUCKET")
    assert main([]) == 2
    assert "BUCKET is not set" in capsys.readouterr().err
