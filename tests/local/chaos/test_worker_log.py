"""A worker's log is read as it grows, each line once."""

from __future__ import annotations

import json
from pathlib import Path

from local.chaos.worker_log import WorkerLog


def line(**fields: object) -> str:
    return json.dumps({"time": "2026-11-23T00:00:00.000+00:00", "level": "INFO", **fields}) + "\n"


def test_events_are_counted_once_also_when_a_line_comes_in_pieces(tmp_path: Path) -> None:
    log = WorkerLog(tmp_path / "worker-1.log")
    log.read()
    whole = line(event="stored", reason="age") + line(event="adopted", reason="shard end")
    for piece in (whole[:50], whole[50:-10], whole[-10:], line(event="adopted", reason="age")):
        with log.path.open("a") as file:
            file.write(piece)
        log.read()
    assert log.events == {"stored": 1, "adopted": 2, "adopted: shard end": 1, "adopted: age": 1}


def test_the_daemons_own_lines_are_passed_over(tmp_path: Path) -> None:
    log = WorkerLog(tmp_path / "worker-1.log")
    log.path.write_text('{"time":"x","level":"INFO","logger":"Scheduler","event":"Starting"}\nno JSON "event": \n')
    log.read()
    assert not log.events


def test_the_last_words_say_why_a_worker_ended(tmp_path: Path) -> None:
    log = WorkerLog(tmp_path / "worker-1.log")
    log.path.write_text(line(event="leaving", shard="shardId-1", code=71, message="S3 is away"))
    log.read()
    assert log.last_words == "shardId-1 left with 71, S3 is away"
    assert log.complaints == {"left with 71": 1}
    with log.path.open("a") as file:
        file.write("run_kcl.sh: bucket b does not exist\n" + line(event="parked", reason="a link is gone"))
    log.read()
    assert log.last_words == "bucket b does not exist"
    assert log.complaints["parked: a link is gone"] == 1
