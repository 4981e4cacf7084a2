"""The report waits for a ledger that is whole, and a folder's ledger is the stream's own."""

from __future__ import annotations

from pathlib import Path

from articles.aws import StreamIdentity
from local.ledger import ledger_file
from local.populate import open_ledger
from local.report import lines_of


def test_a_ledger_that_is_being_written_does_not_count_yet(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    assert lines_of(path) == 0
    with open_ledger(str(path)) as ledger:
        assert ledger is not None
        ledger.write("a\nb\n")
        ledger.flush()
        assert lines_of(path) == 0
    assert lines_of(path) == 2


def test_in_a_folder_each_stream_has_a_ledger_of_its_own(tmp_path: Path) -> None:
    stream = StreamIdentity("arn", "MyStream", 17, 24, "ACTIVE")
    assert ledger_file(str(tmp_path), stream) == tmp_path / "MyStream-17.jsonl"
    assert ledger_file(str(tmp_path / "given"), stream) == tmp_path / "given"
