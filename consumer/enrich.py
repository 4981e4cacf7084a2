"""The calculated feature. A plug point: an enricher has a version, which goes into every file's header."""

from __future__ import annotations

from typing import Final, Protocol

PIECE: Final = 1 << 18
"""Characters counted at a time: a list of all words of a long text takes 20 times its size."""


class Enricher(Protocol):
    version: str

    def __call__(self, content: str) -> int: ...


class WordCount:
    """Words are what Unicode whitespace separates, as `str.split()` has it. Chinese, Japanese and Thai put no spaces
    between words, so a sentence of theirs counts as one word."""

    version = "word-count-1"

    def __call__(self, content: str) -> int:
        words = 0
        for start in range(0, len(content), PIECE):
            piece = content[start : start + PIECE]
            words += len(piece.split())
            if start and not (content[start - 1].isspace() or piece[0].isspace()):
                words -= 1  # the word that goes on over the cut was counted twice
        return words
