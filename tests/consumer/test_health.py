"""A worker is healthy while it gets on or has nothing to do; parked or stuck shards are told, one line each."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from consumer.health import main, problems
from consumer.live import Live, Publisher, read_shards
from tests.consumer.kit import Bench, records

PROJECT = Path(__file__).parents[2]
NOW = 10_000.0


def live(number: int = 0, pid: int = 7, **fields: object) -> Live:
    made = Live(f"shardId-{number:012d}", "w1", pid, 100.0, updated=NOW, progressed=NOW)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def told(*shards: Live, alive: bool = True) -> list[str]:
    return list(problems(shards, NOW, 60.0, lambda _: alive))


def test_without_shards_or_with_idle_ones_it_is_healthy() -> None:
    assert told() == []
    assert told(live(0), live(1, 8, millis_behind=0)) == []


def test_a_parked_shard_is_told() -> None:
    assert told(live(0), live(1, 8, parked="why")) == ["shardId-000000000001 is parked: why"]


def test_records_that_wait_without_being_stored_are_told_after_the_threshold() -> None:
    assert told(live(buffered=3, progressed=NOW - 60)) == []
    (line,) = told(live(buffered=3, millis_behind=5000, progressed=NOW - 61))
    assert line == "shardId-000000000000 has stored nothing for 61 s with records waiting: 3 here, 5 s behind"


def test_a_child_that_is_not_heard_of_is_told() -> None:
    assert told(live(updated=NOW - 61)) == ["shardId-000000000000 has not been heard of for 61 s"]


def test_what_children_that_are_gone_left_behind_does_not_count() -> None:
    assert told(live(parked="why"), live(1, updated=0.0), alive=False) == []
    assert told(live(updated=0.0, ended=True)) == []


def test_a_process_id_that_was_given_again_is_the_latest_childs() -> None:
    assert told(live(0, started=50.0, updated=60.0), live(1, started=100.0)) == []


@pytest.mark.parametrize("alive", [True, False])
def test_it_asks_for_processes_and_reads_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], alive: bool
) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    for name, value in {"STREAM_NAME": "S", "BUCKET": "my-bucket", "AWS_REGION": "us-east-1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    assert main() == 0
    Publisher(tmp_path, live(pid=os.getpid() if alive else int(gone.stdout), parked="why")).publish(NOW, 0.0)
    assert main() == (1 if alive else 0)
    assert capsys.readouterr().out.splitlines()[-1] == ("shardId-000000000000 is parked: why" if alive else "healthy")


def test_settings_that_make_no_sense_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEALTH_SECONDS", "soon")
    assert main() == 2
    assert "HEALTH_SECONDS='soon'" in capsys.readouterr().err


def test_it_is_light() -> None:
    """It runs every few seconds beside the worker."""
    loaded = (
        "import sys, consumer.health; print(*sorted({'boto3', 'obstore', 'fastavro', 'msgspec'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", loaded],
        capture_output=True,
        text=True,
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


# When a shard got on, as its child tells


def progressed(bench: Bench) -> float:
    assert bench.state_dir is not None
    (said,) = read_shards(bench.state_dir)
    return said.progressed


def test_a_shard_gets_on_while_nothing_waits_and_when_it_stores(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    worker = bench.worker(file_records=3)
    seen = []
    for numbers, behind in [((), 0), ((1, 2), 9), ((), 9), ((3,), 9), ((4,), 0), ((), 0)]:
        bench.clock.turn(2)
        worker.process(*records(*numbers), behind=behind)
        seen.append(progressed(bench) == bench.clock.wall())
    # Records that wait in the open file are no progress, storing them is.
    assert seen == [True, False, False, True, False, False]


def test_reading_through_a_stretch_without_records_is_getting_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    worker = bench.worker()
    seen = []
    for behind in (9000, 5000, 5000, 4000, 6000, 0):
        bench.clock.turn(2)
        worker.process(behind=behind)
        seen.append(progressed(bench) == bench.clock.wall())
    assert seen == [False, True, False, True, False, True]
