"""The view fits the terminal, whatever its size, and says the same in plain lines elsewhere."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.demo_view import PlainView, Row, Snapshot, TerminalView, fitted, frame


def snapshot(shards: int = 4, workers: int = 2, **counts: int) -> Snapshot:
    return Snapshot(
        "putting articles",
        12.34,
        counts.get("put", 100),
        counts.get("total", 200),
        counts.get("stored", 60),
        counts.get("rejected", 0),
        counts.get("files", 7),
        tuple(Row(f"shardId-{n:012}", "worker-1", 15, 2, 440.5, 25) for n in range(shards)),
        tuple(Row(f"worker-{n}", "reads 2 shards", 30, 3, None) for n in range(1, workers + 1)),
    )


@given(st.integers(0, 60), st.integers(0, 20), st.integers(3, 60))
def test_a_frame_is_never_higher_than_the_terminal(shards: int, workers: int, height: int) -> None:
    assert len(frame(snapshot(shards, workers), height)) <= height


def test_rows_that_do_not_fit_are_counted() -> None:
    lines = frame(snapshot(shards=40), 24)
    shown = sum(line.strip().startswith("shardId-") for line in lines)
    assert shown
    assert any(f"… and {40 - shown} more" in line for line in lines)


def test_numbers_are_where_people_look_for_them() -> None:
    lines = "\n".join(frame(snapshot(rejected=3), 40))
    assert "100 put, 60 stored, 3 of them dead letters, 40 behind, 7 files" in lines
    assert "30 %" in lines
    assert "440.50" in lines
    assert "worker-2" in lines


@given(st.text(), st.integers(1, 40))
def test_lines_are_cut_before_they_wrap(text: str, width: int) -> None:
    assert text.startswith(fitted(text, width))
    assert len(fitted(text, width)) <= width


def test_wide_characters_take_two_columns() -> None:
    assert fitted("漢字漢字", 5) == "漢字"


def test_a_terminal_is_redrawn_in_place_and_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "40")
    stream = io.StringIO()
    view = TerminalView(stream)
    view.show(snapshot(), now=True)
    height = stream.getvalue().count("\n")
    view.show(snapshot(), now=True)
    assert f"\033[{height}A" in stream.getvalue()
    view.close()
    assert stream.getvalue().endswith("\033[?25h"), "the cursor is back"


def test_plain_lines_come_when_something_changed() -> None:
    stream = io.StringIO()
    view = PlainView(stream)
    view.show(Snapshot("starting", 0.1))
    view.show(Snapshot("starting", 0.2))
    view.show(snapshot(stored=10))
    view.show(snapshot(stored=20))
    view.show(snapshot(stored=30), now=True)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "  0.1 s  starting"
    assert [line.split(": ")[1][:18] for line in lines[1:]] == ["100 put, 10 stored", "100 put, 30 stored"]
    assert "\033" not in stream.getvalue()
