"""The word count is what `str.split` says, and what that means is stated."""

from __future__ import annotations

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer import enrich
from consumer.enrich import WordCount

count = WordCount()
LATIN = ["some", "words", "café", "—", "“quoted”", "x" * 40]
WHITESPACE = [chr(code) for code in range(0x110000) if chr(code).isspace()]


@given(st.text(st.sampled_from([*WHITESPACE, "a", "é", "新", "\U0001f600", "\u200b", "-"])))
def test_words_are_what_unicode_whitespace_separates(content: str) -> None:
    assert count(content.encode()) == len(content.split())
    assert count(content.encode()) == len([word for word in re.split(f"[{''.join(WHITESPACE)}]", content) if word])


@given(st.lists(st.sampled_from([*LATIN, *WHITESPACE, "新聞"])))
def test_the_short_cut_for_western_text_counts_the_same(pieces: list[str]) -> None:
    content = "".join(pieces)
    assert count(content.encode()) == len(content.split())


def test_every_whitespace_between_words_of_western_text_separates_them() -> None:
    for space in WHITESPACE:
        assert count(f"a plain sentence{space}and another".encode()) == 5, hex(ord(space))


@given(content=st.text(st.sampled_from([" ", "\u3000", "a", "新"])), piece=st.integers(1, 5))
def test_a_long_text_is_counted_in_pieces_to_the_same_number(content: str, piece: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(enrich, "PIECE", piece)
        assert count(content.encode()) == len(content.split())


def test_counting_a_long_text_takes_little_memory() -> None:
    content = "ab " * (1 << 20)
    tracemalloc.start()
    try:
        assert count(content.encode()) == 1 << 20
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "content, words",
    [
        ("", 0),
        (" \n\t ", 0),
        ("one", 1),
        ("  two\r\nwords  ", 2),
        ("no\u00a0break", 2),  # a no-break space separates
        ("thin\u2009and\u3000wide", 3),
        ("zero\u200bwidth", 1),  # a zero-width space is no white space
        ("unit\x1fseparator", 2),
        ("well-known: it's 3.5%", 3),
        ("今天的新闻很长。", 1),  # a sentence of Chinese, Japanese or Thai is one word
        ("ข่าววันนี้", 1),
        ("오늘의 뉴스", 2),
    ],
)
def test_a_word_is_a_run_without_whitespace(content: str, words: int) -> None:
    assert count(content.encode()) == words


def test_the_version_is_stated() -> None:
    assert WordCount.version == "word-count-1"
