"""What comes out follows from the snapshot and the options, whatever happens on the way."""

from __future__ import annotations

import fcntl
import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from articles.errors import UserError
from articles.export.options import Options
from articles.export.order import file_of, key_at, parse_split, place
from tests.export.kit import Killed, Repeated, Run, choices, killed_at, read, shapes, small, stored
from tests.fakes import MemoryStore


def position(record: dict[str, Any]) -> tuple[str, int]:
    return record["shard_id"], int(record["sequence_number"])


def made(bucket: Repeated) -> bool:
    return bool(bucket.keys)


@settings(max_examples=40)
@given(shapes, st.integers(1, 30), choices, st.integers(1, 40))
def test_each_article_is_in_the_file_that_its_key_says(shards: Any, ids: int, options: Options, buckets: int) -> None:
    bucket = Repeated(shards, ids=ids)
    assume(made(bucket))
    before = stored(bucket)
    bounds = [0.0, *(parse_split(options.split) if options.split else ()), 1.0]
    folders = ("train/", "validation/", "test/") if options.split else ("",)
    in_order = [*bucket.open(fields=("shard_id", "sequence_number"), deduplicate=options.deduplicate)]
    ordinals = {position(record): number for number, record in enumerate(in_order)}
    with tempfile.TemporaryDirectory() as folder, small(buckets):
        run = Run(bucket, Path(folder))
        said = run(options).manifest
        assert [*Path(folder).iterdir()] == []
    assert stored(bucket) == before
    names = [file["name"] for file in said["files"]]
    assert sorted([*names, "manifest.json"]) == [*run.files]
    for prefix, low, high in zip(folders, bounds, bounds[1:], strict=False):
        wanted = {
            position(record): record
            for record in bucket.open(
                fields=("article_id", "content", "word_count", "shard_id", "sequence_number"),
                deduplicate=options.deduplicate,
                split=(low, high),
            )
        }
        parts = [name for name in names if name.startswith(f"{prefix}part-")]
        found = [run.records(part) for part in parts]
        assert {position(one): one["content"] for part in found for one in part} == {
            where: one["content"] for where, one in wanted.items()
        }
        assert sum(map(len, found)) == len(wanted)
        for number, records in enumerate(found):
            if options.seed is None:
                keys = [key_at(ordinals[position(one)], len(ordinals)) for one in records]
            else:
                keys = [place(options.seed, one["shard_id"], one["sequence_number"], 0) for one in records]
            assert keys == sorted(keys)
            assert {file_of(key, len(parts)) for key in keys} <= {number}
    by_name = {file["name"]: file for file in said["files"]}
    for name in names:
        records = run.records(name)
        words = sum(record["word_count"] for record in records)
        assert (by_name[name]["records"], by_name[name]["words"]) == (len(records), words)
    assert said["totals"]["duplicates"] == sum(sum(records for records, _ in links) for links in shards) - len(in_order)


@settings(max_examples=25)
@given(shapes, choices, st.data())
def test_killed_at_any_step_it_goes_on_to_the_same_bytes(shards: Any, options: Options, data: st.DataObject) -> None:
    bucket = Repeated(shards)
    assume(made(bucket))
    with tempfile.TemporaryDirectory() as folder, small():
        whole = Run(bucket, Path(folder))
        with killed_at(0, whole) as steps:
            whole(options)
        run = Run(bucket, Path(folder))
        for _ in range(data.draw(st.integers(1, 3))):
            buckets, step = data.draw(st.integers(1, 20)), data.draw(st.integers(1, steps()))
            with killed_at(step, run), small(buckets):
                try:
                    run(options)
                except Killed:
                    continue
        run(options)
        assert [*Path(folder).iterdir()] == []
    assert run.files == whole.files
    created = Counter(effect.key for effect in run.to.log if effect.detail == "created")
    assert set(created.values()) == {1}


def test_killed_at_each_step_of_one_export(tmp_path: Path) -> None:
    bucket = Repeated([[(9, 3), (4, 3)], [(11, 3)]])
    options = Options(file_size=60, seed=1, split="0.5/0.5")
    with small(2):
        whole = Run(bucket, tmp_path)
        with killed_at(0, whole) as steps:
            whole(options)
        assert len(whole.files) > 4
        assert steps() > 100
        for step in range(1, steps() + 1):
            run = Run(bucket, tmp_path)
            with killed_at(step, run), pytest.raises(Killed):
                run(options)
            run(options)
            assert run.files == whole.files
            assert [*tmp_path.iterdir()] == []


def test_killed_before_its_scratch_folder_was_gone_it_tidies_up_when_it_is_called_again(tmp_path: Path) -> None:
    run = Run(Repeated([[(1, 3)]]), tmp_path)
    options = Options(file_size=40, deduplicate=True, split="0.5/0.5")

    def killed_with_the_manifest(when: str, operation: str, key: str) -> None:
        if (when, operation) == ("after", "create") and key.endswith("/manifest.json"):
            raise Killed

    run.to.hook = killed_with_the_manifest
    with small(), pytest.raises(Killed):
        run(options)
    finished = run.files
    assert "manifest.json" in finished
    (left,) = tmp_path.iterdir()
    with (left / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not run(options).new  # another process is in there, and tidies up itself
        assert left.exists()
    assert not run(options).new
    assert [*tmp_path.iterdir()] == []
    assert run.files == finished


def test_what_was_made_and_what_was_read_is_not_done_again(tmp_path: Path) -> None:
    bucket = Repeated([[(12, 3)], [(12, 3)]])
    options = Options(file_size=120, seed=1)
    run = Run(bucket, tmp_path)

    def killed_while_writing() -> None:
        if run.phases.count("written") == 2:
            raise Killed

    with small():
        with pytest.raises(Killed):
            run(options, killed_while_writing)
        done = set(run.files)
        assert len(done) == 2
        reads = len(bucket.memory.effects("read"))
        run.to.log.clear()
        run(options)
        assert len(run.files) > 4
        data = [effect for effect in bucket.memory.effects("read")[reads:] if "/data/" in effect]
        assert len(data) <= 8  # a look at how far records are compressed would be more
        assert not done & {
            effect.key.removeprefix("exports/one/") for effect in run.to.log if effect.operation == "create"
        }
        again = run(options)
    assert not again.new
    assert again.manifest == json.loads(run.files["manifest.json"])


def test_a_lost_answer_and_a_rival_change_nothing(tmp_path: Path) -> None:
    bucket = Repeated([[(12, 3)]])
    options = Options(file_size=120)
    with small():
        whole = Run(bucket, tmp_path)
        whole(options)
        run = Run(bucket, tmp_path)
        run.to.fail("create", "*", when="after", times=3)
        run(options)
        assert run.files == whole.files
        rival = Run(bucket, tmp_path)

        def other(when: str, operation: str, key: str) -> None:
            if (when, operation) == ("before", "create"):
                rival.to.objects.setdefault(key, whole.to.objects[key])

        rival.to.hook = other
        rival(options)
    assert rival.files == whole.files


@given(choices)
@settings(max_examples=10)
def test_blocks_and_files_do_not_depend_on_a_copys_place(options: Options) -> None:
    """What an Avro reader sees, too: another destination, the same bytes."""
    bucket = Repeated([[(12, 3)], [(7, 3)]])
    with tempfile.TemporaryDirectory() as folder, small():
        one, other = Run(bucket, Path(folder)), Run(bucket, Path(folder), MemoryStore())
        one(options)
        other(options)
    assert one.files == other.files
    for name, body in one.files.items():
        if name != "manifest.json":
            assert isinstance(read(body), list)


def test_other_options_or_another_snapshot_do_not_mix(tmp_path: Path) -> None:
    bucket = Repeated([[(12, 3)]])
    run = Run(bucket, tmp_path)
    with small():
        run(Options(file_size=120, seed=1))
        with pytest.raises(UserError, match="another export"):
            run(Options(file_size=120, seed=2))
        del run.to.objects["exports/one/manifest.json"]
        with pytest.raises(UserError, match="belongs to another export"):
            run(Options(file_size=120, seed=2))
        with pytest.raises(UserError, match="no file of this export"):
            run(Options(file_size=40, seed=2))
