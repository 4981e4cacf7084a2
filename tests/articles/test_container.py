"""Files assembled by hand are what any Avro library reads, and damage is seen."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from articles import avro, container, schema
from articles.container import Block, Truncated
from articles.encode import encode_article
from articles.errors import ChainError

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
nullable = st.none() | texts
article_records = st.fixed_dictionaries(
    {
        "article_id": texts,
        "title": nullable,
        "author": nullable,
        "publish_date": nullable,
        "content": texts,
        "word_count": st.integers(0, 2**31 - 1),
        "shard_id": texts,
        "sequence_number": texts,
        "sub_sequence_number": st.integers(0, 2**63 - 1),
        "arrival_timestamp": st.none() | st.integers(0, 4_102_444_800_000),
        "extra": nullable,
    }
)
codecs = st.sampled_from(container.CODECS)
metadata = st.dictionaries(texts.map(lambda name: f"articles.{name}"), texts.map(str.encode), max_size=5)


def pack(codec: str, records: Sequence[dict[str, Any]], size: int = 2) -> list[Block]:
    parts = [records[start : start + size] for start in range(0, len(records), size)]
    return [
        Block(len(part), container.compress(codec, b"".join(encode_article(one) for one in part))) for part in parts
    ]


@given(codecs, st.lists(article_records, max_size=7), metadata)
def test_any_avro_library_reads_our_files(codec: str, records: list[dict[str, Any]], entries: dict[str, bytes]) -> None:
    blocks = pack(codec, records)
    data = container.assemble("key", schema.ARTICLE, codec, entries, blocks)
    read = list(avro.read_container(io.BytesIO(data)))
    for one in read:
        arrival = one["arrival_timestamp"]
        one["arrival_timestamp"] = None if arrival is None else round(arrival.timestamp() * 1000)
    assert read == records


@given(codecs, st.lists(article_records, max_size=7), metadata)
def test_header_and_blocks_are_read_back(codec: str, records: list[dict[str, Any]], entries: dict[str, bytes]) -> None:
    blocks = pack(codec, records)
    data = container.assemble("key", schema.ARTICLE, codec, entries, blocks)
    header = container.read_header(data)
    assert header.codec == (codec if blocks else "null")
    assert {name: header.metadata[name] for name in entries} == entries
    assert header.sync == container.sync_marker("key")
    assert list(container.read_blocks(data, header)) == blocks
    assert len(data) == header.size + sum(container.framed_size(one.count, len(one.data)) for one in blocks)
    decoded = [
        record
        for block in blocks
        for record in avro.decode_articles(container.decompress(codec, block.data), block.count)
    ]
    assert decoded == records


@given(codecs, st.binary(max_size=5000))
def test_what_is_compressed_is_unpacked(codec: str, data: bytes) -> None:
    assert container.decompress(codec, container.compress(codec, data)) == data


@given(st.lists(article_records, min_size=1, max_size=5), st.data())
def test_a_file_cut_anywhere_is_seen(records: list[dict[str, Any]], data: st.DataObject) -> None:
    blocks = pack("deflate", records)
    whole = container.assemble("key", schema.ARTICLE, "deflate", {}, blocks)
    ends = [container.read_header(whole).size]
    for block in blocks:
        ends.append(ends[-1] + container.framed_size(block.count, len(block.data)))
    cut = data.draw(st.integers(0, len(whole) - 1).filter(lambda size: size not in ends))
    with pytest.raises(Truncated):
        list(container.read_blocks(whole[:cut], container.read_header(whole[:cut])))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for candidate in (data, container.MAGIC + data):
        try:
            list(container.read_blocks(candidate, container.read_header(candidate)))
        except ChainError:
            continue


def test_another_files_sync_marker_is_seen() -> None:
    blocks = [Block(1, b"x")]
    ours = container.assemble("key", schema.ARTICLE, "null", {}, blocks)
    theirs = container.assemble("other", schema.ARTICLE, "null", {}, blocks)
    size = container.read_header(ours).size
    mixed = ours[:size] + theirs[size:]
    with pytest.raises(ChainError, match="sync marker"):
        list(container.read_blocks(mixed, container.read_header(mixed)))


def test_the_digest_tells_records_not_keys() -> None:
    blocks = [Block(2, b"ab"), Block(1, b"c")]
    assert container.digest(blocks) == container.digest(list(blocks))
    assert container.digest(blocks) != container.digest([Block(1, b"ab"), Block(2, b"c")])
    assert container.digest(blocks) != container.digest([Block(2, b"abc"), Block(1, b"")])


@pytest.mark.parametrize("codec", ["deflate", "zstandard"])
def test_blocks_that_are_not_of_their_codec_are_refused(codec: str) -> None:
    good = container.compress(codec, b"some text " * 50)
    for bad in (b"", b"\xff" * 20, good[:-3]):
        with pytest.raises(ChainError):
            container.decompress(codec, bad)


@pytest.mark.parametrize("codec", ["deflate", "zstandard"])
def test_a_block_that_unpacks_to_too_much_is_refused(codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = container.compress(codec, b"\0" * 100_000)
    monkeypatch.setattr(container, "MAX_BLOCK_BYTES", 99_999)
    with pytest.raises(ChainError, match="too large"):
        container.decompress(codec, bomb)


def test_an_unknown_codec_is_named() -> None:
    with pytest.raises(ChainError, match="'snappy'"):
        container.decompress("snappy", b"")
