"""Prefixes with any history, rewritten, and what must hold of the outcome."""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from articles import average, container, dead_letters, tail, tombstones
from articles.avro import Avro, read_container
from articles.chain import END, Totals
from articles.dead_letters import Wanted
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.rewrite import Rewritten, rewrite
from articles.rewrite_link import Place
from articles.verify import Checks, verify
from consumer.payload import unpack
from tests.articles.builder import Article, Chain, name
from tests.fakes import FakeClock, MemoryStore

OLD, NEW, THIRD = Layout("articles"), Layout("new"), Layout("third/prefix")
IDS = tuple(f"id-{number}" for number in range(6))
PAGES = ("2025-06-16", "2025-06-17", "2025-06-18", END)


@dataclass(frozen=True, slots=True)
class Step:
    """A link of a shard: of each record the article and whether it is a valid one; `turns` to the next page."""

    shard: int
    records: Sequence[tuple[str, bool]]
    turns: bool = False


RECORDS = st.lists(st.tuples(st.sampled_from(IDS), st.booleans()), max_size=5)
STEPS = st.lists(
    st.builds(Step, st.integers(0, 2), RECORDS, st.booleans()).filter(lambda step: step.records or step.turns),
    min_size=1,
    max_size=14,
)
ERASED = st.sets(st.sampled_from(IDS), min_size=1)


def text(article_id: str) -> str:
    """Of an article: no other one's."""
    return f"words only of {article_id}, déjà vu"


def payload(article_id: str) -> bytes:
    return json.dumps({"article_id": article_id, "content": 5, "title": text(article_id)}).encode()


@dataclass(slots=True)
class Story:
    """Plays steps in the old prefix."""

    memory: MemoryStore = field(default_factory=MemoryStore)
    chains: dict[int, Chain] = field(default_factory=dict)
    number: int = 0

    def play(self, steps: Sequence[Step]) -> Story:
        for step in steps:
            self.link(step)
        return self

    def link(self, step: Step) -> None:
        if step.shard not in self.chains:
            codec = ("deflate", "zstandard", "null")[step.shard]
            self.chains[step.shard] = Chain(self.memory, shard=name(step.shard), codec=codec)
            self.chains[step.shard].root()
        chain = self.chains[step.shard]
        if chain.state.page == END:
            return
        records = []
        for one, valid in step.records:
            self.number += 1
            sent = {"content": text(one)} if valid else {"content": None, "payload": payload(one)}
            records.append(Article(self.number, article_id=one, **sent))
        chain.link(records, page=PAGES[PAGES.index(chain.state.page) + 1] if step.turns else None)


def place(memory: MemoryStore, layout: Layout) -> Place:
    return Place(RetryingStore(memory, FakeClock()), layout)


def bury(memory: MemoryStore, ids: Collection[str], layout: Layout = OLD) -> None:
    at = place(memory, layout)
    for one in ids:
        tombstones.add(at.store, layout, one, "", FakeClock())


def rewritten(memory: MemoryStore, source: Layout = OLD, target: Layout = NEW, **options: Any) -> Rewritten:
    origin = f"s3://bucket/{source.prefix}"
    return rewrite(place(memory, source), place(memory, target), origin, FakeClock(), unpack, **options)


def below(memory: MemoryStore, layout: Layout) -> dict[str, tuple[bytes, dict[str, str]]]:
    found = memory.objects.items()
    return {key: (one.body, one.attributes) for key, one in found if key.startswith(f"{layout.prefix}/")}


def rows(memory: MemoryStore, layout: Layout) -> list[Avro]:
    """All records of the prefix, by a plain reader of Avro."""
    bodies = [memory.objects[key].body for key in memory.keys(f"{layout.data}/")]
    return [record for body in bodies for record in read_container(io.BytesIO(body))]


def rejected(memory: MemoryStore, layout: Layout) -> list[tuple[str, bytes]]:
    at = place(memory, layout)
    found = list(dead_letters.files(at.store, layout, Wanted()))
    assert [file.problem for file in found if file.problem] == []
    return [(str(letter.position), letter.payload) for file in found for letter in file.letters()]


def totals(memory: MemoryStore, layout: Layout) -> Totals:
    return average.compute(place(memory, layout).store, layout).total.totals


def check(memory: MemoryStore, erased: Collection[str], source: Layout = OLD, target: Layout = NEW) -> None:
    """The new prefix holds everything but that."""
    kept = [record for record in rows(memory, source) if record["article_id"] not in erased]
    assert rows(memory, target) == kept
    gone = {payload(one) for one in erased}
    assert rejected(memory, target) == [one for one in rejected(memory, source) if one[1] not in gone]
    assert totals(memory, target).words == sum(record["word_count"] for record in kept)
    assert totals(memory, target).good == len(kept)
    old, new = place(memory, source), place(memory, target)
    for shard in average.compute(old.store, source).shards:
        before, after = tail.find(old.store, source, shard), tail.find(new.store, target, shard)
        assert before
        assert after
        assert (before.root, before.state) == (after.root, after.state)
    report = verify(new.store, target, checks=Checks(deep=True))
    assert report.errors == 0, report.findings
    assert report.leftovers == 0
    secrets = [text(one).encode() for one in erased] + [text(one).encode("ascii", "ignore") for one in erased]
    for plain in plains(memory, target):
        assert not any(secret in plain for secret in secrets)


def plains(memory: MemoryStore, layout: Layout) -> Iterator[bytes]:
    """Every byte under the prefix: keys, metadata, objects as they are, and every block unpacked."""
    for key, (body, attributes) in below(memory, layout).items():
        yield key.encode()
        yield json.dumps(attributes).encode()
        yield body
        if key.endswith(".avro"):
            header = container.read_header(body)
            for block in container.read_blocks(body, header):
                yield container.decompress(header.codec, block.data)
