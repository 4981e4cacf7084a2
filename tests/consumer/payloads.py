"""Every kind of bad input, with the reason that it is rejected for."""

from __future__ import annotations

import gzip
import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GOOD = b'{"article_id":"a","content":"c"'
REASONS = {
    "empty", "compressed", "encoding", "json", "object", "duplicate-key", "missing", "null", "empty-field", "type",
    "number", "depth",
}  # fmt: skip


def also(member: bytes) -> bytes:
    """A good article with one more member."""
    return GOOD + b"," + member + b"}"


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


BAD = {
    "nothing": (b"", "empty"),
    "white space": (b" \r\n\t ", "empty"),
    "gzip of nothing": (gzip.compress(b""), "empty"),
    "a zero byte": (b"\0", "json"),
    "not UTF-8": (b'{"article_id":"a","content":"\xff"}', "encoding"),
    "Latin-1": ('{"article_id":"a","content":"é"}'.encode("latin-1"), "encoding"),
    "not UTF-8 in an unknown field": (also(b'"x":"\xff"'), "encoding"),
    "a surrogate in UTF-8": (b'{"article_id":"a","content":"\xed\xa0\x80"}', "encoding"),
    "an overlong zero": (b'{"article_id":"a","content":"\xc0\x80"}', "encoding"),
    "UTF-16": ((GOOD + b"}").decode().encode("utf-16"), "encoding"),
    "UTF-16 without its mark": ((GOOD + b"}").decode().encode("utf-16-le"), "json"),
    "UTF-32": ((GOOD + b"}").decode().encode("utf-32-be"), "json"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD + b"}", "json"),
    "plain text": (b"Breaking news", "json"),
    "cut short": (GOOD, "json"),
    "two objects": (GOOD + b"}" + GOOD + b"}", "json"),
    "a comma too many": (GOOD + b",}", "json"),
    "single quotes": (b"{'article_id':'a'}", "json"),
    "a comment": (GOOD + b"} // no", "json"),
    "a key that is a number": (b"{1:2}", "json"),
    "an array": (b'[{"article_id":"a","content":"c"}]', "object"),
    "a string": (b'"article"', "object"),
    "a number": (b"1", "object"),
    "null": (b"null", "object"),
    "an empty object": (b"{}", "missing"),
    "no id": (b'{"content":"c"}', "missing"),
    "no content": (b'{"article_id":"a"}', "missing"),
    "another case": (b'{"Article_ID":"a","content":"c"}', "missing"),
    "a null id": (b'{"article_id":null,"content":"c"}', "null"),
    "null content": (b'{"article_id":"a","content": null }', "null"),
    "an empty id": (b'{"article_id":"","content":"c"}', "empty-field"),
    "empty content": (b'{"article_id":"a","content":""}', "empty-field"),
    "a number as id": (b'{"article_id":1,"content":"c"}', "type"),
    "a list as content": (b'{"article_id":"a","content":["c"]}', "type"),
    "an object as title": (also(b'"title":{}'), "type"),
    "a boolean as author": (also(b'"author":true'), "type"),
    "a number as date": (also(b'"publish_date":20250615'), "type"),
    "NaN as content": (b'{"article_id":"a","content":NaN}', "json"),
    "a key twice": (also(b'"content":"d"'), "duplicate-key"),
    "a key twice, once escaped": (also(b'"\\u0063ontent":"d"'), "duplicate-key"),
    "an unknown key twice": (also(b'"x":1,"x":1'), "duplicate-key"),
    "NaN": (also(b'"x":NaN'), "json"),
    "Infinity": (also(b'"x":-Infinity'), "json"),
    "1e999": (also(b'"x":1e999'), "number"),
    "1e999 inside": (also(b'"x":[{"y":-1e999}]'), "number"),
    "an integer of 5,000 digits": (also(b'"x":' + b"9" * 5000), "number"),
    "100,000 levels": (also(b'"x":' + nested(100_000)), "depth"),
    "100,000 levels of objects": (also(b'"x":' + b'{"y":' * 100_000 + b"1" + b"}" * 100_000), "depth"),
    "100,000 levels as content": (b'{"article_id":"a","content":' + nested(100_000) + b"}", "depth"),
    "100,000 open brackets": (b'{"article_id":' + b"[" * 100_000, "depth"),
    "a lone high surrogate": (b'{"article_id":"a","content":"\\ud800"}', "json"),
    "a lone low surrogate": (b'{"article_id":"a","content":"\\udc00"}', "json"),
    "a lone surrogate in a title": (also(b'"title":"\\ud83d!"'), "json"),
    "a lone surrogate in an unknown field": (also(b'"x":"\\ud800"'), "json"),
    "a lone surrogate in a key": (also(b'"\\udfff":1'), "json"),
    "a control character": (b'{"article_id":"a","content":"a\x01b"}', "json"),
    "a line break in a string": (b'{"article_id":"a","content":"a\nb"}', "json"),
    "an unknown escape": (b'{"article_id":"a","content":"\\x41"}', "json"),
    "gzip that is cut short": (gzip.compress(GOOD + b"}")[:-9], "compressed"),
    "a gzip bomb": (gzip.compress(bytes(1 << 23)), "compressed"),
    "a zstd bomb": (zstd.compress(bytes(1 << 23)), "compressed"),
    "zstd that is cut short": (zstd.compress(GOOD + b"}")[:-1], "compressed"),
}
