# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Determines the kind of each field of a collection from all of its records, and whether a value has a kind."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple, Optional

from ..._core.record_batches import Layout
from ..._core.records import exact, is_finite
from ..._core.tagged_json import encode as encode_json
from .model import (
    BOOLEAN,
    BYTES,
    DATE,
    DECIMAL,
    INTEGER,
    JSON,
    REAL,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    Field,
    Refused,
    is_unicode,
)

_EXACT = 2**53  # integers up to here are exact in a float
_LARGEST = 2**63
_BIG = "big"  # an integer that only a decimal holds
_WIDE = "wide"  # an integer that a float would round
_ENDLESS = "endless"  # text that may be a time
_INFINITE = "infinite"  # a float
NO_UNICODE, NUL = "text that is not Unicode", "text with a NUL"  # which not every database takes
_TIMES = (TIMESTAMP, TIMESTAMPTZ, DATE)
_BEYOND_JSON = frozenset((BYTES, *_TIMES, _INFINITE))
# The times that Python has no object for, in PostgreSQL's words: infinite, before the year 1, after 9999.
_BEYOND = re.compile(
    r"-?infinity|(?:\d{5,}-\d\d-\d\d%s|\d{4,}-\d\d-\d\d%s BC)"
    % ((r"(?: \d\d:\d\d:\d\d(?:\.\d+)?(?:[+-]\d\d(?::\d\d){0,2})?)?",) * 2)
)
_KINDS: dict[Any, str] = {bool: BOOLEAN, str: TEXT, bytes: BYTES, Decimal: DECIMAL, date: DATE}


class Kinds:
    """Collects the kinds of values by field."""

    def __init__(self) -> None:
        self._seen: dict[str, set[str]] = {}
        self._records = 0
        self._having: Counter[str] = Counter()  # records that have a field, also if it is null

    def see(self, found: Iterable[Layout]) -> None:
        for names, columns in found:
            count = len(columns[0])
            self._records += count
            for name, column in zip(names, columns):
                self._seen.setdefault(name, set()).update(_kinds_of(column))
                self._having[name] += count

    def add(self, other: Kinds) -> None:
        """Add the kinds of another part of the records."""
        for name, kinds in other._seen.items():
            self._seen.setdefault(name, set()).update(kinds)
        self._records += other._records
        self._having.update(other._having)

    def null(self) -> set[str]:
        """The fields that are null in some record."""
        return {name for name, kinds in self._seen.items() if "" in kinds}

    def gaps(self) -> set[str]:
        """The fields that some record lacks."""
        return {name for name, count in self._having.items() if count < self._records}

    def beyond_json(self) -> tuple[frozenset[str], frozenset[str]]:
        """The fields whose values JSON lacks, or may contain such values; first those that also have text."""
        beyond = {name for name, kinds in self._seen.items() if kinds & {*_BEYOND_JSON, DECIMAL, JSON}}
        texts = {TEXT, NO_UNICODE, NUL}
        mixed = {name for name in beyond if texts & self._seen[name] and self._seen[name] & _BEYOND_JSON}
        mixed.update(name for name in beyond if len(self._seen[name] & {BYTES, TIMESTAMP, TIMESTAMPTZ, DATE}) > 1)
        return frozenset(mixed), frozenset(beyond)

    def mixed(self) -> set[str]:
        """The fields whose values have nothing in common except that JSON can represent them."""
        return {name for name, kinds in self._seen.items() if JSON not in kinds and combined(kinds - {""}) == JSON}

    def by_name(self) -> dict[str, frozenset[str]]:
        """The kinds of the values of each field."""
        return {name: frozenset(kinds - {""}) for name, kinds in self._seen.items()}

    def odd_text(self) -> dict[str, frozenset[str]]:
        """The fields with text that not every database accepts, and the reason."""
        found = {name: frozenset(kinds & {NO_UNICODE, NUL}) for name, kinds in self._seen.items()}
        return {name: kinds for name, kinds in found.items() if kinds}

    def sole(self, name: str) -> Optional[str]:
        """The kind of all values of a field: text, or integer of at most 64 bits; "" if there are none; None for
        others.
        """
        kinds = self._seen.get(name, set()) - {""}
        if not kinds:
            return ""
        if kinds <= {INTEGER, _WIDE}:
            return INTEGER
        return TEXT if kinds == {TEXT} else None

    def fields(self) -> tuple[Field, ...]:
        """The fields in the order of their first appearance."""
        return tuple(Field(name, combined(kinds - {""})) for name, kinds in self._seen.items())


class Summary(NamedTuple):
    """The result of reading a whole collection.

    :param digest: the sum of the digests of the records.
    :param plain: whether it is known that no text has a tab, a line end, a backslash or a NUL.
    """

    records: int
    digest: int
    kinds: Kinds
    plain: bool = False


def kind_of(value: Any) -> str:
    """The kind of one value; "" for null."""
    if value is None:
        return ""
    kind: Any = type(value)
    if kind is int:
        if -_EXACT <= value <= _EXACT:
            return INTEGER
        return _WIDE if -_LARGEST <= value < _LARGEST else _BIG
    if kind is float:
        return DECIMAL if math.isnan(value) else _INFINITE if math.isinf(value) else REAL
    if kind is str:
        return _text_kind(value)
    if kind is datetime:
        return TIMESTAMP if value.tzinfo is None else TIMESTAMPTZ
    return _KINDS.get(kind, JSON)


def is_beyond(text: str) -> bool:
    """Whether it is a time, as PostgreSQL writes it, for which Python has no object."""
    return _BEYOND.fullmatch(text) is not None


def _text_kind(text: str) -> str:
    if _BEYOND.fullmatch(text):
        return _ENDLESS
    if "\0" in text:
        return NUL
    return TEXT if is_unicode(text) else NO_UNICODE


def _kinds_of(column: Sequence[Any]) -> set[str]:
    types = set(map(type, column))
    if len(types) == 1:
        (kind,) = types
        if kind is int and min(column) >= -_EXACT and max(column) <= _EXACT:
            return {INTEGER}
        if kind is float and math.isfinite(sum(column)):
            return {REAL}
        if kind is str and not is_usual("".join(column)):
            return set(map(kind_of, column))
        if kind not in (int, float, datetime) and kind_of(column[0]) != _ENDLESS:
            return {kind_of(column[0])}
    return set(map(kind_of, column))


def combined(kinds: set[str]) -> str:
    """The kind that can represent values of all these kinds."""
    if _INFINITE in kinds:
        return combined(kinds - {_INFINITE} | {REAL})
    if _ENDLESS in kinds:
        others = kinds - {_ENDLESS}
        return next(iter(others)) if len(others) == 1 and others <= {*_TIMES} else combined(others | {TEXT})
    if kinds & {NO_UNICODE, NUL}:
        return combined(kinds - {NO_UNICODE, NUL} | {TEXT})
    if not kinds:
        return TEXT
    if len(kinds) == 1 and not kinds & {_BIG, _WIDE}:
        return next(iter(kinds))
    if kinds <= {INTEGER, _WIDE}:
        return INTEGER
    if kinds <= {INTEGER, REAL}:
        return REAL
    return DECIMAL if kinds <= {INTEGER, REAL, _BIG, _WIDE, DECIMAL} else JSON


def is_usual(text: str) -> bool:
    """Whether every database accepts this text."""
    return "\0" not in text and is_unicode(text)


def absent(field: Field) -> Optional[str]:
    """The value of a column whose record has none: NULL, or null of JSON if the column must not be NULL."""
    return "null" if field.kind == JSON and field.required else None


def fitted(field: Field, value: Any) -> Any:
    """The value as its kind represents it, equal to the original: int, float, Decimal, str, bytes, bool, datetime, date
    (or the text of one that Python lacks); JSON text for the kind `json`.

    :raises Refused: the value is not of that kind.
    """
    kind = field.kind
    if kind == JSON:
        return encode_json(value)
    if value.__class__ is _TYPES[kind] and kind not in (TIMESTAMP, TIMESTAMPTZ, INTEGER):
        return value
    number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    if kind == INTEGER and number and _integral(value) and -_LARGEST <= value < _LARGEST:
        return int(value)
    if kind == DECIMAL and number:
        return exact(value)
    if kind == REAL and number and _exact(value):
        return float(value)
    if isinstance(value, datetime) and kind == (TIMESTAMP if value.tzinfo is None else TIMESTAMPTZ):
        return value
    if kind in _TIMES and isinstance(value, str) and _BEYOND.fullmatch(value):
        return value
    raise Refused(f"the field {field.name} is of kind {kind}, but the value is {_described(value)}")


_TYPES: dict[str, type] = {
    INTEGER: int,
    REAL: float,
    DECIMAL: Decimal,
    TEXT: str,
    BYTES: bytes,
    BOOLEAN: bool,
    TIMESTAMP: datetime,
    TIMESTAMPTZ: datetime,
    DATE: date,
}


def _integral(value: Any) -> bool:
    if isinstance(value, int):
        return True
    return is_finite(value) and value == int(value)


def _exact(value: Any) -> bool:
    if isinstance(value, int):
        return -_EXACT <= value <= _EXACT
    try:
        return isinstance(value, float) or not value.is_finite() or Decimal(repr(float(value))) == value
    except OverflowError:
        return False


def _described(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and not -_LARGEST <= value < _LARGEST:
        return "an integer beyond 64 bits"
    names: dict[Any, str] = {str: "text", dict: "a mapping", list: "a list"}
    return names.get(type(value), "a " + type(value).__name__)
