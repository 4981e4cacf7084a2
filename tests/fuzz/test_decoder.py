"""The fuzzer's laws in every run of the suite: over its seeds, and over damage that Hypothesis thinks of."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.decode import Article, Rejected, decode
from tests.consumer.payloads import BAD, GOOD
from tests.fuzz import laws
from tests.fuzz.corpus import ARTICLES, PACKERS, seeds
from tests.fuzz.laws import check_decoded, check_stored, judge
from tests.fuzz.reference import NotJson, Reader

TOKENS = [
    b"", b'"', b"\\", b"\\u", b"\\ud800", b"\\udc00", b"\\n", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"null",
    b"true", b"NaN", b"-", b"0", b"1e999", b"1E-400", b"9" * 400, b"9" * 4301, b"\xff", b"\0", b"\x01", b"\x7f",
    b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"\xef\xbb\xbf", b'"content":"d"', b',"content":"d"', b',"article_id":0',
    b',"title":0', b'"\\u0063ontent":', b"[" * 60, b"]" * 60,
]  # fmt: skip
ENCODINGS = ["utf-16", "utf-16-le", "utf-32-be", "utf-8-sig", "utf-7", "latin-1", "cp1252", "gb18030"]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid article, cut, patched, doubled and with bits flipped, anywhere."""
    body = bytearray(draw(st.sampled_from(ARTICLES)))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["patch", "flip", "cut", "double"])):
            case "patch":
                body[at : at + draw(st.integers(0, 4))] = draw(st.sampled_from(TOKENS))
            case "flip" if body:
                body[at % len(body)] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del body[at:]
            case "double":
                body[at:at] = body[max(0, at - draw(st.integers(1, 40))) : at]
    return bytes(body)


@st.composite
def recoded(draw: st.DrawFn) -> bytes:
    """A valid article in another encoding than UTF-8, as far as that can write it."""
    text = draw(st.sampled_from(ARTICLES)).decode()
    return text.encode(draw(st.sampled_from(ENCODINGS)), "replace")


@st.composite
def packed(draw: st.DrawFn, payloads: st.SearchStrategy[bytes]) -> bytes:
    """Packed once or twice, in one member or in two, whole, cut, or with a byte too many."""
    data = draw(payloads)
    for _ in range(draw(st.integers(1, 2))):
        pack: Any = draw(st.sampled_from(PACKERS))
        at = draw(st.integers(0, len(data)))
        data = b"".join(map(pack, draw(st.sampled_from([[data], [data[:at], data[at:]], [b"", data]]))))
    return draw(st.sampled_from([data, data, data[:-1], data + b"\0", data[:9], data + GOOD]))


payloads = st.one_of(damaged(), recoded(), st.sampled_from(seeds()), st.binary(max_size=100))


KEPT = [data for data, _ in BAD.values()] + seeds()


@pytest.mark.parametrize("data", KEPT, ids=range(len(KEPT)))
def test_the_laws_hold_for_every_seed(data: bytes) -> None:
    check_decoded(data)
    check_stored(data)


@given(payloads)
def test_the_laws_hold_for_damaged_payloads(data: bytes) -> None:
    check_decoded(data)


@given(packed(payloads))
def test_the_laws_hold_for_packed_payloads(data: bytes) -> None:
    check_decoded(data)


@given(st.one_of(payloads, packed(payloads)))
def test_no_payload_touches_its_neighbours(data: bytes) -> None:
    check_stored(data)


@given(st.data())
def test_the_laws_hold_for_payloads_as_large_as_a_record(data: st.DataObject) -> None:
    """A mebibyte, made of one thing again and again: whatever takes more than linear time shows here."""
    unit = data.draw(st.sampled_from([*TOKENS[1:], b'"x":1,', b'{"x":', b"[[],", b'"\\ud83d\\ude00",', b"1,"]))
    head, tail = data.draw(st.sampled_from([(b"", b""), (GOOD + b',"x":[', b"0]}"), (GOOD + b",", b'"y":0}')]))
    times = data.draw(st.sampled_from([1000, (1 << 20) // len(unit)]))
    found = check_bounded(head + unit * times + tail)
    assert isinstance(found, Article | Rejected)


def check_bounded(data: bytes) -> Article | Rejected:
    return check_decoded(data[: 1 << 20])


def lenient(data: bytes) -> Article | Rejected:
    """The decoder that people write."""
    try:
        said = json.loads(data)
        return Article(said["article_id"], said["content"].encode())
    except (ValueError, KeyError, TypeError, AttributeError):
        return Rejected("json", "")


def blind(data: bytes) -> Article | Rejected:
    """Ours, but for a key that stands twice."""
    return decode(data.replace(b',"content":"d"', b""))


def too_strict(data: bytes) -> Article | Rejected:
    return Rejected("json", "") if b"\\u" in data else decode(data)


@pytest.mark.parametrize("broken", [lenient, blind, too_strict])
def test_the_laws_have_teeth(monkeypatch: pytest.MonkeyPatch, broken: Any) -> None:
    monkeypatch.setattr(laws, "decode", broken)
    with pytest.raises(AssertionError):
        list(map(check_decoded, KEPT))


def test_the_reference_is_strict() -> None:
    """Else it would prove nothing: it says of every kind of bad input what is wrong, and takes the good ones whole."""
    unclear = {data for data, reason in BAD.values() if judge(data) != frozenset({reason})}
    assert all(data.count(b"[") + data.count(b"{") > 99 or not data.startswith(b"{") for data in unclear)
    assert not any(isinstance(judge(data), frozenset) for data in ARTICLES[:3])


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_the_reference_reads_what_python_writes(value: Any) -> None:
    text = json.dumps(value)
    try:
        assert Reader(text).read() == value
    except NotJson:
        assert "\\ud" in text, "half a surrogate pair, which Python writes"


def test_a_mebibyte_of_noise_is_rejected() -> None:
    assert isinstance(check_bounded(random.Random(1).randbytes(1 << 20)), Rejected)
