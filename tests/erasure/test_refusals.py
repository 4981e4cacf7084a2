"""What a rewrite does not do, what it says then, and what may lie in its way."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from articles import container, schema
from articles.chain import State, Totals
from articles.errors import ChainError, UserError
from articles.folder import FolderStore
from articles.keys import Layout
from articles.position import Position
from articles.verify import Checks, verify
from articles.verify_ledger import Ledger
from tests.articles.builder import Article, Chain, name
from tests.erasure import kit
from tests.erasure.kit import NEW, OLD, Step, Story, bury, check, rewritten
from tests.fakes import MemoryStore, Stored

Articles = Callable[..., tuple[int, str, str]]
STEPS = [
    Step(0, [("id-0", True), ("id-1", True), ("id-0", False)]),
    Step(0, [("id-2", True), ("id-3", False)], turns=True),
    Step(1, [("id-1", True)]),
]


@pytest.fixture
def story() -> Story:
    story = Story().play(STEPS)
    bury(story.memory, ["id-0"])
    return story


@pytest.fixture
def memory(story: Story) -> MemoryStore:
    return story.memory


def test_a_target_that_holds_something(memory: MemoryStore) -> None:
    memory.create("new/some/thing", b"", {})
    with pytest.raises(UserError, match="holds something"):
        rewritten(memory)
    assert memory.keys("new/") == ["new/some/thing"]


def test_the_target_of_another_rewrite(memory: MemoryStore) -> None:
    rewritten(memory)
    Chain(memory, Layout("other")).root()
    bury(memory, ["id-0"], Layout("other"))
    with pytest.raises(UserError, match="holds the rewrite of s3://bucket/articles"):
        rewritten(memory, Layout("other"))
    with pytest.raises(UserError, match="with unclear"):
        rewritten(memory, unclear=False)


def test_nothing_to_do(memory: MemoryStore) -> None:
    with pytest.raises(UserError, match="no tombstone"):
        rewritten(memory, Layout("empty"))
    bury(memory, ["id-0"], Layout("empty"))
    with pytest.raises(UserError, match="nothing is stored"):
        rewritten(memory, Layout("empty"))
    assert memory.keys("new/") == []


@pytest.mark.parametrize("at", [-20, 400])
def test_a_damaged_link(memory: MemoryStore, at: int) -> None:
    key = memory.keys(OLD.data)[0]
    body = bytearray(memory.objects[key].body)
    body[at] ^= 1
    memory.objects[key].body = bytes(body)
    with pytest.raises(ChainError, match=f"{key}.*verify"):
        rewritten(memory)
    assert NEW.whole(OLD.inside(key)) not in memory.objects


def test_metadata_that_contradict_the_header(memory: MemoryStore) -> None:
    key = memory.keys(OLD.data)[0]
    memory.objects[key].attributes["words"] = "1"
    with pytest.raises(ChainError, match="metadata"):
        rewritten(memory)


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"totals": Totals(3, 1, 10)}, "3 records with 9 words, its header says 3 with 10"),
        ({"totals": Totals(3, 2, 9)}, "another number of records"),
        ({"blocks": ((1, 40), (2, 20))}, "cut or changed"),
        ({"dead_letter_key": "elsewhere/dead-letter/x.avro"}, "of another link"),
        ({"shard": name(7)}, "its key not"),
        ({"after": State(Position.parse("4:0"), "2025-06-19")}, "metadata contradicts"),
    ],
)
def test_a_header_that_does_not_say_the_truth(changed: dict[str, Any], said: str) -> None:
    memory = MemoryStore()
    chain = Chain(memory)
    chain.root()
    records = [Article(1), Article(2), Article(3), Article(4, None)]
    made = chain.seal(records, **changed)
    true = made.link.summary if "totals" in changed else chain.seal(records).link.summary
    memory.create(made.key, made.body, true.to_attributes())
    bury(memory, ["a-1-0"])
    with pytest.raises(ChainError, match=said):
        rewritten(memory)
    assert memory.keys(NEW.data) == []


def test_a_block_index_that_does_not_say_the_truth() -> None:
    memory = MemoryStore()
    chain = Chain(memory)
    chain.root()
    (first, size), (second, other) = chain.seal([Article(1), Article(2), Article(3)]).link.blocks
    chain.link([Article(1), Article(2), Article(3)], blocks=((second, size), (first, other)))
    bury(memory, ["a-1-0"])
    with pytest.raises(ChainError, match="block index"):
        rewritten(memory)


def test_damaged_dead_letters(memory: MemoryStore) -> None:
    key = memory.keys(OLD.dead_letters)[0]
    memory.objects[key].body = memory.objects[memory.keys(OLD.dead_letters)[1]].body
    with pytest.raises(ChainError, match="dead-letter"):
        rewritten(memory)


def test_a_broken_chain(memory: MemoryStore) -> None:
    del memory.objects[memory.keys(OLD.data)[0]]
    with pytest.raises(ChainError, match=r"break.*verify"):
        rewritten(memory)


def test_a_root_that_cannot_be_read(memory: MemoryStore) -> None:
    memory.objects[memory.keys(OLD.roots)[0]].body = b"{}"
    with pytest.raises(ChainError, match="root"):
        rewritten(memory)


def test_strangers_and_forks_stay_behind(memory: MemoryStore) -> None:
    key = memory.keys(OLD.data)[0]
    fork = key.replace("0" * 20, "0" * 19 + "1", 1)
    memory.objects[fork] = memory.objects[key]
    memory.create(f"{OLD.data}/dt=2025-06-16/notes.txt", b"words only of id-0", {})
    leftover = f"{memory.keys(OLD.dead_letters)[0][:-21]}0123456789abcdef.avro"
    memory.create(leftover, b"words only of id-0", {})
    found = rewritten(memory)
    assert len(found.strangers) == 2
    del memory.objects[fork], memory.objects[f"{OLD.data}/dt=2025-06-16/notes.txt"]
    del memory.objects[leftover]
    check(memory, {"id-0"})


def test_a_link_of_somebody_else_in_the_target(memory: MemoryStore) -> None:
    key = memory.keys(OLD.data)[1]
    rewritten(memory)
    memory.objects[NEW.whole(OLD.inside(key))] = memory.objects.pop(NEW.whole(OLD.inside(memory.keys(OLD.data)[0])))
    del memory.objects[NEW.rewritten_key(1)]
    with pytest.raises(ChainError, match="somebody else"):
        rewritten(memory)


def test_a_changed_link_of_somebody_else_in_the_target(memory: MemoryStore) -> None:
    """It is whole, and of another rewrite."""
    bury(memory, ["id-1"])
    rewritten(memory, target=Layout("else"))
    for key in memory.keys(OLD.tombstones)[:1]:
        del memory.objects[key]
    key = OLD.inside(memory.keys(OLD.data)[0])

    def hook(when: str, operation: str, asked: str) -> None:
        if (when, operation, asked) == ("after", "create", NEW.rewritten_key(0)):
            memory.objects[NEW.whole(key)] = memory.objects[f"else/{key}"]

    memory.hook = hook
    with pytest.raises(ChainError, match="somebody else"):
        rewritten(memory)


def test_a_worker_that_writes_to_the_target_already(story: Story) -> None:
    rewritten(story.memory)
    chain = story.chains[1]
    chain.layout = NEW
    chain.link([Article(99)])
    with pytest.raises(ChainError, match="does a worker write"):
        rewritten(story.memory)


def test_a_link_that_is_gone_from_the_target(memory: MemoryStore) -> None:
    def hook(when: str, operation: str, key: str) -> None:
        if (when, operation) == ("after", "create") and key == NEW.rewritten_key(1):
            del memory.objects[memory.keys(NEW.data)[0]]

    memory.hook = hook
    with pytest.raises(ChainError, match="new prefix"):
        rewritten(memory)


def test_tombstones_that_come_later_wait_for_another_rewrite(story: Story) -> None:
    rewritten(story.memory)
    bury(story.memory, ["id-1"])
    story.play([Step(0, [("id-1", True), ("id-0", True)])])
    found = rewritten(story.memory)
    assert found.late == 1
    check(story.memory, {"id-0"})
    assert len(story.memory.keys(NEW.tombstones)) == 2
    assert rewritten(story.memory, NEW, Layout("third")).late == 0
    check(story.memory, {"id-0", "id-1"}, NEW, Layout("third"))


def test_two_runs_at_a_time(memory: MemoryStore) -> None:
    rival: list[object] = []

    def hook(when: str, operation: str, key: str) -> None:
        if (when, operation, key) == ("before", "create", NEW.rewritten_key(1)) and not rival:
            rival.append(None)
            memory.objects[key] = Stored(b"{}")

    memory.hook = hook
    with pytest.raises(UserError, match="another run"):
        rewritten(memory)
    memory.hook = None
    del memory.objects[NEW.rewritten_key(1)]
    rewritten(memory)
    check(memory, {"id-0"})


def test_what_another_machine_compressed_is_taken_as_it_is(
    memory: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(container, "compress", lambda _codec, data: zlib.compress(data, 9, wbits=-15))
        rewritten(memory)
    first = kit.below(memory, NEW)
    del memory.objects[NEW.rewritten_key(1)]
    rewritten(memory)
    assert {key: first[key] for key in memory.keys(NEW.data)} == {
        key: one for key, one in kit.below(memory, NEW).items() if key.startswith(NEW.data)
    }
    for key in memory.keys(NEW.dead_letters)[1:]:
        if key not in first:  # ours, which no link names
            del memory.objects[key]
    part = json.loads(memory.objects[NEW.rewritten_key(1)].body)
    assert part["changed"][0]["digest"] == first_digest(memory)


def first_digest(memory: MemoryStore) -> str:
    header = container.read_header(memory.objects[memory.keys(NEW.data)[0]].body)
    return header.metadata["articles.digest"].decode()


def test_files_of_another_version_of_the_schema(memory: MemoryStore) -> None:
    """Records are taken as the bytes that they are: fields that this version does not know stay."""
    chain = Chain(memory, Layout("later"))
    chain.root()
    made = chain.seal([Article(1, article_id="id-0"), Article(2), Article(3)], schema=2)
    header = container.read_header(made.body)
    named = json.loads(header.metadata["avro.schema"])
    named["fields"].append({"name": "mood", "type": "string", "default": ""})
    blocks = []
    for block in container.read_blocks(made.body, header):
        plain = container.decompress(header.codec, block.data)
        records = [data for _, data in container_pieces(plain, block.count)]
        blocks.append(
            container.Block(block.count, container.compress("deflate", b"".join(d + b"\x06odd" for d in records)))
        )
    index = json.dumps([[block.count, len(block.data)] for block in blocks])
    entries = {
        **header.metadata,
        "avro.schema": json.dumps(named).encode(),
        "articles.blocks": index.encode(),
        "articles.digest": container.digest(blocks).encode(),
        "articles.new": b"kept",
    }
    attributes = made.link.summary.to_attributes() | {"digest": container.digest(blocks)}
    memory.create(made.key, container.join(made.key, entries, blocks), attributes)
    bury(memory, ["id-0"], Layout("later"))
    rewritten(memory, Layout("later"))
    assert [(row["article_id"], row["mood"]) for row in kit.rows(memory, NEW)] == [("a-2-0", "odd"), ("a-3-0", "odd")]
    (key,) = memory.keys(NEW.data)
    assert container.read_header(memory.objects[key].body).metadata["articles.new"] == b"kept"
    check(memory, {"id-0"}, Layout("later"))


def container_pieces(plain: bytes, count: int) -> list[tuple[object, bytes]]:
    from articles.avro import pieces

    return list(pieces(plain, count, json.dumps(schema.ARTICLE).encode()))


def test_verify_says_what_was_erased_and_finds_what_does_not_add_up(memory: MemoryStore) -> None:
    rewritten(memory)
    store = kit.place(memory, NEW).store
    report = verify(store, NEW)
    assert report.ok
    assert report.erased == Totals(1, 1, len(kit.text("id-0").split()))
    assert report.counts["erased"] == 1
    key = memory.keys(NEW.data)[0]
    memory.objects[key].body = memory.objects[key].body.replace(b'"words": 6', b'"words": 7', 1)
    assert verify(store, NEW).counts["erasures"] == 1


def test_a_ledger_knows_what_was_erased(memory: MemoryStore) -> None:
    def ledger() -> Ledger:
        made = Ledger()
        for row in kit.rows(memory, OLD):
            at = Position.of(row["sequence_number"], row["sub_sequence_number"])
            made.add(row["shard_id"], at, row["word_count"])
        for position, _ in kit.rejected(memory, OLD):
            made.add("shardId-000000000000", Position.parse(position), None)
        return made

    rewritten(memory)
    store = kit.place(memory, NEW).store
    assert verify(store, NEW, checks=Checks(ledger=ledger())).ok
    other = ledger()
    other.add("shardId-000000000000", Position.parse("2:7"), 3)
    assert verify(store, NEW, checks=Checks(ledger=other)).counts["lost"] == 3


def test_the_command_over_folders(articles: Articles, memory: MemoryStore, tmp_path: Path) -> None:
    for key, stored in memory.objects.items():
        FolderStore(tmp_path).create(key, stored.body, {})
    old, new = str(tmp_path / "articles"), tmp_path / "new"
    new.mkdir()
    status, out, err = articles("rewrite", old, "--to", str(new))
    assert (status, err) == (0, "")
    assert "3 new files in this run, 3 files in all, 1 without something" in out
    status, out, _ = articles("rewrite", old, "--to", str(new), "--json")
    said = json.loads(out)
    assert (status, said["new_files"], said["files"], said["changed"]) == (0, 0, 3, 1)
    assert said["erased"] == {"good": 1, "rejected": 1, "words": 6}
    assert said["before"]["words"] - said["erased"]["words"] == said["left"]["words"]
    for source, target in ((old, f"{old}/x"), (f"{new}/", str(new)), (str(tmp_path), str(new))):
        status, out, err = articles("rewrite", source, "--to", target)
        assert (status, out) == (2, "")
        assert "inside the other" in err
    for one in ("id-1", "id-2"):
        bury_in_folder(tmp_path, one)
    status, _, err = articles("rewrite", old, "--to", str(new))
    assert status == 0
    assert "2 tombstones younger than this rewrite" in err


def bury_in_folder(folder: Path, one: str) -> None:
    memory = MemoryStore()
    bury(memory, [one])
    for key, stored in memory.objects.items():
        FolderStore(folder).create(key, stored.body, {})
