"""Whose a dead letter is, as far as anybody can tell."""

from __future__ import annotations

import gzip
import json

import pytest

from articles.rewrite_letters import ids_in
from consumer.payload import unpack
from tests.articles.builder import Article, Chain
from tests.erasure import kit
from tests.erasure.kit import NEW, OLD, bury, rewritten
from tests.fakes import MemoryStore


@pytest.mark.parametrize(
    "payload, ids",
    [
        (b'{"article_id": "a", "content": 5}', {"a"}),
        (b'{"article_id": "a", "article_id": "b"}', {"a", "b"}),
        (b'[{"article_id": "a"}, {"in": [{"article_id": "b"}]}]', {"a", "b"}),
        (b'{"article_id": 17}', {"17"}),
        (b'{"article_id": "\\u00e9\\"", "x": 1}', {'é"'}),
        (b'{"\\u0061rticle_id": "a"}', {"a"}),
        (gzip.compress(b'{"article_id": "a"}', mtime=0), {"a"}),
        ('{"article_id": "a"}'.encode("utf-16"), {"a"}),
        (b'{"article_id": "a", "content": "cut sh', {"a"}),
        (b'{"article_id": "a"} {"article_id": "b"}', {"a", "b"}),
        (b'{"content": "says \\"article_id\\": \\"b\\"", "article_id": "a"}', {"a"}),
        (b'{"article_id": "\\ud800"}', set()),
        (b'{"article_id": "cut sh', set()),
        (b'{"article_id": null}', set()),
        (gzip.compress(b'{"article_id": "a"}', mtime=0)[:-9], set()),
        (b"[" * 100_000, set()),
        (b"\xff", set()),
        (b"", set()),
    ],
)
def test_ids(payload: bytes, ids: set[str]) -> None:
    assert ids_in(payload, unpack) == ids


def letters(*payloads: bytes) -> MemoryStore:
    memory = MemoryStore()
    chain = Chain(memory)
    chain.root()
    chain.link([Article(number, None, payload=payload) for number, payload in enumerate(payloads, 1)])
    bury(memory, ["gone"])
    return memory


PAYLOADS = (json.dumps({"article_id": "gone"}).encode(), b'{"article_id": "other"', b"\xff", b'{"content": "gone?"}')


def test_unclear_ones_stay_and_are_named() -> None:
    memory = letters(*PAYLOADS)
    found = rewritten(memory)
    assert [payload for _, payload in kit.rejected(memory, NEW)] == list(PAYLOADS[1:])
    assert [one.position for one in found.unclear] == ["3:0", "4:0"]
    assert (found.sums.unclear, found.sums.erased.rejected) == (2, 1)
    part = json.loads(memory.objects[NEW.rewritten_key(1)].body)
    assert [one["position"] for one in part["unclear"]] == ["3:0", "4:0"]
    assert part["unclear"][0]["key"] in memory.objects


def test_or_go_on_request() -> None:
    memory = letters(*PAYLOADS)
    found = rewritten(memory, unclear=False)
    assert [payload for _, payload in kit.rejected(memory, NEW)] == [PAYLOADS[1]]
    assert (found.sums.unclear, found.sums.erased.rejected) == (0, 3)


def test_of_a_file_that_holds_nothing_else_nothing_is_left() -> None:
    memory = letters(*2 * [kit.payload("gone")])
    rewritten(memory)
    assert memory.keys(f"{NEW.dead_letters}/") == []
    kit.check(memory, {"gone"})


def test_those_that_the_lifecycle_deleted_are_no_damage() -> None:
    memory = letters(*PAYLOADS)
    (key,) = memory.keys(f"{OLD.dead_letters}/")
    del memory.objects[key]
    found = rewritten(memory)
    assert (found.sums.left.rejected, found.sums.erased.rejected) == (4, 0)


def test_marks_of_what_was_replayed_come_along_and_nothing_else_from_there() -> None:
    memory = letters(*PAYLOADS)
    for name in ("a-1.claimed", "a-1.put", "somebody's.json"):
        memory.create(f"{OLD.replayed}/dt=2025-06-16/{name}", name.encode(), {})
    rewritten(memory)
    marks = {key.rpartition("/")[2]: memory.objects[key].body for key in memory.keys(NEW.replayed)}
    assert marks == {"a-1.claimed": b"a-1.claimed", "a-1.put": b"a-1.put"}
    memory.create(f"{OLD.replayed}/dt=2025-06-17/b-1.put", b"later", {})
    rewritten(memory)
    assert len(memory.keys(NEW.replayed)) == 3
