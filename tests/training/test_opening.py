"""What compiled code opens is what Avro readers give; whatever is wrong it leaves alone, for Python to name."""

from __future__ import annotations

import shutil
import sysconfig
import zlib
from array import array
from collections.abc import Sequence
from itertools import chain, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from articles import schema
from articles.catalog import CatalogFile
from articles.container import Block as Stored
from articles.container import assemble, compress, encode_long, read_header, sync_marker
from articles.encode import encode_article
from articles.folder import FolderStore
from articles.training import opening
from articles.training.blocks import Block, Damage, File, Groups
from articles.training.opening import COLUMNS, Place

ALL = tuple(field["name"] for field in schema.ARTICLE["fields"])
KEY = "articles/data/a.avro"
CAN_BE_COMPILED = bool(shutil.which("cc")) and Path(sysconfig.get_paths()["include"], "Python.h").exists()

pytestmark = pytest.mark.skipif(
    opening.open_groups is None and not CAN_BE_COMPILED, reason="no C compiler, or no headers of Python's"
)

# Long enough for the paths of whole words, in each of the widths that CPython keeps.
texts = st.one_of(
    st.text(max_size=80),
    st.builds(
        lambda text, times: text * times,
        st.one_of(
            st.text(min_size=1, max_size=90),
            st.text("abcdefgh ", min_size=30, max_size=90),
            st.text("abcdefgh éü", min_size=30, max_size=90),
            st.text("abcdefgh 字ü", min_size=30, max_size=90),
        ),
        st.sampled_from([1, 3, 100]),
    ),
)
nullable = st.none() | st.text(max_size=80)
longs = st.integers(-(2**63), 2**63 - 1)
records = st.fixed_dictionaries(
    {
        "article_id": st.text(max_size=80),
        "title": nullable,
        "author": nullable,
        "publish_date": nullable,
        "content": texts,
        "word_count": st.integers(0, 2**31 - 1),
        "shard_id": st.text(max_size=90),
        "sequence_number": st.text("0123456789", max_size=56),
        "sub_sequence_number": longs,
        "arrival_timestamp": st.none() | longs,
        "extra": nullable,
    }
)
blocks = st.lists(st.lists(records, min_size=1, max_size=3), min_size=1, max_size=3)
choices = st.one_of(
    st.just(COLUMNS), st.lists(st.sampled_from(ALL), min_size=1, unique=True).map(lambda fields: (*fields,))
)


def record(number: int) -> dict[str, Any]:
    numbers = {"word_count": 1, "sub_sequence_number": number, "arrival_timestamp": None}
    return {**dict.fromkeys(ALL, "x"), **numbers}


class Bytes:
    """A store of one file."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def read(self, _key: str, start: int = 0, length: int | None = None) -> bytes | None:
        return self.data[start : None if length is None else start + length]


def stored(written: Sequence[Sequence[dict[str, Any]]], codec: str = "deflate") -> tuple[bytes, CatalogFile]:
    plain = [(len(block), b"".join(map(encode_article, block))) for block in written]
    packed = [Stored(count, compress(codec, data)) for count, data in plain]
    data = assemble(KEY, schema.ARTICLE, codec, {}, packed)
    counts, sizes = array("I", (block.count for block in packed)), array("I", (len(block.data) for block in packed))
    crcs = array("I", (zlib.crc32(block.data) for block in packed))
    header = read_header(data).size
    said = CatalogFile(KEY, len(data), header, codec, sync_marker(KEY), "2025-06-16", counts, sizes, crcs, 0, 1)
    return data, said


def decoded(found: opening.Opened, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """Also of blocks that Python has to decode."""
    if not isinstance(found, list):
        return list(found)
    return [one for block in found if isinstance(block, Block) for one in block.records(fields)]


def compiled(*groups: tuple[Any, ...], fields: tuple[str, ...] = ("x",), places: bytes = b"\0") -> Any:
    assert opening.open_groups is not None
    return opening.open_groups(groups, fields, places)


def raw(packed: bytes, types: str, count: int, crc: int | None = None) -> tuple[Any, ...]:
    """A group of one block."""
    framed = encode_long(count) + encode_long(len(packed)) + packed + b"s" * 16
    crcs = None if crc is None else array("I", [crc])
    return framed, 0, len(framed), b"s" * 16, types, array("I", [count]), crcs, None


def test_it_is_compiled_where_it_can_be() -> None:
    assert opening.open_groups is not None


def test_it_knows_the_fields_of_every_version() -> None:
    assert opening.TYPES[1] == "sSSSsnssnNS"
    assert schema.FIELDS[schema.VERSION] == len(ALL)
    assert opening.UNKNOWN not in "".join(opening.TYPES.values())


@given(blocks, choices, st.integers(1, 3), st.data())
def test_compiled_code_gives_what_was_written_and_what_avro_readers_give(
    written: list[list[dict[str, Any]]], fields: tuple[str, ...], several: int, data: st.DataObject
) -> None:
    body, said = stored(written)
    everything = [*chain.from_iterable(written)]
    chosen = data.draw(st.none() | st.sets(st.integers(0, len(everything) - 1)))
    kept = None if chosen is None else sorted(chosen)
    groups = Groups([File(said, kept)], several)
    found = Place(Bytes(body), None).open(groups, range(len(groups)), fields)
    assert not any(isinstance(group, list) for group in found)
    expected = [
        {name: everything[n][name] for name in fields} for n in (range(len(everything)) if kept is None else kept)
    ]
    ordered = [list(one.items()) for group in found for one in decoded(group, fields)]
    assert ordered == [list(one.items()) for one in expected]
    by_name = [groups.fetch(Bytes(body), number) for number in range(len(groups))]
    assert [one for group in by_name for one in decoded(group, fields)] == expected


@pytest.mark.parametrize("codec", ["deflate", "null", "zstandard"])
def test_both_ways_give_the_same_from_a_folder_too(codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = [[record(n) for n in range(9)] for _ in range(3)]
    body, said = stored(written, codec)
    (tmp_path / KEY).parent.mkdir(parents=True)
    (tmp_path / KEY).write_bytes(body)
    groups = Groups([File(said)], 2)
    places = Place(FolderStore(tmp_path), str(tmp_path)), Place(Bytes(body), None)
    found = [place.open(groups, range(2), ALL) for place in places]
    assert [[isinstance(group, list) for group in one] for one in found] == [[codec != "deflate"] * 2] * 2
    monkeypatch.setattr(opening, "open_groups", None)
    found += [place.open(groups, range(2), ALL) for place in places]
    for one in found:
        assert [article for group in one for article in decoded(group, ALL)] == [*chain.from_iterable(written)]


def test_records_are_a_sequence() -> None:
    body, said = stored([[record(n)] * 2 for n in range(2)])
    groups = Groups([File(said)], 2)
    (found,) = Place(Bytes(body), None).open(groups, [0], ("sub_sequence_number",))
    assert (len(found), found[0], found[-1]) == (4, {"sub_sequence_number": 0}, {"sub_sequence_number": 1})
    for beyond in (4, -5):
        with pytest.raises(IndexError):
            found[beyond]
    assert found[0] is not found[0]


@given(st.one_of(st.binary(max_size=100), texts.map(str.encode), texts.map(lambda text: text.encode("utf-16"))))
def test_just_what_is_valid_utf_8_is_opened(content: bytes) -> None:
    group = raw(compress("deflate", encode_long(len(content)) + content), "s", 1)
    (found,) = compiled(group)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        assert found is None
    else:
        assert list(found) == [{"x": text}]
    (unread,) = compiled(group, fields=("y",), places=b"\1")
    assert list(unread) == [{"y": None}]


@pytest.mark.parametrize("first", range(0x80, 0x100))
def test_the_ends_of_what_may_follow_a_first_byte(first: int) -> None:
    ends = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)
    more = [(), *product(ends), *product(ends, (0x80, 0xC0)), *product(ends, (0x80,), (0xBF,))]
    bodies = [bytes((first, *others)) for others in more]
    found = compiled(*(raw(compress("deflate", encode_long(len(body)) + body), "s", 1) for body in bodies))
    for body, records in zip(bodies, found, strict=True):
        valid = body.decode("utf-8", "replace").encode() == body
        assert (records is not None) == valid, body
        if valid:
            assert records[0]["x"] == body.decode()


@given(longs, st.sampled_from("nN"))
def test_every_number_of_64_bits(number: int, kind: str) -> None:
    branch = b"\x02" if kind == "N" else b""
    (found,) = compiled(raw(compress("deflate", branch + encode_long(number)), kind, 1))
    assert found[0] == {"x": number}


@pytest.mark.parametrize(
    "types, plain",
    [
        ("n", b"\xff" * 9),  # a number without an end
        ("n", b"\xff" * 10 + b"\x01"),  # and one of more than 64 bits
        ("s", b"\x01"),  # a negative length
        ("s", b"\x04a"),  # a length beyond the end
        ("s", encode_long(2**62) + b"a"),
        ("N", b"\x04\x02"),  # a branch that there is not
        ("S", b"\x01\x02a"),
        ("n", b"\x02\x02"),  # something left over
        ("n", b""),
    ],
)
def test_what_is_no_record_is_left_alone(types: str, plain: bytes) -> None:
    assert compiled(raw(compress("deflate", plain), types, 1)) == [None]


@pytest.mark.parametrize(
    "kept, expected", [([], []), ([0, 2], [0, 2]), ([3], None), ([0, 0], None), ([0, 1, 2, 3], None)]
)
def test_only_records_that_are_there_can_be_kept(kept: list[int], expected: list[int] | None) -> None:
    group = raw(compress("deflate", b"\x00\x02\x04"), "n", 3)
    (found,) = compiled((*group[:-1], array("I", kept)))
    assert (None if found is None else [one["x"] for one in found]) == expected


def test_large_and_odd_blocks() -> None:
    large = "word " * 1_000_000
    for content in (large, ""):
        data = encode_long(len(content)) + content.encode()
        packed = compress("deflate", data)
        assert list(compiled(raw(packed, "s", 1, zlib.crc32(packed)))[0]) == [{"x": content}]
    packed = compress("deflate", b"\0" * 100_000)
    assert len(compiled(raw(packed, "s", 100_000))[0]) == 100_000
    assert compiled(raw(packed, "s", 2**32 - 1)) == [None]  # nothing is allocated for what cannot be
    assert compiled(raw(b"", "s", 1)) == [None]
    assert compiled() == []


@given(blocks, st.data())
def test_damage_is_left_to_python_which_names_it(written: list[list[dict[str, Any]]], data: st.DataObject) -> None:
    body, said = stored(written)
    at = data.draw(st.integers(said.header, len(body) - 1))
    damaged = data.draw(
        st.one_of(
            st.integers(1, 255).map(lambda flip: body[:at] + bytes([body[at] ^ flip]) + body[at + 1 :]),
            st.just(body[:at]),
            st.just(body[:at] + body[at + 1 :]),
        )
    )
    assume(damaged != body)
    groups = Groups([File(said)], len(written))
    (found,) = Place(Bytes(damaged), None).open(groups, [0], COLUMNS)
    assert isinstance(found, list)
    told = [block for block in found if isinstance(block, Damage)]
    count = sum(block.samples for block in told)
    # A block's framing is not read in Python: the catalogue says how long it is, and its CRC says what is in it.
    assert all("not as it was catalogued" in block.reason for block in told)
    assert len(decoded(found, COLUMNS)) + count == sum(said.counts)


@given(blocks, st.data())
def test_without_crcs_damage_may_pass_but_harms_nothing(
    written: list[list[dict[str, Any]]], data: st.DataObject
) -> None:
    body, said = stored(written)
    altered = bytearray(body[said.header :])
    for _ in range(data.draw(st.integers(1, 3))):
        altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    group = bytes(altered), 0, len(altered), said.sync, opening.TYPES[1], said.counts, None, None
    (found,) = compiled(group, fields=ALL, places=bytes(range(len(ALL))))
    if found is not None:
        assert len(list(found)) == sum(said.counts)


def test_a_file_that_is_gone_or_short_is_left_alone(tmp_path: Path) -> None:
    group = raw(compress("deflate", b"\0"), "s", 1)
    path = tmp_path / "file"
    path.write_bytes(b"before" + group[0])
    assert list(compiled((str(path), 6, *group[2:]))[0]) == [{"x": ""}]
    assert compiled((str(path), 7, *group[2:])) == [None]
    assert compiled((str(tmp_path), 0, *group[2:]), (str(tmp_path / "none"), 0, *group[2:])) == [None, None]


@pytest.mark.parametrize(
    "change, said",
    [
        ({1: -1}, "a part of a file"),
        ({2: 3}, "a part of a file"),
        ({3: b"short"}, "16 bytes"),
        ({4: "sx"}, "types are"),
        ({4: "s" * 256}, "types are"),
        ({5: b"abc"}, "numbers of 32 bits"),
        ({6: array("I", [1, 2])}, "as many CRCs"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(change: dict[int, Any], said: str) -> None:
    group = list(raw(compress("deflate", b"\0"), "s", 1))
    for place, value in change.items():
        group[place] = value
    with pytest.raises(ValueError, match=said):
        compiled(tuple(group))


def test_a_call_that_makes_no_sense_is_refused() -> None:
    for places in (b"", b"\0\0", b"\xff"):
        with pytest.raises(ValueError, match="place"):
            compiled(fields=("x",), places=places)
    with pytest.raises(ValueError, match="each there once"):
        compiled(fields=("x", "y"), places=b"\1\1")
    no_tuple: Any = []
    with pytest.raises(TypeError, match="a group is a tuple"):
        compiled(no_tuple)
