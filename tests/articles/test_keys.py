"""A key is a function of the state alone; every key of ours is read back, and nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles.chain import END, ShardName, State
from articles.errors import UserError
from articles.keys import Layout
from articles.position import ZERO, Position
from tests.articles.builder import PAGE, name
from tests.articles.test_position import positions

names = st.builds(
    ShardName,
    st.from_regex(r"[A-Za-z0-9_.-]{1,128}", fullmatch=True),
    st.integers(0, 10**12),
    st.integers(0, 10**12 - 1).map(lambda number: f"shardId-{number:012d}"),
)
pages = st.dates().map(lambda day: day.isoformat())
prefixes = st.sampled_from(["articles", "a/b", "team-x/articles", "dt=2025-01-01"])
layouts = prefixes.map(Layout)


@given(layouts, names, positions, pages)
def test_a_links_key_is_read_back(layout: Layout, shard: ShardName, position: Position, page: str) -> None:
    parsed = layout.parse_link(layout.link_key(shard, State(position, page)))
    assert parsed is not None
    assert (parsed.shard, parsed.position, parsed.page) == (shard, position, page)


@given(layouts, names)
def test_a_roots_key_is_read_back(layout: Layout, shard: ShardName) -> None:
    key = layout.root_key(shard)
    parsed = layout.parse_root(key)
    assert parsed is not None
    assert (parsed.shard, parsed.position) == (shard, ZERO)
    assert layout.parse_link(key) is None


@given(layouts, names, positions)
def test_a_shard_has_no_other_root(layout: Layout, shard: ShardName, position: Position) -> None:
    found = layout.parse_root(f"{layout.roots}/{shard}-{position.padded}")
    assert (found is not None) == (position == ZERO)


@given(layouts, names, positions, pages, st.binary(min_size=32, max_size=32))
def test_dead_letters_lie_apart(layout: Layout, shard: ShardName, position: Position, page: str, digest: bytes) -> None:
    link = layout.link_key(shard, State(position, page))
    key = layout.dead_letter_key(link, digest.hex())
    assert layout.is_dead_letter(key)
    assert not layout.is_dead_letter(link)
    assert layout.parse_link(key) is None
    assert not key.startswith(f"{layout.data}/")


@given(names, st.lists(st.tuples(pages, positions), min_size=2, max_size=5))
def test_keys_of_a_shard_sort_as_its_chain_goes(shard: ShardName, steps: list[tuple[str, Position]]) -> None:
    layout = Layout("articles")
    keys = [layout.link_key(shard, State(position, page)) for page, position in sorted(steps)]
    assert keys == sorted(keys)


def test_names_of_files_start_with_a_letter() -> None:
    """Query engines skip what starts with `_` or `.`, and a stream's name may."""
    layout = Layout("articles")
    for stream in ("_hidden", ".hidden", "-"):
        key = layout.link_key(name(0, stream), State(ZERO, PAGE))
        assert key.rpartition("/")[2][0].isalpha()


def test_nothing_follows_the_end() -> None:
    with pytest.raises(ValueError, match="nothing follows"):
        Layout("articles").link_key(name(0), State(ZERO, END))


GOOD = f"articles/data/dt=2025-06-16/s-MyStream-17-shardId-000000000000-{'0' * 56}-{'0' * 10}.avro"


@pytest.mark.parametrize(
    "key",
    [
        GOOD + "\n",
        GOOD + ".tmp",
        GOOD.replace(".avro", ".Avro"),
        GOOD.replace("articles/", "articles2/", 1),
        GOOD.replace("articles/", "x/articles/", 1),
        GOOD.replace("dt=2025-06-16", "dt=2025-6-16"),
        GOOD.replace("dt=2025-06-16", "dt=END"),
        GOOD.replace("dt=2025-06-16/", "dt=2025-06-16/x/"),
        GOOD.replace("s-MyStream", "MyStream"),
        GOOD.replace("s-MyStream", "s-My Stream"),
        GOOD.replace("-17-", "-x-"),
        GOOD.replace("0" * 56, "0" * 55),
        GOOD.replace("0" * 56, "0" * 57),
        GOOD.replace("0" * 56, "٠" * 56),
        GOOD.replace("2025", "٢٠٢٥"),
        "articles/data/_SUCCESS",
        "",
    ],
)
def test_strangers_are_not_taken_for_links(key: str) -> None:
    assert Layout("articles").parse_link(GOOD) is not None
    assert Layout("articles").parse_link(key) is None


@pytest.mark.parametrize(
    "stream, created, shard",
    [
        ("a/b", 1, "shardId-1"),
        ("", 1, "shardId-1"),
        ("x" * 129, 1, "shardId-1"),
        ("a", -1, "shardId-1"),
        ("a", 1, "../shardId-1"),
        ("a", 1, "shardId-x"),
        ("a", 1, "shardId-٣"),
    ],
)
def test_only_names_that_aws_gives_enter_a_key(stream: str, created: int, shard: str) -> None:
    with pytest.raises(UserError):
        ShardName(stream, created, shard)


def test_streams_with_dashes_and_digits_are_told_apart() -> None:
    layout = Layout("articles")
    one = ShardName("a-1-shardId-2", 3, "shardId-4")
    parsed = layout.parse_link(layout.link_key(one, State(ZERO, PAGE)))
    assert parsed is not None
    assert parsed.shard == one
