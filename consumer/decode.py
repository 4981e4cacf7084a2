"""Payload bytes to an article, strictly: what is not a valid article is rejected with a reason, never guessed at.

Strictness that `json.loads` does not have: UTF-16, a byte order mark, NaN, numbers out of range, duplicate keys and
lone surrogates are rejected. Unknown fields are kept, as the very text they were sent in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from consumer.payload import BadPayload, unpack

KNOWN: Final = ("article_id", "title", "author", "publish_date", "content")
REQUIRED: Final = ("article_id", "content")
MEMBERS: Final = 10_000
"""Bound on an object's members, which take 40 times their size while they are told apart."""
VALUES: Final = 100_000


class Article(msgspec.Struct, frozen=True, gc=False):
    """`content` is UTF-8, which is what is counted and stored; `extra` a JSON object of the fields we do not know, None
    when there are none."""

    article_id: str
    content: bytes
    title: str | None = None
    author: str | None = None
    publish_date: str | None = None
    extra: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """`reason` is one of: empty, compressed, encoding, json, object, duplicate-key, missing, null, empty-field, type,
    number, depth, avro. `detail` never holds text of the article."""

    reason: str
    detail: str


class _Key(str):
    """A member's name; msgspec asks for each one as it is read, which tells duplicates from a dict's size."""

    __slots__ = ()


class _TooMany(Exception):
    """Not a ValueError, which msgspec would make its own."""


_names: list[str] = []
"""Of the object being read: msgspec hands its hook nothing to keep them in. One child, one thread."""


def _member(kind: type[Any], name: Any) -> Any:
    if len(_names) == MEMBERS:
        raise _TooMany
    _names.append(name)
    return kind(name)


_OBJECT: Final = msgspec.json.Decoder(dict[_Key, msgspec.Raw], dec_hook=_member)
_TEXT: Final = msgspec.json.Decoder(str)
_ANY: Final = msgspec.json.Decoder()


class _Known(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """An article without unknown fields."""

    article_id: str
    content: msgspec.Raw
    title: str | None = None
    author: str | None = None
    publish_date: str | None = None


class _Raw(msgspec.Struct, gc=False):
    """Its members as they stand there; empty stands for one that does not."""

    article_id: msgspec.Raw
    content: msgspec.Raw
    title: msgspec.Raw = msgspec.Raw()
    author: msgspec.Raw = msgspec.Raw()
    publish_date: msgspec.Raw = msgspec.Raw()


_KNOWN: Final = msgspec.json.Decoder(_Known)
_RAW: Final = msgspec.json.Decoder(_Raw)
_REQUIRED_SIZE: Final = len(b'{"article_id":,"content":}')
_TITLE_SIZE: Final = len(b',"title":')
_AUTHOR_SIZE: Final = len(b',"author":')
_DATE_SIZE: Final = len(b',"publish_date":')
_QUOTES: Final = len(b'""')
_SHORTEST_MEMBER: Final = _TITLE_SIZE + 1


def decode(data: bytes) -> Article | Rejected:
    """Never raises for bad input."""
    return _decode_known(data) or decode_any(data)


def _decode_known(data: bytes) -> Article | None:
    """A good article of known fields alone, the usual case, in a third of the time; None for whatever else.

    msgspec takes the last of two members with the same name. So the lengths must leave no room for another member,
    which they do in JSON that is compact or has a space after each colon and comma. A text is never longer than it
    stands in JSON, so its length is tried first, which spares reading everything twice.
    """
    try:
        known = _KNOWN.decode(data)
        article_id, title, author, date = known.article_id, known.title, known.author, known.publish_date
        room = len(data) - _REQUIRED_SIZE - len(known.content) - _QUOTES - len(article_id)
        room -= 0 if title is None else _TITLE_SIZE + _QUOTES + len(title)
        room -= 0 if author is None else _AUTHOR_SIZE + _QUOTES + len(author)
        room -= 0 if date is None else _DATE_SIZE + _QUOTES + len(date)
        if room >= _SHORTEST_MEMBER and _room(data) >= _SHORTEST_MEMBER:
            return None
        content = _TEXT.decode(known.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Article(article_id, content.encode(), title, author, date) if article_id and content else None


def _room(data: bytes) -> int:
    """Bytes that its members, each taken once, leave in an article of known fields alone."""
    raw = _RAW.decode(data)
    title, author, date = len(raw.title), len(raw.author), len(raw.publish_date)
    room = len(data) - _REQUIRED_SIZE - len(raw.article_id) - len(raw.content)
    return room - (title and _TITLE_SIZE + title) - (author and _AUTHOR_SIZE + author) - (date and _DATE_SIZE + date)


def decode_any(data: bytes) -> Article | Rejected:
    """As `decode`, without its short cut."""
    try:
        plain = unpack(data)
        if not plain.strip():
            return Rejected("empty", "no payload")
        plain.decode()  # members that are kept as raw text would not be checked otherwise
        _names.clear()
        members = _OBJECT.decode(plain)
    except BadPayload as error:
        return Rejected("compressed", str(error))
    except UnicodeDecodeError as error:
        return Rejected("encoding", f"not UTF-8: {error.reason} at byte {error.start}")
    except RecursionError:
        return Rejected("depth", "nested too deeply")
    except _TooMany:
        return Rejected("object", f"more than {MEMBERS} members")
    except msgspec.ValidationError:
        return Rejected("object", "not a JSON object")
    except msgspec.DecodeError as error:
        # msgspec reports an unpaired surrogate as input that ends early.
        return Rejected("json", str(error).replace("was truncated", "ends early or has an unpaired surrogate"))
    if len(members) != len(_names):
        return Rejected("duplicate-key", "a member stands twice")
    return _article({str(name): raw for name, raw in members.items()})


def _commas(raw: bytes) -> int:
    """At most so many values follow the first one; those of a text separate none."""
    return 0 if raw.startswith(b'"') else raw.count(b",")


def _article(members: dict[str, msgspec.Raw]) -> Article | Rejected:
    known: dict[str, str | None] = {}
    for name in KNOWN:
        raw = members.pop(name, None)
        if raw is None:
            if name in REQUIRED:
                return Rejected("missing", name)
            known[name] = None
            continue
        try:
            known[name] = _TEXT.decode(raw)
        except msgspec.ValidationError:
            if bytes(raw).strip() != b"null":
                return Rejected("type", f"{name} is not a string")
            if name in REQUIRED:
                return Rejected("null", name)
            known[name] = None
    article_id, content = known["article_id"], known["content"]
    if not article_id or not content:
        return Rejected("empty-field", "content" if article_id else "article_id")
    extra = None
    if members:
        # Each value is looked at, as an object of Python's: a payload of empty lists would take thirty times its size.
        if sum(_commas(bytes(raw)) for raw in members.values()) > VALUES:
            return Rejected("object", f"unknown fields with more than {VALUES} values")
        try:
            for raw in members.values():
                _ANY.decode(raw)
        except msgspec.ValidationError as error:
            return Rejected("number", f"an unknown field holds a number that does not fit: {error}")
        except RecursionError:
            return Rejected("depth", "an unknown field is nested too deeply")
        extra = msgspec.json.encode(members).decode()
    return Article(article_id, content.encode(), known["title"], known["author"], known["publish_date"], extra)
