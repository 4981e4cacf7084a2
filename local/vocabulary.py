"""The words of the generator, from `vocabulary.json`: names, places, and per topic the sentences of its
articles.

Braces in the sentences are slots. Those of a scene stay the same all through an article ({person},
{surname}, {other}, {org}, {place}, {country}, {subject}); the others are drawn anew each time ({count},
{few}, {percent}, {money}, {year}, {weekday}, {month})."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Topic:
    """`quotes` are what the people of the article say; `sentences` are the writer's own."""

    name: str
    organisations: Texts
    subjects: Texts
    titles: Texts
    leads: Texts
    sentences: Texts
    quotes: Texts


@dataclass(frozen=True, slots=True)
class Language:
    """Sentences in another language, and in English the sense that an article gives them."""

    language: str
    sentences: Texts
    sense: str


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`places` are (town, country); `sentences`, `quotes` fit every topic."""

    first_names: Texts
    last_names: Texts
    places: tuple[tuple[str, str], ...]
    topics: tuple[Topic, ...]
    sentences: Texts
    quotes: Texts
    roles: Texts
    verbs: Texts
    emoji: Texts
    foreign: tuple[Language, ...]


@cache
def vocabulary() -> Vocabulary:
    """Read once a process."""
    data: dict[str, Any] = json.loads(
        Path(__file__).with_suffix(".json").read_text("utf-8"),
        object_hook=lambda value: {
            name: tuple(item) if isinstance(item, list) else item for name, item in value.items()
        },
    )
    data["places"] = tuple((town, country) for town, country in data["places"])
    data["topics"] = tuple(Topic(**topic) for topic in data["topics"])
    data["foreign"] = tuple(Language(**language) for language in data["foreign"])
    return Vocabulary(**data)
