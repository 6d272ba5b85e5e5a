# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads JSON documents of any size with a few megabytes of memory.

A document is valid if json.loads of Python accepts it: JSON, NaN, Infinity and -Infinity. In addition, integers may
have any number of digits, and values may be nested a million deep. The bytes must be UTF-8; a byte order mark at the
start is accepted and kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Optional

from ..._core.errors import SourceError
from ..._core.tagged_json import integer, may_be_tagged, real, untag
from .document import Document, Member
from .doubles import Doubles
from .tokens import LONGEST_CONSTANT, Tokens
from .window import Read

# How much of a document is in memory: as much as a processor's caches hold with what is made of it, which may be up to
# 50 times as much (lists of empty lists).
WINDOW = 256 * 1024

# A document with more top-level keys, or longer names, is one collection whose records these keys are.
MOST_NAMES = 10_000
ALL_NAMES = 1024 * 1024  # characters, all names together
LONGEST_NAME = 64 * 1024

DEEPEST = 1_000_000

# Failed attempts to parse in one go may look at this many times the bytes that were read. Going token by token is
# about this much slower, so that the worst document costs about as much as one that never parses in one go.
_PATIENCE = 16
_ATTEMPTS = 3
_MANY = 1000  # a collection of more members is worth attempts to read a window of them in one go

_CLOSING = {"[": "]", "{": "}"}
_KINDS = {"[": "list", "{": "mapping"}
_BRACKETS = {"list": "[", "mapping": "{"}
Found = tuple[Sequence[Optional[str]], list[Any]]  # keys (None in a list), and their values

_AFTER = re.compile(r"[ \t\n\r]*[,\]}]")
_NEXT = {
    "]": re.compile(r"[ \t\n\r]*,[ \t\n\r]*"),
    "}": re.compile(r'[ \t\n\r]*,[ \t\n\r]*"([^"\\\x00-\x1f]*)"[ \t\n\r]*:[ \t\n\r]*'),
}

# Only where a value ends is of interest: `len` spares the conversion, and its limit on digits.
_decode = json.JSONDecoder(parse_int=len, parse_float=len).scan_once  # type: ignore[attr-defined]
# A mapping is then how many members it has, equal keys included.
_count = json.JSONDecoder(object_pairs_hook=len, parse_int=len, parse_float=len).decode


def scan(read: Read, path: str, name: str, listed: bool = True, doubles: Optional[Doubles] = None) -> Document:
    """Validate a whole document and describe its content.

    :param read: returns at most that many bytes, b"" at the end.
    :param path: of the document, for errors.
    :param name: of the collection that a top-level list is.
    :param listed: list the members of a top-level mapping; otherwise, it is a single collection as well.
    :param doubles: collects names that a mapping has more than once.
    :raises SourceError: it is not valid; with line, column and byte offset.
    """
    return _Scanner(read, path, WINDOW, doubles).document(name, listed)


def whole(  # noqa: PLR0917 all of a place
    data: bytes, kind: str, members: int, first: bool, last: bool, tags: bool = False
) -> Optional[Found]:
    """The keys and records between two marks, read at once, as `records` returns them. None if only `records` can read
    them.

    :param first: whether the collection begins here.
    :param last: whether it ends here.
    :param tags: whether tags stand for values that JSON lacks.
    """
    try:
        start, opening = (0, b"") if first else (data.index(b",") + 1, _BRACKETS[kind].encode())
        closing = b"" if last else _CLOSING[_BRACKETS[kind]].encode()
        text = b"".join((opening, memoryview(data)[start:], closing)).decode()
        found = _fast(text)
    except (ValueError, ArithmeticError, RecursionError):
        return None
    # of equal keys a mapping has only the last
    if len(found) != members:
        return None
    keys, values = (list(found), list(found.values())) if kind == "mapping" else ([None] * members, found)
    return keys, list(map(untag, values)) if tags and may_be_tagged(text) else values


def records(read: Read, path: str, inside: str = "", tags: bool = False) -> Iterator[tuple[Optional[str], Any]]:
    """The records of one collection in order, each with its key (None in a list).

    An integer of more than 4300 digits, and a number that a float would round, is a Decimal.

    :param read: as for `scan`, beginning at the first byte of the collection (`Member.start`), or at one of its marks.
    :param inside: at a mark, the kind of the collection.
    :param tags: whether tags stand for values that JSON lacks.
    :raises SourceError: the document is not valid, or a record does not fit into memory.
    """
    return _Scanner(read, path, 16 * WINDOW).records(inside, tags)


class _Scanner(Tokens):
    """Reads a document. Methods take a position in `text` and return the one after what they have read."""

    _untagged = True  # no mapping stands for anything else
    _wasted = 0  # bytes that failed attempts to parse in one go have looked at
    _clear = _ATTEMPTS  # how often it may be unclear where the members of a collection end

    def __init__(self, read: Read, path: str, size: int, doubles: Optional[Doubles] = None) -> None:
        super().__init__(read, path, size)
        self._doubles = doubles
        self._decode = _decode if doubles is None else doubles.decode
        self._count = _count if doubles is None else doubles.count
        self._marks: list[tuple[int, int]] = []  # see Member

    def document(self, name: str, listed: bool) -> Document:
        pos = self._begin()
        start = self.offset + pos
        members: Optional[tuple[Member, ...]] = None
        marks: tuple[tuple[int, int], ...] = ()
        if listed and self.text[pos] == "{":
            kind = "mapping"
            members, count, pos = self._top_level(pos + 1)
        else:
            kind, count, pos = self._value(pos)
            marks = tuple(self._marks)
        self._settle(name)
        root = Member(name, kind, count, start, start, start, self.offset + pos, marks)
        self.within = ""
        pos = self.space(pos)
        if pos < len(self.text):
            raise self.error(pos, "the end of the document")
        return Document(root, members)

    def _settle(self, collection: str) -> None:
        if self._doubles is not None:
            self._doubles.settle(collection)

    def records(self, inside: str, tags: bool) -> Iterator[tuple[Optional[str], Any]]:
        self._untagged = not tags
        pos = self._begin()
        closing = {"": _CLOSING.get(self.text[pos]), "list": "]", "mapping": "}"}[inside]
        if closing is None:
            raise self.error(pos, "a list or mapping")
        first, key = not inside, None
        pos += 1 if first else 0
        while True:
            pos = self.space(pos)
            if self.text[pos : pos + 1] == closing:
                return
            if not first:
                pos = self.comma(pos, closing)
            if closing == "}":
                if self.text[pos : pos + 1] != '"':
                    raise self.error(pos, "a key in double quotes")
                key, pos = self._parse(pos)
                pos = self.colon(pos)
            record, pos = self._parse(pos)
            yield key, record if self._untagged else untag(record)
            first = False

    def _begin(self) -> int:
        """Read to the first character of the document that is not white space."""
        self.advance(0)
        if not self.text:
            raise SourceError(f"{self.path} is empty.", "Set path to the file with the data of the application.")
        pos = self.space(3 if self.text.startswith("\xef\xbb\xbf") else 0)
        if pos == len(self.text):
            raise SourceError(
                f"{self.path} contains only white space.", "Set path to the file with the data of the application."
            )
        return pos

    def _top_level(self, pos: int) -> tuple[Optional[tuple[Member, ...]], int, int]:
        """The members of a top-level mapping (None if there are too many), their number, and the position after it."""
        members: list[Member] = []
        room = ALL_NAMES
        lead = self.offset + pos
        pos = self.space(pos)
        if self.text[pos : pos + 1] == "}":
            return tuple(members), len(members), pos + 1
        while True:
            key = self.offset + pos
            name, pos = self._name(pos)
            room -= LONGEST_NAME if name is None else len(name)
            self.within = "" if name is None else f", in key {json.dumps(name[:80])}"
            pos = self.colon(pos)
            start = self.offset + pos
            self._marks, self._clear = [], _ATTEMPTS
            kind, count, pos = self._value(pos)
            marks = tuple(self._marks)
            if name is not None:
                self._settle(name)
            if name is None or room < 0 or len(members) == MOST_NAMES:
                self.within = ""
                more, pos = self._members(pos, "}", first=False)
                return None, len(members) + 1 + more, pos
            members.append(Member(name, kind, count, lead, key, start, self.offset + pos, marks))
            pos = self.space(pos)
            if self.text[pos : pos + 1] == "}":
                return tuple(members), len(members), pos + 1
            lead = self.offset + pos + 1
            pos = self.comma(pos, "}")

    def _name(self, pos: int) -> tuple[Optional[str], int]:
        """A top-level key; None if it is too long for a name."""
        pos = self.need(pos, LONGEST_NAME + len("\\u0000"))
        token = self.offset + pos
        end = self.key(pos)
        if self.offset + end - token > LONGEST_NAME or self.offset > token:
            return None, end
        name = json.loads(_utf8(self.text[pos:end]))
        # A name must be printable: \ud800 stays as it is written.
        return name.encode("utf-8", "backslashreplace").decode("utf-8"), end

    def _value(self, pos: int) -> tuple[str, int, int]:
        """A value: its kind, its number of members, and the position after it."""
        pos = self.need(pos, LONGEST_CONSTANT)
        bracket = self.text[pos : pos + 1]
        if bracket not in _CLOSING:
            return "value", 0, self.scalar(pos)
        count, pos = self._members(pos + 1, _CLOSING[bracket], first=True)
        return _KINDS[bracket], count, pos

    def _members(self, pos: int, closing: str, first: bool) -> tuple[int, int]:
        """Read a list or mapping to its end, from inside it.

        Returns the number of members, and the position after the closing bracket.

        :param first: whether nothing of it was read so far.
        """
        count = 0
        stack = bytearray(closing, "ascii")  # the closing brackets of what is open: a byte a level
        while stack:
            closing = chr(stack[-1])
            if not first:
                if len(stack) > 1 or count < _MANY or not self._clear:
                    pos, whole = self._whole_members(pos, closing)
                else:
                    pos, whole = self._window_of_members(pos, closing)
                if len(stack) == 1:
                    count += whole
                    if self.offset + pos - (self._marks[-1][0] if self._marks else 0) >= WINDOW // 2:
                        self._marks.append((self.offset + pos, count))
            pos = self.space(pos)
            if self.text[pos : pos + 1] == closing:
                pos, first = pos + 1, False
                stack.pop()
                continue
            if not first:
                pos = self.comma(pos, closing)
            if closing == "}":
                pos = self.colon(self.key(pos))
            count += 1 if len(stack) == 1 else 0
            pos, first = self.need(pos, LONGEST_CONSTANT), False
            if self.text[pos : pos + 1] not in _CLOSING:
                pos = self.scalar(pos)
                continue
            pos, done = self._whole(pos)
            if not done:
                if len(stack) == DEEPEST:
                    raise SourceError(f"{self.path} is nested more than {DEEPEST} levels deep {self.place(pos)}.")
                stack.append(ord(_CLOSING[self.text[pos]]))
                pos, first = pos + 1, True
        return count, pos

    def _whole_members(self, pos: int, closing: str) -> tuple[int, int]:
        """Read on from the end of one member to the end of another, as far as the window contains whole ones.

        Returns the position, and the number of members. Errors are left for others to find.
        """
        if self._impatient(pos):
            return pos, 0
        text, following = self.text, _NEXT[closing].match
        count, known = 0, pos
        while True:
            match = following(text, pos)
            if match is None:
                # The window may have cut 1.5 after the 1: it counts once something follows.
                if count and not _AFTER.match(text, pos):
                    return known, count - 1
                return pos, count
            known = pos
            try:
                pos = self._attempt(text, match.end())
            except (StopIteration, ValueError, RecursionError):
                self._wasted += len(text) - match.end()
                return known, count
            count += 1

    def _window_of_members(self, pos: int, closing: str) -> tuple[int, int]:
        """As `_whole_members`, for many members at once: up to the last place that looks like the boundary between two
        of them.

        It is a boundary if everything before it is valid.
        """
        text = self.text
        match = _NEXT[closing].match(text, pos)
        start = (match.start(1) - 1 if closing == "}" else match.end()) if match else 0
        cut = text.rfind(text[pos - 1 : start + 1], start) if match and text[pos - 1 : pos] in ("}", "]") else 0
        if cut > start:
            opening = "{" if closing == "}" else "["
            try:
                if self._doubles is not None:
                    self._doubles.begin()
                found = self._count("".join((opening, text[start : cut + 1], closing)))
            except (ValueError, RecursionError) as exc:
                self._wasted += getattr(exc, "pos", cut - start)
                self._clear -= 1
            else:
                if self._doubles is not None:
                    self._doubles.keep(within=closing == "}")
                return cut + 1, found if closing == "}" else len(found)
        return self._whole_members(pos, closing)

    def _whole(self, pos: int) -> tuple[int, bool]:
        """Read a list or mapping at once, if it is valid and fits into the window. Otherwise the position stays before
        it.
        """
        while not self._impatient(pos):
            try:
                return self._attempt(self.text, pos), True
            except (StopIteration, ValueError, RecursionError):
                self._wasted += len(self.text) - pos
            if pos == 0 or self.ended:
                break
            pos = self.advance(pos)
        return pos, False

    def _attempt(self, text: str, pos: int) -> int:
        """Read a value at once. Raises StopIteration, ValueError or RecursionError."""
        if self._doubles is None:
            return int(self._decode(text, pos)[1])
        self._doubles.begin()
        end = int(self._decode(text, pos)[1])
        self._doubles.keep()
        return end

    def _impatient(self, pos: int) -> bool:
        return self._wasted > _PATIENCE * (self.offset + pos + WINDOW)

    def _parse(self, pos: int) -> tuple[Any, int]:
        """A key or record, and the position after it."""
        while True:
            try:
                value, end = _RECORD.raw_decode(self.text, pos)
            except (ValueError, ArithmeticError, RecursionError):
                pass
            else:
                # A number that the window cuts looks whole until something follows it.
                if self.ended or len(self.text) - end > LONGEST_CONSTANT:
                    raw = self.text[pos:end]
                    return (value if raw.isascii() else _RECORD.decode(_utf8(raw))), end
            if pos == 0 or self.ended:
                break
            pos = self.advance(pos)
        place = self.place(pos)
        self._value(pos)  # says what is wrong, if something is
        raise SourceError(
            f"{self.path}: the record {place} can't be read: it is too large, nested too deeply, or contains an "
            "oversized number."
        )


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode("utf-8")


_RECORD = json.JSONDecoder(parse_int=integer, parse_float=real)
_fast = json.JSONDecoder(parse_float=real).decode
