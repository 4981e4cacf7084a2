"""The live files: replaced in one step, read by others, and never a reason to stop."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from consumer.live import Live, Publisher, aggregate, read_shards
from tests.consumer.kit import Bench, records

SHARD = "shardId-000000000001"


def live(shard: str = SHARD, **fields: object) -> Live:
    made = Live(shard, "w1", 1, 100.0)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_what_is_published_is_read(tmp_path: Path) -> None:
    said = live(records=3, words=9, objects=1, last_position="3:0", millis_behind=7, parked="why")
    Publisher(tmp_path, said).publish(200.0, 0.0)
    assert read_shards(tmp_path) == [said]
    assert said.updated == 200.0
    assert [path.name for path in (tmp_path / "shards").iterdir()] == [f"{SHARD}.json"]


def test_it_is_published_at_most_once_a_second_unless_it_matters(tmp_path: Path) -> None:
    said = live()
    publisher = Publisher(tmp_path, said)
    seen = []
    for monotonic, now in [
        (0.0, False),
        (0.9, False),
        (1.0, False),
        (1.5, False),
        (1.5, True),
        (2.4, False),
        (2.5, False),
    ]:
        said.records += 1
        publisher.publish(0.0, monotonic, now=now)
        seen.append(read_shards(tmp_path)[0].records)
    assert seen == [1, 1, 3, 3, 5, 5, 7]


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    said = live(parked="x" * 100_000)
    publisher = Publisher(tmp_path, said)
    publisher.publish(0.0, 0.0)
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            publisher.publish(0.0, 0.0, now=True)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert json.loads((tmp_path / "shards" / f"{SHARD}.json").read_text())["parked"] == said.parked
    finally:
        stop.set()
        writer.join()


def test_without_a_state_directory_nothing_is_published() -> None:
    Publisher(None, live()).publish(0.0, 0.0, now=True)


def full_disk(folder: Path) -> None:
    (folder / "shards").mkdir()
    (folder / "shards" / f"{SHARD}.{os.getpid()}.tmp").symlink_to("/dev/full")


def a_file_instead_of_a_folder(folder: Path) -> None:
    (folder / "shards").write_text("")


def a_folder_in_the_way(folder: Path) -> None:
    (folder / "shards" / f"{SHARD}.{os.getpid()}.tmp").mkdir(parents=True)


def a_folder_instead_of_the_file(folder: Path) -> None:
    (folder / "shards" / f"{SHARD}.json").mkdir(parents=True)


def no_folder_at_all(folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to("/proc/nothing")  # nobody can make a folder there, not even root


OBSTACLES = [full_disk, a_file_instead_of_a_folder, a_folder_in_the_way, a_folder_instead_of_the_file, no_folder_at_all]


@pytest.mark.parametrize("obstacle", OBSTACLES, ids=lambda obstacle: obstacle.__name__)
def test_a_disk_that_does_not_take_it_is_no_reason_to_stop(tmp_path: Path, obstacle: object) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    assert callable(obstacle)
    obstacle(folder)
    bench = Bench(folder)
    worker = bench.worker(file_records=2)
    worker.process(*records(1, 2, 3))
    worker.shard.lease_lost()
    assert bench.held() == ["1", "2"]
    assert worker.lease.written == ["2:0"]


def test_a_disk_that_has_room_again_is_used(tmp_path: Path) -> None:
    full_disk(tmp_path)
    publisher = Publisher(tmp_path, live())
    publisher.publish(0.0, 0.0)
    publisher.publish(0.0, 1.0)
    assert len(read_shards(tmp_path)) == 1


def test_a_workers_aggregate_is_the_sum_over_its_shards(tmp_path: Path) -> None:
    Publisher(tmp_path, live("shardId-1", records=2, words=7, objects=1)).publish(0.0, 0.0)
    Publisher(tmp_path, live("shardId-2", records=1, words=2, objects=2, parked="why")).publish(0.0, 0.0)
    found = aggregate(read_shards(tmp_path))
    assert (found.records, found.words, found.objects, found.average) == (3, 9, 3, 3.0)
    assert found.parked == ("shardId-2: why",)


def test_before_the_first_record_there_is_no_average(tmp_path: Path) -> None:
    assert read_shards(tmp_path) == []
    assert aggregate([]).average is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"shard": "x"}', '{"unknown": 1}'])
def test_a_file_that_cannot_be_read_is_passed_over(tmp_path: Path, text: str) -> None:
    Publisher(tmp_path, live()).publish(0.0, 0.0)
    (tmp_path / "shards" / "shardId-0.json").write_text(text)
    assert [found.shard for found in read_shards(tmp_path)] == [SHARD]


def test_a_child_publishes_its_numbers_as_it_goes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    worker = bench.worker(file_records=2)
    bench.clock.turn(2)
    worker.process(*records(1, 2, 3), behind=77)
    (said,) = read_shards(tmp_path)
    assert (said.records, said.words, said.objects, said.buffered) == (2, 6, 1, 1)
    assert (said.last_position, said.millis_behind, said.ended, said.parked) == ("2:0", 77, False, None)
    assert said.updated == bench.clock.wall()


def test_the_last_numbers_of_a_shard_are_published_at_its_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    worker = bench.worker()
    worker.process(*records(1, 2))
    worker.end()
    (said,) = read_shards(tmp_path)
    assert (said.records, said.buffered, said.ended) == (2, 0, True)


def test_the_last_numbers_before_a_shutdown_are_published(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    worker = bench.worker()
    worker.process(*records(1, 2))
    worker.shut_down()  # the daemon may end before it says that the lease is lost
    (said,) = read_shards(tmp_path)
    assert (said.records, said.buffered) == (2, 0)
