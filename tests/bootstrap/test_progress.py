"""One plain line a step; on a terminal a line that changes, and nothing half-written is left."""

from __future__ import annotations

import io
import re

import pytest

from bootstrap.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError


def test_elsewhere_a_step_is_one_plain_line_with_its_seconds() -> None:
    stream = io.StringIO()
    progress = Progress(stream)
    with progress.step("packages"):
        progress.detail = lambda: "fastavro"
    progress.close()
    assert re.fullmatch(r"set-up: packages \(0\.\d s\)\nset-up: done in 0\.\d s\n", stream.getvalue())


def test_nothing_done_is_nothing_said() -> None:
    stream = io.StringIO()
    Progress(stream).close()
    assert stream.getvalue() == ""


def test_a_terminal_shows_how_far_it_is_and_then_the_same_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    progress = Progress(stream)
    with progress.step("packages"):
        progress.detail = lambda: "jar 3 of 79 " + "x" * 99
        progress.shown.wait(10)
    shown, _, last = stream.getvalue().rpartition("\r\x1b[K")
    assert "\rset-up: packages … 0 s  jar 3 of 79 x" in shown
    assert max(len(line.removesuffix("\x1b[K")) for line in shown.split("\r")) == 79
    assert re.fullmatch(r"set-up: packages \(\d\.\d s\)\n", last)


def test_a_step_that_fails_leaves_no_half_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with pytest.raises(ZeroDivisionError), Progress(stream).step("packages"):
        raise ZeroDivisionError
    assert stream.getvalue().endswith("\r\x1b[K")
