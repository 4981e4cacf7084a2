"""What roots and links say is read back as it was written, and a link leads forward or nowhere."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.chain import END, Link, Root, ShardName, State, Summary, Totals, check_step
from articles.errors import ChainError
from articles.position import ZERO
from tests.articles.builder import Article, Chain, articles, name
from tests.articles.test_keys import names, pages
from tests.articles.test_position import positions
from tests.fakes import MemoryStore

states = st.builds(State, positions, st.one_of(pages, st.just(END)))
counts = st.integers(0, 10**15)
totals = st.builds(Totals, counts, counts, counts)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
workers = st.from_regex(r"[A-Za-z0-9_.:-]{1,40}", fullmatch=True)
optional_positions = st.none() | positions
arrivals = st.none() | st.integers(0, 10**13)
links = st.builds(
    Link,
    shard=names,
    before=states,
    after=states,
    first=optional_positions,
    last=optional_positions,
    first_arrival=arrivals,
    last_arrival=arrivals,
    totals=totals,
    worker=workers,
    digest=digests,
    dead_letter_key=st.just("") | st.just("articles/dead-letter/dt=2025-01-01/x.avro"),
    dead_letter_digest=st.just("") | digests,
    schema=st.integers(1, 9),
    enrichment=workers,
    software=workers,
    blocks=st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**8)), max_size=5).map(tuple),
)


@given(links)
def test_a_link_is_read_back(link: Link) -> None:
    assert Link.from_metadata("key", link.to_metadata()) == link
    assert Link.from_metadata("key", link.to_metadata()).to_metadata() == link.to_metadata()


@given(links)
def test_what_a_head_answers_is_in_the_metadata(link: Link) -> None:
    attributes = link.summary.to_attributes()
    assert Summary.from_attributes(attributes) == link.summary
    size = sum(len(name) + len(value) for name, value in attributes.items())
    assert size < 2048, "S3 takes 2 KB of metadata"
    assert all(value.isascii() and value.isprintable() for value in attributes.values())


@given(links, st.data())
def test_a_link_with_an_entry_less_is_none(link: Link, data: st.DataObject) -> None:
    metadata = link.to_metadata()
    del metadata[data.draw(st.sampled_from(sorted(metadata)))]
    with pytest.raises(ChainError, match="header of key"):
        Link.from_metadata("key", metadata)


@pytest.mark.parametrize(
    "entry, value",
    [
        ("created", b"x"),
        ("stream", b"a/b"),
        ("shard", b"\xff"),
        ("before", b"1:0"),
        ("after", b"1:0:yesterday"),
        ("first", b"1"),
        ("good", b"many"),
        ("blocks", b"[[1]]"),
        ("blocks", b'[["a","b"]]'),
        ("blocks", b"{"),
        ("blocks", b"7"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(entry: str, value: bytes) -> None:
    link = Chain(MemoryStore()).seal(articles(range(1, 4))).link
    with pytest.raises(ChainError, match="header of key"):
        Link.from_metadata("key", link.to_metadata() | {f"articles.{entry}": value})


def test_lost_metadata_is_told_from_metadata() -> None:
    attributes = Chain(MemoryStore()).seal(articles(range(1, 4))).link.summary.to_attributes()
    assert Summary.from_attributes({}) is None
    for lost in ("after", "good", "rejected", "words", "worker", "digest", "enrichment"):
        assert Summary.from_attributes({k: v for k, v in attributes.items() if k != lost}) is None
    assert Summary.from_attributes(attributes | {"words": "x"}) is None
    assert Summary.from_attributes(attributes | {"after": "x"}) is None


@given(states, states)
def test_a_step_goes_forward(before: State, after: State) -> None:
    forward = after.position >= before.position and after.page >= before.page and after != before
    if forward:
        check_step(before, after)
    else:
        with pytest.raises(ChainError, match="not forward"):
            check_step(before, after)


@given(states)
def test_a_state_is_read_back(state: State) -> None:
    assert State.parse(str(state)) == state


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1:0",
        "1:0:",
        "1:0:end",
        "1:0:2025-1-1",
        "1:0:2025-01-011",
        "1:0:2025-13-01",
        "1:0:٢٠٢٥-01-01",
        "1:0:20250101xx",
        "1:0:2025-W01-1",
        "x:0:2025-01-01",
    ],
)
def test_what_is_no_state_is_refused(text: str) -> None:
    with pytest.raises(ChainError):
        State.parse(text)


@given(pages)
def test_the_end_comes_after_every_page(page: str) -> None:
    assert page < END


@given(totals, totals, totals)
def test_totals_add_up_in_any_order(one: Totals, two: Totals, three: Totals) -> None:
    assert one + (two + three) == (three + one) + two
    assert one + Totals() == one
    assert (one + two).records == one.records + two.records


def root_of(shard: ShardName) -> Root:
    return Root(shard, "2025-06-16", "TRIM_HORIZON", "arn:x", None, 17, "1.0.0")


@given(names)
def test_a_root_is_read_back(shard: ShardName) -> None:
    root = root_of(shard)
    assert Root.from_json("key", shard, root.to_json()) == root
    assert root.state == State(ZERO, "2025-06-16")


def test_a_root_of_another_shard_is_refused() -> None:
    with pytest.raises(ChainError, match="another shard"):
        Root.from_json("key", name(1), root_of(name(0)).to_json())


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"7", b"\xff", b"null"])
def test_a_root_that_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(ChainError, match="root key"):
        Root.from_json("key", name(0), body)


@pytest.mark.parametrize("change", [{"page": "x"}, {"page": "END"}, {"written": "x"}])
def test_a_root_with_a_senseless_entry_is_refused(change: dict[str, object]) -> None:
    said = json.loads(root_of(name(0)).to_json()) | change
    with pytest.raises(ChainError):
        Root.from_json("key", name(0), json.dumps(said).encode())


def test_the_same_link_gives_the_same_bytes() -> None:
    records = [Article(1), Article(2, None), Article(5, "a b")]
    one, other = Chain(MemoryStore()).seal(records), Chain(MemoryStore()).seal(records)
    assert one == other
    assert dataclasses.replace(one.link, worker="b").to_metadata() != one.link.to_metadata()
