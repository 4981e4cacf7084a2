"""A small bucket that holds, to be damaged and looked at again."""

from __future__ import annotations

from dataclasses import dataclass, field

from articles.keys import Layout
from articles.retry import RetryingStore
from articles.scan import Selection
from articles.verify import Checks, verify
from articles.verify_report import ERROR, Finding, Report
from tests.articles.builder import Article, Chain, articles, name
from tests.fakes import FakeClock, MemoryStore, Stored

SHALLOW = Checks()
DEEP = Checks(deep=True)


@dataclass(slots=True)
class Bucket:
    """Two shards: the first with three links over two pages and dead letters, the second one ended."""

    memory: MemoryStore = field(default_factory=MemoryStore)
    first: Chain = field(init=False)
    second: Chain = field(init=False)

    def __post_init__(self) -> None:
        self.first, self.second = Chain(self.memory), Chain(self.memory, shard=name(1), codec="zstandard")
        for chain in (self.first, self.second):
            chain.root()
        self.first.link([Article(1), Article(2, None), Article(3, "a b"), Article(3, "c", sub=1)])
        self.first.link([Article(7), Article(9, "x y z z")], page="2025-06-17")
        self.first.link([Article(11), Article(12), Article(15, None)])
        self.second.link(articles(range(20, 27)))
        self.second.end()

    def check(self, checks: Checks = SHALLOW, selection: Selection | None = None) -> Report:
        return verify(RetryingStore(self.memory, FakeClock()), Layout("articles"), selection, checks)

    def body(self, key: str) -> bytes:
        return self.memory.objects[key].body

    def alter(self, key: str, at: int) -> None:
        body = bytearray(self.body(key))
        body[at] ^= 0x01
        self.memory.objects[key].body = bytes(body)

    def put(self, chain: Chain, records: list[Article], **changed: object) -> str:
        """A next link whose header says something else."""
        made = chain.seal(records, None, **changed)
        self.memory.objects[made.key] = Stored(made.body, made.link.summary.to_attributes())
        return made.key


def errors(report: Report) -> set[str]:
    return {finding.code for finding in report.findings if finding.severity == ERROR}


def one(report: Report, code: str) -> Finding:
    (finding,) = [finding for finding in report.findings if finding.code == code]
    return finding
