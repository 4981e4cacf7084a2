"""Believable news articles, reproducible by seed: what the demo and `articles populate` put on the stream.

Pure: the same seed and index give the same article on every machine. Lengths follow a log-normal law
between about 100 and 900 words (about 3 KB of JSON on average); some articles quote or use other scripts,
some have no author, title or date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count as counting
from random import Random

from local.vocabulary import Topic, vocabulary

Article = dict[str, str | None]

WORDS = vocabulary()
MEDIAN_WORDS, SPREAD, LEAST_WORDS, MOST_WORDS = 430.0, 0.5, 100, 900
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
NO_BREAK = "\N{NO-BREAK SPACE}"


def generate(seed: int) -> Iterator[Article]:
    """Endless: article 0, 1, 2, …"""
    return (article(seed, index) for index in counting())


def encode(value: Article) -> bytes:
    """The JSON that goes on the stream, as a producer would write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def article(seed: int, index: int) -> Article:
    """Article `index` of `seed`; its id is unique within the seed."""
    random = Random(f"articles:{seed}:{index}")
    topic = random.choice(WORDS.topics)
    scene = Scene(random, topic)
    made: Article = {
        "article_id": f"art-{seed:04x}-{index:08d}",
        "title": _title(random, scene),
        "author": _author(random, scene),
        "publish_date": _date(random),
        "content": _content(random, scene),
    }
    if made["author"] is None and random.random() < 0.3:
        del made["author"]
    return made


class Scene(dict[str, str]):
    """The slots of one article: names stay, figures are drawn anew each time they are asked for."""

    def __init__(self, random: Random, topic: Topic) -> None:
        super().__init__()
        self.random, self.topic = random, topic
        self["place"], self["country"] = random.choice(WORDS.places)
        first, self["surname"] = random.choice(WORDS.first_names), random.choice(WORDS.last_names)
        self["person"] = f"{first} {self['surname']}"
        self["other"] = f"{random.choice(WORDS.first_names)} {random.choice(WORDS.last_names)}"
        self["org"] = self.fill(random.choice(topic.organisations))
        self["subject"] = self.fill(random.choice(topic.subjects))

    def fill(self, template: str) -> str:
        return template.format_map(self)

    def sentence(self, template: str) -> str:
        filled = self.fill(template)
        return filled[0].upper() + filled[1:]

    def __missing__(self, slot: str) -> str:
        random = self.random
        if slot == "count":
            return f"{int(random.lognormvariate(4, 1.4)) + 3:,}"
        if slot == "few":
            return str(random.randint(11, 29))
        if slot == "percent":
            exact = f"{random.uniform(0.5, 30):.1f}{NO_BREAK}%"
            return random.choice((f"{random.randint(2, 60)} per cent", exact))
        if slot == "money":
            currency, unit = random.choice("€£$"), random.choice(("million", "million", "billion", "m"))
            return f"{currency}{random.uniform(1, 90):.1f}{NO_BREAK if unit != 'm' else ''}{unit}"
        if slot == "year":
            return str(random.randint(1974, 2022))
        if slot == "weekday":
            return random.choice(WEEKDAYS)
        if slot == "month":
            return random.choice(MONTHS)
        raise KeyError(slot)


def _title(random: Random, scene: Scene) -> str | None:
    if random.random() < 0.005:
        return None
    title = scene.sentence(random.choice(scene.topic.titles))
    return f"{title} {random.choice(WORDS.emoji)}" if random.random() < 0.03 else title


def _author(random: Random, scene: Scene) -> str | None:
    if random.random() < 0.04:
        return None
    author = f"{random.choice(WORDS.first_names)} {random.choice(WORDS.last_names)}"
    return f"{author} in {scene['place']}" if random.random() < 0.1 else author


def _date(random: Random) -> str | None:
    if random.random() < 0.01:
        return None
    date = NEWEST - timedelta(minutes=random.randint(0, 60 * 24 * 365))
    return date.date().isoformat() if random.random() < 0.2 else date.strftime("%Y-%m-%dT%H:%M:00Z")


def _content(random: Random, scene: Scene) -> str:
    words = min(MOST_WORDS, max(LEAST_WORDS, random.lognormvariate(0, SPREAD) * MEDIAN_WORDS))
    if random.random() < 0.02:
        return _foreign_content(random, words)
    sentences = _Deck(random, scene.topic.sentences + WORDS.sentences)
    quotes = _Deck(random, scene.topic.quotes + WORDS.quotes)
    paragraphs = [scene.sentence(random.choice(scene.topic.leads))]
    foreign_left = random.random() < 0.06
    while sum(len(paragraph.split()) for paragraph in paragraphs) < words - 15:
        if foreign_left and len(paragraphs) == 2:
            foreign_left = False
            paragraphs.append(_foreign_quote(random, scene))
        elif random.random() < 0.3:
            paragraphs.append(_quote(random, scene, quotes.draw()))
        else:
            paragraphs.append(" ".join(scene.sentence(sentences.draw()) for _ in range(random.randint(2, 4))))
    return "\n\n".join(paragraphs)


def _quote(random: Random, scene: Scene, said: str) -> str:
    opening, closing = ("“", "”") if random.random() < 0.8 else ('"', '"')
    who = random.choice((scene["person"], scene["surname"], scene["other"]))
    role = f", {scene.fill(random.choice(WORDS.roles))}" if random.random() < 0.4 else ""
    verb = random.choice(WORDS.verbs)
    attribution = f"{who} {verb}" if " " in verb or not role else f"{verb} {who}{role}"
    return f"{opening}{scene.sentence(said)},{closing} {attribution}."


def _foreign_quote(random: Random, scene: Scene) -> str:
    foreign = random.choice(WORDS.foreign)
    said = random.choice(foreign.sentences)
    return f"“{said}” Speaking in {foreign.language}, {scene['other']} said {foreign.sense}."


def _foreign_content(random: Random, words: float) -> str:
    sentences = random.choice(WORDS.foreign).sentences
    paragraphs = max(2, int(words / 60))
    return "\n\n".join(" ".join(random.sample(sentences, k=random.randint(2, 3))) for _ in range(paragraphs))


class _Deck:
    """Draws templates in random order, each once before any comes again."""

    def __init__(self, random: Random, templates: tuple[str, ...]) -> None:
        self._random, self._templates, self._left = random, tuple(dict.fromkeys(templates)), list[str]()

    def draw(self) -> str:
        if not self._left:
            self._left = list(self._templates)
            self._random.shuffle(self._left)
        return self._left.pop()
