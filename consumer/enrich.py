"""The calculated feature. A plug point: an enricher has a version, which goes into every file's header."""

from __future__ import annotations

from typing import Protocol


class Enricher(Protocol):
    version: str

    def __call__(self, content: str) -> int: ...


class WordCount:
    """Words are what Unicode whitespace separates, as `str.split()` has it. Chinese, Japanese and Thai put no spaces
    between words, so a sentence of theirs counts as one word."""

    version = "word-count-1"

    def __call__(self, content: str) -> int:
        return len(content.split())
