"""JSON as RFC 8259 has it, read by hand: what the consumer's decoder is held against.

Written apart from it and from `json`, whose Python form takes digits of other scripts and blanks inside an escape; and
in Python, so that a fuzzer that looks at coverage learns the grammar.
"""

from __future__ import annotations

import re
from typing import Final

DEEPEST: Final = 150
"""Levels that the reference follows; the decoder's own bound is somewhere above, wherever the stack ends."""
DIGITS: Final = 4300
"""Python's bound on the digits of an integer."""

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]*')
_HEX: Final = re.compile(r"[0-9a-fA-F]{4}", re.ASCII)
_ESCAPES: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS: Final = {"true": True, "false": False, "null": None}

Value = None | bool | int | float | str | list["Value"] | list[tuple[str, "Value", str]]
"""An object is a list of its members: name, value and the value's very text."""


class NotJson(ValueError):
    pass


class TooDeep(ValueError):
    pass


class Reader:
    """Reads one text; `too_large` says whether a number in it does not fit."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.too_large: list[int] = []
        """Where numbers stand that do not fit."""

    def read(self) -> Value:
        """Raises NotJson, or TooDeep for what is nested further than `DEEPEST`."""
        value, at = self._value(self._blank(0), 0)
        if self._blank(at) != len(self._text):
            raise NotJson("more after the value")
        return value

    def _value(self, at: int, depth: int) -> tuple[Value, int]:
        if depth > DEEPEST:
            raise TooDeep
        sign = self._text[at : at + 1]
        if sign == '"':
            return self._string(at + 1)
        if sign == "{":
            return self._object(at + 1, depth)
        if sign == "[":
            return self._array(at + 1, depth)
        for word, value in _WORDS.items():
            if self._text.startswith(word, at):
                return value, at + len(word)
        return self._number(at)

    def _object(self, at: int, depth: int) -> tuple[list[tuple[str, Value, str]], int]:
        members: list[tuple[str, Value, str]] = []
        at = self._blank(at)
        if self._text[at : at + 1] == "}":
            return members, at + 1
        while True:
            name, at = self._string(self._after('"', at))
            at = self._blank(self._after(":", self._blank(at)))
            value, end = self._value(at, depth + 1)
            members.append((name, value, self._text[at:end]))
            at = self._blank(end)
            if self._text[at : at + 1] == "}":
                return members, at + 1
            at = self._blank(self._after(",", at))

    def _array(self, at: int, depth: int) -> tuple[list[Value], int]:
        items: list[Value] = []
        at = self._blank(at)
        if self._text[at : at + 1] == "]":
            return items, at + 1
        while True:
            item, at = self._value(at, depth + 1)
            items.append(item)
            at = self._blank(at)
            if self._text[at : at + 1] == "]":
                return items, at + 1
            at = self._blank(self._after(",", at))

    def _string(self, at: int) -> tuple[str, int]:
        parts: list[str] = []
        while True:
            plain = _PLAIN.match(self._text, at)
            assert plain
            parts.append(plain.group())
            sign, at = self._text[plain.end() : plain.end() + 1], plain.end() + 1
            if sign == '"':
                return "".join(parts), at
            if sign != "\\":
                raise NotJson("a control character, or the end, inside a string")
            part, at = self._escape(at)
            parts.append(part)

    def _escape(self, at: int) -> tuple[str, int]:
        sign = self._text[at : at + 1]
        if sign in _ESCAPES:
            return _ESCAPES[sign], at + 1
        unit, at = self._unit(at)
        if 0xD800 <= unit < 0xDC00:
            low, at = self._unit(self._after("\\", at))
            if not 0xDC00 <= low < 0xE000:
                raise NotJson("half a surrogate pair")
            return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)), at
        if 0xDC00 <= unit < 0xE000:
            raise NotJson("half a surrogate pair")
        return chr(unit), at

    def _unit(self, at: int) -> tuple[int, int]:
        found = _HEX.match(self._text, self._after("u", at))
        if not found:
            raise NotJson("not an escape")
        return int(found.group(), 16), found.end()

    def _number(self, at: int) -> tuple[Value, int]:
        found = _NUMBER.match(self._text, at)
        if not found:
            raise NotJson("not a value")
        text = found.group()
        if not found.group(1) and not found.group(2):
            if len(text.lstrip("-")) > DIGITS:
                self.too_large.append(at)
                return 0, found.end()
            return int(text), found.end()
        value = float(text)
        if value in (float("inf"), float("-inf")):
            self.too_large.append(at)
        return value, found.end()

    def _blank(self, at: int) -> int:
        found = _BLANK.match(self._text, at)
        assert found
        return found.end()

    def _after(self, sign: str, at: int) -> int:
        if self._text[at : at + 1] != sign:
            raise NotJson(f"no {sign}")
        return at + 1
