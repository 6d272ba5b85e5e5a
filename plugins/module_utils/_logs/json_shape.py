# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes of JSON lines: expressions that match exactly the lines with the same members in the same order.

A shape is made from one line. Whatever it matches is valid JSON, as it spells out every member. The wanted values are
its groups, and are simple enough to be used without unescaping. Lines that are not so simple have no shape.
"""

from __future__ import annotations

import re
import sys
from typing import Any, NamedTuple, Optional

from .fields import HTTP_STATUS, ROLES, Columns, Fields
from .times import ISO_MOMENT, iso_shape

# What follows a repetition is never in it, so no shorter one needs to be tried: saves a tenth, since Python 3.11.
_ALL = b"+" if sys.version_info >= (3, 11) else b""
_PLAIN = rb'[^"\\\x00-\x1f]*' + _ALL
_STRING = b'"' + _PLAIN + b'"'
_ESCAPES = rb'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*"'
# Alternatives and optional parts are expensive: an expression has only those that its line required.
_INTEGER = rb"-?(?!0[0-9])[0-9]+" + _ALL
_DECIMAL = _INTEGER + rb"(?:\.[0-9]+" + _ALL + b")?"
_NUMBER = _DECIMAL + rb"(?:[eE][+-]?[0-9]+)?"
_HTTP_STATUS = HTTP_STATUS.pattern.encode("ascii")
_NO_STATUS = {"string": b'(?!"' + _HTTP_STATUS + b'")', "number": b"(?!" + _HTTP_STATUS + rb"[\s,}])"}
_SPACE = rb"[ \t\r]*" + _ALL
_LITERAL = rb"(?:true|false|null)"
_ANY = b"(?:" + b"|".join((_STRING, _NUMBER, _LITERAL)) + b")"

_TOKEN = re.compile(
    b"("
    + _SPACE
    + b")(?:(?P<punctuation>[][{}:,])|(?P<string>"
    + _ESCAPES
    + b")|(?P<number>"
    + _NUMBER
    + b")|(?P<literal>"
    + _LITERAL
    + b"))"
)
_LONGEST = 64 << 10  # maximum size in bytes of a line that is worth a shape
_DEEPEST = 8


class _NoShape(Exception):
    """The line has no shape."""


class Shape(NamedTuple):
    """An expression for `split`, and the roles of its groups in order."""

    expression: re.Pattern[bytes]
    roles: tuple[str, ...]
    iso: bool
    unit: float

    def take(self, data: bytes) -> tuple[Columns, bytes]:
        """The values of the lines of this shape, and the other lines; each line with the newline before it."""
        parts = self.expression.split(data)
        width = len(self.roles) + 1
        if len(parts) == 1:
            return Columns(0), data
        lists: dict[str, Any] = {role: parts[number + 1 :: width] for number, role in enumerate(self.roles)}
        rest = parts[0::width]
        return Columns(len(rest) - 1, iso=self.iso, unit=self.unit, **lists), b"".join(rest)


def shape_of(line: bytes, fields: Fields) -> Optional[Shape]:
    """The shape of a valid line; None if it has none."""
    if len(line) > _LONGEST:
        return None
    try:
        return _Reader(line, fields).shape()
    except (_NoShape, re.error):
        return None


class _Member(NamedTuple):
    """A value: its path, and its position in the expression."""

    path: str
    kind: str
    text: bytes
    place: int


class _Reader:
    """Reads one line and writes the expression in the same pass."""

    def __init__(self, line: bytes, fields: Fields) -> None:
        self._line = line
        self._fields = fields
        self._at = 0
        self._pieces: list[bytes] = []
        self._members: list[_Member] = []
        self._refused: list[
            _Member
        ] = []  # values that are not a status; a line in which one of them is has another shape

    def shape(self) -> Shape:
        kind, _text = self._next()
        if kind != "{":
            raise _NoShape
        self._object("", 1)
        if self._line[self._at :].strip(b" \t\r"):
            raise _NoShape
        found = self._pick()
        iso, unit = False, 1.0
        for role, member in found.items():
            only_http = role == "status" and len(self._fields.names[role]) > 1
            self._pieces[member.place], is_iso = _status(member) if only_http else _group(role, member)
            iso = iso or is_iso
            if role == "duration":
                unit = self._fields.unit(member.path)
        for member in self._refused:
            self._pieces[member.place] = _NO_STATUS.get(member.kind, b"") + self._pieces[member.place]
        places = sorted(found, key=lambda role: found[role].place)
        # The newline before a line is the literal by which the next line is found.
        expression = b"\\n" + b"".join(self._pieces) + _SPACE + b"(?=\\n)"
        return Shape(re.compile(expression), tuple(places), iso, unit)

    def _pick(self) -> dict[str, _Member]:
        """The members that are used, chosen as in Fields.pick."""
        by_path: dict[str, _Member] = {}
        for member in self._members:
            if member.path in by_path:
                raise _NoShape  # duplicate, or a.b as a name and as a path
            by_path[member.path] = member
        found = {}
        for role in ROLES:
            for name in self._fields.names[role]:
                wanted = by_path.get(name)
                if wanted is None or wanted.kind in ("null", "container"):
                    continue
                if self._takes(role, wanted):
                    found[role] = wanted
                    break
                if b"\\" in wanted.text:
                    raise _NoShape
                self._refused.append(wanted)
        places = [member.place for member in found.values()]
        if len(set(places)) != len(places):
            raise _NoShape  # one field for two roles
        return found

    def _takes(self, role: str, member: _Member) -> bool:
        text = member.text[1:-1] if member.kind == "string" else member.text
        return self._fields.takes(role, member.kind, text.decode("utf-8", "replace"))

    def _next(self) -> tuple[str, bytes]:
        match = _TOKEN.match(self._line, self._at)
        if match is None:
            raise _NoShape
        self._at = match.end()
        self._pieces.append(re.escape(match[1]))
        kind = match.lastgroup or ""
        text = match[kind]
        if kind == "punctuation":
            self._pieces.append(re.escape(text))
            return text.decode("ascii"), text
        return (text.decode("ascii") if kind == "literal" else kind), text

    def _object(self, prefix: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise _NoShape
        kind, text = self._next()
        while kind != "}":
            if kind != "string" or b"\\" in text:
                raise _NoShape
            self._pieces.append(re.escape(text))
            if self._next()[0] != ":":
                raise _NoShape
            self._value(prefix + text[1:-1].decode("utf-8", "replace"), depth)
            kind, text = self._next()
            if kind == ",":
                kind, text = self._next()
                if kind != "string":
                    raise _NoShape
            elif kind != "}":
                raise _NoShape

    def _value(self, path: str, depth: int) -> None:
        kind, text = self._next()
        place = len(self._pieces)
        if kind == "{":
            self._members.append(_Member(path, "container", b"", -1))
            self._object(path + ".", depth + 1)
        elif kind == "[":
            self._members.append(_Member(path, "container", b"", -1))
            self._array()
        elif kind in ("string", "number", "true", "false", "null"):
            self._members.append(_Member(path, kind, text, place))
            self._pieces.append(_pattern(kind, text))
        else:
            raise _NoShape

    def _array(self) -> None:
        """Any number of simple values."""
        self._pieces.pop()
        kinds, kind = set(), self._skip()
        while kind != "]":
            if kind not in ("string", "number", "true", "false", "null"):
                raise _NoShape
            kinds.add(kind)
            kind = self._skip()
            if kind == ",":
                kind = self._skip()
                if kind == "]":
                    raise _NoShape
            elif kind != "]":
                raise _NoShape
        one = {"string": _STRING, "number": _NUMBER}.get(kinds.pop(), _ANY) if len(kinds) == 1 else _ANY
        comma = _SPACE + b"," + _SPACE
        self._pieces.append(rb"\[" + _SPACE + b"(?:" + one + b"(?:" + comma + one + b")*" + _SPACE + rb")?\]")

    def _skip(self) -> str:
        """The next token, which is not part of the expression."""
        length = len(self._pieces)
        kind, _text = self._next()
        del self._pieces[length:]
        return kind


def _pattern(kind: str, text: bytes) -> bytes:
    if kind == "string":
        return _ESCAPES if b"\\" in text else _STRING
    if kind == "number":
        return _number(text)
    return b"null" if kind == "null" else b"(?:true|false)"


def _group(role: str, member: _Member) -> tuple[bytes, bool]:
    """The expression of a wanted value, and whether it is an ISO 8601 time."""
    if member.kind == "string":
        if b"\\" in member.text:
            raise _NoShape
        inner = member.text[1:-1]
        iso = iso_shape(inner) if role == "time" else None
        if iso:
            separator, fraction, offset = (re.escape(part.decode("ascii")) for part in iso)
            digits = fraction + "[0-9]+" if fraction else ""
            return f'"({ISO_MOMENT % separator}{digits}{offset})"'.encode("ascii"), True
        return b'"(' + _PLAIN + b')"', False
    return b"(" + (_number(member.text) if member.kind == "number" else b"true|false") + b")", False


def _status(member: _Member) -> tuple[bytes, bool]:
    quote = b'"' if member.kind == "string" else b""
    return quote + b"(" + _HTTP_STATUS + b")" + quote, False


def _number(text: bytes) -> bytes:
    if b"e" in text or b"E" in text:
        return _NUMBER
    return _DECIMAL if b"." in text else _INTEGER
