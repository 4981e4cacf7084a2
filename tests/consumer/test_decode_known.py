"""The decoder's short cut gives what the long way gives, or leaves it to that."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.decode import KNOWN, Article, Rejected, decode, decode_any
from tests.consumer.payloads import BAD

KEYS = st.sampled_from([*KNOWN, *KNOWN, "x"]).flatmap(
    lambda name: st.sampled_from([json.dumps(name), f'"\\u{ord(name[0]):04x}{name[1:]}"'])
)
TEXTS = st.text().map(json.dumps) | st.text("a\\\"\n'é\u2019", max_size=9).map(
    lambda text: json.dumps(text, ensure_ascii=False)
)
VALUES = TEXTS | st.sampled_from(["null", "0", "1e999", "[]", "{}", '""', '"\\ud800"', "true"])
SPACE = st.sampled_from(["", "", "", " ", "\n  "])


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    """JSON objects of the known fields mostly, with duplicates and names written with escapes."""
    first, colon, comma = draw(SPACE), draw(SPACE), draw(SPACE)
    required = [('"article_id"', draw(VALUES)), ('"content"', draw(VALUES))] if draw(st.booleans()) else []
    members = draw(st.permutations(required + draw(st.lists(st.tuples(KEYS, VALUES), max_size=5))))
    return ("{" + first + ("," + comma).join(f"{key}:{colon}{value}" for key, value in members) + first + "}").encode()


@given(documents())
def test_the_short_cut_changes_nothing(document: bytes) -> None:
    assert decode(document) == decode_any(document)


@pytest.mark.parametrize("payload", [payload for payload, _ in BAD.values()], ids=list(BAD))
def test_what_is_bad_is_left_to_the_long_way(payload: bytes) -> None:
    assert decode(payload) == decode_any(payload)


def test_a_short_member_that_stands_twice_is_seen() -> None:
    for first in (b"null", b'"t"', b'""'):
        document = b'{"article_id":"a","content":"c","title":' + first + b',"title":"t"}'
        assert not isinstance(decode(document), Article)


@pytest.mark.parametrize("title", ["plain", "Zoë", '"quoted" ' * 9, "\\" * 40, "新聞" * 20])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_member_that_stands_twice_is_seen_however_the_others_are_written(title: str, ascii_only: bool) -> None:
    """Texts are shorter than they stand in JSON, which must not make room for another member."""
    fields = json.dumps({"article_id": "a", "title": title, "content": "c"}, ensure_ascii=ascii_only)
    assert isinstance(decode(fields.encode()), Article)
    for twice in (', "title": "t"}', ', "content": "c"}', ',"title":""}', ', "article_id": "a"}'):
        assert decode(fields[:-1].encode() + twice.encode()) == Rejected("duplicate-key", "a member stands twice")
