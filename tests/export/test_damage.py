"""Nothing is missing silently: damage is refused or named, tombstones are counted, what was changed is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles import schema, tombstones
from articles.errors import ChainError, UserError
from articles.export.limits import divide
from articles.export.options import LARGEST_FILE, MIB, Options
from articles.keys import Layout
from tests.export.kit import Repeated, Run, small
from tests.fakes import FakeClock, Stored

OPTIONS = Options(file_size=120, seed=1)


@pytest.fixture
def bucket() -> Repeated:
    return Repeated([[(9, 3), (4, 3)], [(8, 3)]])


def damage(bucket: Repeated, key: str) -> None:
    body = bytearray(bucket.memory.objects[key].body)
    body[-20] ^= 1
    bucket.memory.objects[key] = Stored(bytes(body))


@pytest.mark.parametrize("gone, lost", [(True, 9), (False, 3)])
def test_what_was_damaged_after_the_snapshot_is_refused_or_named(
    bucket: Repeated, tmp_path: Path, gone: bool, lost: int
) -> None:
    if gone:
        del bucket.memory.objects[bucket.keys[0]]
    else:
        damage(bucket, bucket.keys[0])
    run = Run(bucket, tmp_path)
    with small():
        with pytest.raises(ChainError, match=r"--tolerate") as refused:
            run(OPTIONS)
        assert bucket.keys[0] in str(refused.value)
        assert run.files == {}
        said = run(OPTIONS, tolerate=True).manifest
    assert said["totals"]["set_aside"] == lost
    assert said["totals"]["records"] == 21 - lost
    assert {one["key"] for one in said["set_aside"]} == {bucket.keys[0]}
    again = Run(bucket, tmp_path)
    again.to.objects = {key: one for key, one in run.to.objects.items() if "manifest" not in key}
    with small():
        assert again(OPTIONS, tolerate=True).manifest == said  # from what the files say of themselves


def test_what_the_snapshot_leaves_out_is_refused_or_named(bucket: Repeated, tmp_path: Path) -> None:
    damage(bucket, bucket.keys[2])
    del bucket.memory.objects["articles/catalog/0000000001.json"]
    bucket.snapshot()
    run = Run(bucket, tmp_path)
    with small():
        with pytest.raises(ChainError, match="leaves out 1 damaged"):
            run(OPTIONS)
        said = run(OPTIONS, tolerate=True).manifest
    assert [one["key"] for one in said["damaged"]] == [bucket.keys[2]]
    assert said["totals"]["records"] == 13


@pytest.mark.parametrize("seed", [None, 3])
def test_an_article_with_a_tombstone_is_left_out_and_counted(
    bucket: Repeated, tmp_path: Path, seed: int | None
) -> None:
    tombstones.add(bucket.store, Layout("articles"), "a-2", "", FakeClock())
    run = Run(bucket, tmp_path)
    with small():
        said = run(Options(file_size=120, seed=seed, split="0.6/0.4")).manifest
    left = [one["article_id"] for file in said["files"] for one in run.records(file["name"])]
    assert "a-2" not in left
    assert said["totals"]["tombstones"] == 21 - len(left) == 4
    assert said["average"]["before"] != said["average"]["after"]


def test_a_file_of_the_export_that_was_damaged_is_noticed(bucket: Repeated, tmp_path: Path) -> None:
    run = Run(bucket, tmp_path)
    with small():
        run(OPTIONS)
        del run.to.objects["exports/one/manifest.json"]
        key = next(iter(run.to.objects))
        body = run.to.objects[key].body
        run.to.objects[key] = Stored(body[:-30] + b"\0" * 30)
        with pytest.raises(ChainError, match="delete it, and it will be made again"):
            run(OPTIONS)
        del run.to.objects[key]
        run(OPTIONS)
    assert run.to.objects[key].body == body


def test_files_that_miss_records_get_no_manifest(bucket: Repeated, tmp_path: Path) -> None:
    """As if a disk had lost what was written to it."""
    run = Run(bucket, tmp_path)

    def lose() -> None:
        if run.phases[-1] == "read" and run.phases.count("read") == 1:
            for file in tmp_path.glob("*/spill-*/*"):
                file.write_bytes(b"")

    with small(), pytest.raises(ChainError, match="the files hold"):
        run(OPTIONS, lose)
    assert "manifest.json" not in run.files


def test_a_newer_schema_is_not_cut_down(bucket: Repeated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "VERSION", 0)
    with pytest.raises(UserError, match="export with a newer version"):
        Run(bucket, tmp_path)(OPTIONS)


def test_an_empty_snapshot_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no articles"):
        Run(Repeated([[]]), tmp_path)(OPTIONS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "csv"},
        {"profile": "best"},
        {"file_size": 0},
        {"file_size": LARGEST_FILE + 1},
        {"seed": -1},
        {"split": "0.5/0.4"},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError):
        Options(**wrong)  # type: ignore[arg-type]


@given(st.integers(237, 100_000), st.integers(1, 128))
def test_memory_is_divided_among_processes_and_files(memory: int, processes: int) -> None:
    found = divide(memory * MIB, processes, Options())
    base = 56 * MIB * (found.processes + (found.processes > 1))
    assert 1 <= found.slots <= found.processes <= processes
    assert base + found.processes * found.each + found.slots * int(1.1 * 128 * MIB) <= memory * MIB


def test_too_little_memory_says_how_much_is_enough() -> None:
    with pytest.raises(UserError, match="give 237MiB or more"):
        divide(236 * MIB, 4, Options())
    assert divide(237 * MIB, 4, Options()).processes == 1
