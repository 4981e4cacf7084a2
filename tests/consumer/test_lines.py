"""Lines come out as they were written, however they arrive."""

from __future__ import annotations

import os
import threading

from hypothesis import given
from hypothesis import strategies as st

from consumer.lines import LARGE, SMALL, Lines


def written(chunks: list[bytes], descriptor: int) -> None:
    with os.fdopen(descriptor, "wb", buffering=0) as pipe:
        for chunk in chunks:
            pipe.write(chunk)


def read_all(chunks: list[bytes], shrink: bool = False) -> list[bytes]:
    """Every line, read while another thread writes."""
    source, target = os.pipe()
    writer = threading.Thread(target=written, args=(chunks, target))
    writer.start()
    try:
        lines, found = Lines(source), []
        while (line := lines.read()) is not None:
            with line:
                found.append(bytes(line))
            if shrink:
                lines.shrink()
                assert not lines.large
        return found
    finally:
        writer.join()
        os.close(source)


@given(
    st.lists(st.text("ab").map(str.encode) | st.integers(0, 3 * SMALL).map(bytes), max_size=8),
    st.lists(st.integers(1, 2 * SMALL), max_size=8),
    st.booleans(),
)
def test_lines_are_what_newlines_separate(lines: list[bytes], sizes: list[int], shrink: bool) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    chunks = []
    for size in sizes:
        chunks.append(stream[:size])
        stream = stream[size:]
    assert read_all([*chunks, stream], shrink) == lines


def test_what_has_no_end_is_no_line() -> None:
    assert read_all([b"one\ntw"]) == [b"one"]


def test_a_large_buffer_is_given_back_and_the_next_line_is_whole() -> None:
    source, target = os.pipe()
    try:
        lines = Lines(source)
        writer = threading.Thread(target=written, args=([b"x" * LARGE + b"y\nrest\n"], target))
        writer.start()
        line = lines.read()
        assert line is not None
        assert len(line) == LARGE + 1
        line.release()
        assert lines.large
        lines.shrink()
        rest = lines.read()
        assert rest is not None
        assert bytes(rest) == b"rest"
        writer.join()
    finally:
        os.close(source)
