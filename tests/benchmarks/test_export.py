"""The benchmark `export`: its source, what it measures of a side, its goals."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from articles import cli
from benchmarks import export, export_data
from benchmarks.export import BOUNDED, OURS, PLAIN, WHAT, Taken
from benchmarks.process import can_measure

MIB = 1 << 20


def test_the_source_is_a_bucket_like_any_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export_data.make(tmp_path / "articles", 60)
    assert cli.main(["export", "1", str(tmp_path / "articles"), "--to", str(tmp_path / "out"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["totals"]["records"] == 60
    assert said["average"]["before"] == said["average"]["after"]


@pytest.mark.skipif(not can_measure(), reason="reads /proc")
def test_a_sides_processes_are_measured_together(tmp_path: Path) -> None:
    small = "import sys, pathlib; held = bytearray(50_000_000); pathlib.Path(sys.argv[1]).mkdir()\n"
    small += "while __import__('time').process_time() < 0.3: pass\n"
    small += "(pathlib.Path(sys.argv[1]) / 'part-0').write_bytes(b'x' * 1000)"
    both = "import subprocess, sys; held = bytearray(50_000_000); subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    found = export._measured([sys.executable, "-c", both, small, str(tmp_path / "out")], tmp_path / "out")
    assert found.peak > 100_000_000
    assert found.cpu > 0.2
    assert found.size == 1000


def test_the_goals_are_speed_and_the_memory_that_was_allowed() -> None:
    def results(peak: int) -> dict[str, bool | None]:
        taken = {side: [Taken(10.0, 30.0, peak * MIB, 10**9)] for side in WHAT}
        found = export._results(taken | {PLAIN: [Taken(20.0, 60.0, 1500 * MIB, 10**9)]}, export.RECORDS, quick=False)
        return {result.name: result.met for result in found}

    fits, too_much = results(250), results(300)
    assert fits[f"export, speed: {WHAT[OURS]}"]
    assert fits[f"export, memory: {WHAT[BOUNDED]}"]
    assert not too_much[f"export, memory: {WHAT[BOUNDED]}"]
    assert 10 * export.MEMORY[BOUNDED] * MIB <= export.RECORDS * export.RAW
