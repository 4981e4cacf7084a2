"""Every kind of bad input is rejected with its reason; a valid article comes out as it went in."""

from __future__ import annotations

import gzip
import json
import math
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from articles.encode import encode_dead_letter
from consumer.decode import MEMBERS, VALUES, Article, Rejected, decode
from tests.consumer.payloads import BAD, GOOD, REASONS, also

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


@pytest.mark.parametrize("data, reason", BAD.values(), ids=BAD)
def test_bad_input_is_rejected_with_its_reason(data: bytes, reason: str) -> None:
    rejected = decode(data)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason


def test_every_reason_that_is_documented_occurs() -> None:
    assert {reason for _, reason in BAD.values()} == REASONS
    assert all(reason in (Rejected.__doc__ or "") for reason in REASONS)


@given(st.binary(max_size=200))
@example(b"\x1f\x8b")
@example(b"\x28\xb5\x2f\xfd")
def test_no_bytes_at_all_raise(data: bytes) -> None:
    check(decode(data))


@given(st.data())
def test_no_damage_to_a_valid_article_raises(data: st.DataObject) -> None:
    body = bytearray(json.dumps({"article_id": "é", "content": "c\ud83d\ude00", "x": [1, None, {"y": "z"}]}).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(body) - 1))
        body[where : where + data.draw(st.integers(0, 3))] = data.draw(st.sampled_from(FRAGMENTS))
    check(decode(bytes(body)))


FRAGMENTS = [
    b"",
    b'"',
    b"\\",
    b"\\u",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"1e999",
    b"\xff",
    b"\0",
]


def check(found: Article | Rejected) -> None:
    """Whatever comes out can be written."""
    if isinstance(found, Rejected):
        assert found.reason in REASONS
        encode_dead_letter(
            {
                "reason": found.reason, "detail": found.detail, "payload": b"", "partition_key": None, "shard_id": "s",
                "sequence_number": "1", "sub_sequence_number": 0, "arrival_timestamp": None,
            }
        )  # fmt: skip
    else:
        for text in (found.article_id, found.title, found.author, found.publish_date, found.extra):
            assert text is None or text.encode()
        assert found.content.decode()
        assert found.extra is None or isinstance(json.loads(found.extra), dict)


# Text as JSON can hold it: anything but lone surrogates.
text = st.text(st.characters(exclude_categories=["Cs"]))
optional = st.none() | text
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
KNOWN = ("article_id", "title", "author", "publish_date", "content")
articles = st.fixed_dictionaries(
    {"article_id": text.filter(bool), "content": text.filter(bool)},
    optional={"title": optional, "author": optional, "publish_date": optional},
)
extras = st.dictionaries(text.filter(lambda name: name not in KNOWN), values, max_size=4)


@given(fields=articles, extra=extras, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_a_valid_article_comes_out_as_it_went_in(
    fields: dict[str, Any], extra: dict[str, Any], ascii_only: bool, indent: int | None
) -> None:
    data = json.dumps(fields | extra, ensure_ascii=ascii_only, indent=indent).encode()
    found = decode(data)
    assert isinstance(found, Article)
    expected = {name: fields.get(name) for name in KNOWN} | {"content": fields["content"].encode()}
    assert {name: getattr(found, name) for name in KNOWN} == expected
    assert (json.loads(found.extra) if found.extra else {}) == extra


@given(fields=articles, pack=st.sampled_from([gzip.compress, zstd.compress]))
def test_a_packed_article_is_the_same_article(fields: dict[str, Any], pack: Any) -> None:
    data = json.dumps(fields).encode()
    assert decode(pack(data)) == decode(data)


def test_unknown_fields_are_kept_as_the_very_text_that_was_sent() -> None:
    found = decode(also(b'"n": 1.500E+2,"big":18446744073709551616 ,"t":"\\u00e9\\/","o":{ "b":1, "a":[ ] }'))
    assert isinstance(found, Article)
    assert found.extra == '{"n":1.500E+2,"big":18446744073709551616,"t":"\\u00e9\\/","o":{ "b":1, "a":[ ] }}'


@pytest.mark.parametrize("key", ['"', "\\", "\n", "\0", "é", "\U0001f600", ""])
def test_unknown_keys_are_valid_json_whatever_they_are(key: str) -> None:
    found = decode(also(json.dumps(key).encode() + b":1"))
    assert isinstance(found, Article)
    assert json.loads(found.extra or "") == {key: 1}


def test_without_unknown_fields_there_is_no_extra() -> None:
    assert decode(b'{"content":"c","article_id":"a","title":null}') == Article("a", b"c")


def test_escaped_control_characters_are_text() -> None:
    found = decode(b'{"article_id":"\\u0000","content":"a\\u0000\\n\\u001b"}')
    assert isinstance(found, Article)
    assert found.content == b"a\0\n\x1b"


def test_content_of_a_mebibyte_is_fine() -> None:
    found = decode(b'{"article_id":"a","content":"' + b"w " * (1 << 19) + b'"}')
    assert isinstance(found, Article)
    assert len(found.content) == 1 << 20


def test_there_is_a_bound_on_members() -> None:
    members = [b'"%d":1' % number for number in range(MEMBERS - 2)]
    assert isinstance(decode(also(b",".join(members))), Article)
    assert decode(also(b",".join([*members, b'"x":1']))) == Rejected("object", "more than 10000 members")
    assert isinstance(decode(GOOD + b"}"), Article)


def test_there_is_a_bound_on_values_but_not_on_the_commas_of_a_text() -> None:
    assert decode(also(b'"x":[' + b"[]," * VALUES + b"[],[]]")).__class__ is Rejected
    text = json.dumps("one, two, " * VALUES)
    found = decode(also(b'"summary":' + text.encode()))
    assert isinstance(found, Article)
    assert json.loads(found.extra or "") == {"summary": json.loads(text)}


def test_numbers_that_fit_are_kept() -> None:
    found = decode(also(b'"x":[1e308,5e-324,0.1,-0]'))
    assert isinstance(found, Article)
    assert json.loads(found.extra or "")["x"] == [1e308, math.ulp(0.0), 0.1, 0]


MARK = "Xyzzy"


@pytest.mark.parametrize(
    "data",
    [
        f'{{"article_id":"{MARK}","content":1}}',
        f'{{"article_id":"{MARK}","content":"{MARK}","{MARK}":{{"{MARK}":[1e999]}}}}',
        f'{{"article_id":"{MARK}","content":"{MARK}","title":"\\ud800{MARK}"}}',
        f'{{"{MARK}":1,"{MARK}":2}}',
        f'["{MARK}"]',
        MARK,
        f'{{"article_id":"{MARK}","content":"{MARK}" {MARK}}}',
        f'{{"article_id":"a","content":"c","{MARK}":\\{MARK}}}',
    ],
)
def test_the_detail_of_a_rejection_never_holds_text_of_the_article(data: str) -> None:
    rejected = decode(data.encode())
    assert isinstance(rejected, Rejected)
    assert MARK not in rejected.reason + rejected.detail
