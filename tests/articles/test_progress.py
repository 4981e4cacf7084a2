"""Progress is quiet for quick work, a line that changes on a terminal, and a plain one now and then elsewhere."""

from __future__ import annotations

import sys

import pytest

from articles.progress import PLAIN_SECONDS, Progress
from tests.fakes import FakeClock


def test_quick_work_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("files", FakeClock()) as progress:
        for _ in range(100):
            progress(1)
    assert capsys.readouterr() == ("", "")


def test_elsewhere_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    with Progress("files", clock) as progress:
        for _ in range(3):
            clock.turn(PLAIN_SECONDS)
            progress(1000)
            progress(500)
    assert capsys.readouterr().err.splitlines() == [
        "1,000 files, 67 a second",
        "2,500 files, 83 a second",
        "4,000 files, 89 a second",
    ]


def test_on_a_terminal_the_line_changes_and_goes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    clock = FakeClock()
    with Progress("files", clock) as progress:
        clock.turn(2)
        progress(7)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("\r\x1b[K7 files")
    assert said.err.endswith("\r\x1b[K")
    assert "\n" not in said.err
