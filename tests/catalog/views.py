"""Everything that a snapshot says, to be compared; and chains with any history of links and builds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import strategies as st

from articles.catalog import merge, open_snapshot, segment
from articles.catalog.build import Built, build
from articles.catalog.gather import Options
from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from tests.articles.builder import PAGE, Article, Chain, name
from tests.fakes import FakeClock, MemoryStore

LAYOUT = Layout("articles")
CONTENTS = ("", "one", "one two three", "a b", None)


def built(
    memory: MemoryStore, selection: Selection | None = None, clock: FakeClock | None = None, **options: Any
) -> Built:
    store = RetryingStore(memory, FakeClock())
    return build(store, LAYOUT, selection or Selection(), clock or FakeClock(), Options(**options))


def view(memory: MemoryStore, number: int | None = None) -> dict[str, Any]:
    found = open_snapshot(RetryingStore(memory, FakeClock()), LAYOUT, number)
    files = found.files()
    return {
        "files": files,
        "rows": list(found.rows([file.key for file in files])) if found.manifest.rows else None,
        "totals": found.totals,
        "chains": found.manifest.chains,
        "streams": found.manifest.streams,
        "damaged": found.damaged,
        "watermark": found.watermark,
        "losses": sorted(map(str, found.manifest.losses)),
    }


def without_catalog(memory: MemoryStore) -> MemoryStore:
    copy = MemoryStore()
    copy.objects = {key: stored for key, stored in memory.objects.items() if not key.startswith(LAYOUT.catalog)}
    return copy


@dataclass(frozen=True, slots=True)
class Step:
    """A link of a chain, or where `shard` is None a build."""

    shard: int | None
    contents: Sequence[str | None] = ()
    turns: bool = False


_LINKS = st.builds(Step, st.integers(0, 2), st.lists(st.sampled_from(CONTENTS), max_size=3), st.booleans()).filter(
    lambda step: step.contents or step.turns
)
STEPS = st.lists(st.one_of(_LINKS, _LINKS, _LINKS, st.just(Step(None))), max_size=24)


class Story:
    """Plays steps in one bucket."""

    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.chains: dict[int, Chain] = {}
        self._number = 0
        self._day = 0

    def play(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if step.shard is not None:
                self.link(step.shard, step.contents, turns=step.turns)
            elif self.chains:
                built(self.memory)

    def link(self, shard: int, contents: Sequence[str | None], *, turns: bool = False) -> str:
        if shard not in self.chains:
            self.chains[shard] = Chain(self.memory, shard=name(shard), worker=f"worker-{shard}")
            self.chains[shard].root()
        records = []
        for content in contents:
            self._number += 1
            # Some articles come again, under another position.
            records.append(Article(self._number, content, article_id=f"a-{self._number % 7}"))
        page = None
        if turns:
            self._day += 1
            page = f"{PAGE[:-2]}{int(PAGE[-2:]) + self._day % 14:02d}"
            page = page if page > self.chains[shard].state.page else None
        if not records and page is None:
            return ""
        return self.chains[shard].link(records, page=page)


@contextmanager
def small_segments() -> Iterator[None]:
    """Full with three links or five records, and merged when more than two are small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment, "LINKS", 4)
        patch.setattr(segment, "RECORDS", 6)
        patch.setattr(merge, "SMALL_SEGMENTS", 2)
        yield
