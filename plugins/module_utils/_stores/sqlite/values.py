# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Converts values of the record model to values of SQLite and back. Types that SQLite lacks are stored as text, with
declared types of our own.

Their names contain TEXT, so that SQLite does not convert the text.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Callable, Optional, Union

from ..._core.errors import InvalidRequest
from ..._core.tagged_json import decode as decode_json
from ..._core.tagged_json import encode as encode_json
from ..._core.units import format_time, parse_time
from ..records import gaps
from ..records import kinds as record_kinds
from ..records.model import (
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
    Info,
    Record,
    Refused,
    columns_by_name,
    is_unicode,
)

DECLARED = {
    INTEGER: "INTEGER",
    REAL: "REAL",
    TEXT: "TEXT",
    BYTES: "BLOB",
    BOOLEAN: "BOOLEAN",
    DECIMAL: "DECIMAL_TEXT",
    JSON: "JSON_TEXT",
    TIMESTAMP: "TIMESTAMP_TEXT",
    TIMESTAMPTZ: "TIMESTAMPTZ_TEXT",
    DATE: "DATE_TEXT",
}
_OURS = {name: kind for kind, name in DECLARED.items() if kind not in (INTEGER, REAL, TEXT, BYTES)}
_NANOSECONDS = re.compile(r"\.\d{7}")
_NUMERIC = "numeric"  # an affinity without a kind of its own
_NUMBER = re.compile(r"[ \t\n\v\f\r]*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?[ \t\n\v\f\r]*")  # to SQLite


def kind(declared: str) -> str:
    """The kind of a column by its declared type: one that migrate writes, or that of its affinity."""
    words = declared.upper().partition("(")[0].strip()
    if words in _OURS or words == "BOOL":
        return _OURS.get(words, BOOLEAN)
    if "INT" in words:
        return INTEGER
    if any(part in words for part in ("CHAR", "CLOB", "TEXT")):
        return TEXT
    if "BLOB" in words or not words:
        return BYTES
    return REAL if any(part in words for part in ("REAL", "FLOA", "DOUB")) else _NUMERIC


def decoder(field: Field) -> Optional[Callable[[Any], Any]]:
    """The function that converts the values of a column; None if they are used as they are."""
    return _DECODERS.get(field.kind)


def _lenient(decode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A value that does not match the type of the column is used as it is: SQLite accepts any type in any column."""

    def attempt(value: Any) -> Any:
        if isinstance(value, str):
            with contextlib.suppress(ValueError, ArithmeticError):
                return decode(value)
        return value

    return attempt


def _time(decode: Callable[[str], Any]) -> Callable[[Any], Any]:
    """A time that is finer than a datetime is not rounded: it remains text."""

    def whole(text: str) -> Any:
        if _NANOSECONDS.search(text):
            raise ValueError(text)
        return decode(text)

    return _lenient(whole)


def _instant(text: str) -> datetime:
    try:
        return parse_time(text)
    except InvalidRequest as exc:
        raise ValueError(exc.message) from exc


_DECODERS: dict[str, Callable[[Any], Any]] = {
    BOOLEAN: lambda value: bool(value) if value.__class__ is int and value in (0, 1) else value,
    DECIMAL: _lenient(Decimal),
    JSON: _lenient(decode_json),
    TIMESTAMP: _time(datetime.fromisoformat),
    TIMESTAMPTZ: _time(_instant),
    DATE: _lenient(date.fromisoformat),
}


class AnyText(bytes):
    """Text that is not UTF-8, which has to be written with a CAST."""


def encoder(field: Field) -> Callable[[Any], Any]:
    """The function that converts values so that they are read back unchanged. It raises Refused."""
    special = _ENCODERS.get(field.kind)

    def strict(value: Any) -> Any:
        if value is None:
            return _absent(field)
        return special(record_kinds.fitted(field, value))  # type: ignore[misc]

    def plain(value: Any) -> Any:
        if value is None:
            return _absent(field)
        exact = _PLAIN.get(type(value))
        if exact is None:
            raise Refused(
                f"the column {field.name} of type {field.native or field.kind} can't hold a {type(value).__name__}"
            )
        return exact(field, value)

    return strict if special else plain


def _absent(field: Field) -> Optional[str]:
    if field.required and field.kind != JSON and not field.identity:
        raise Refused(f"the field {field.name} is null or missing, but the column requires a value")
    return record_kinds.absent(field)


def usual_rows(info: Info, records: Sequence[Record]) -> Optional[list[tuple[Any, ...]]]:
    """The rows of records that all have the same fields, with values that need no conversion; None for others."""
    fields = info.fields
    given = columns_by_name(records)
    if given is None or not {field.name for field in fields}.issuperset(given):
        return None
    columns: list[Iterable[Any]] = []
    for field in fields:
        column = given.get(field.name)
        if column is None:
            if field.required and record_kinds.absent(field) is None:
                return None
            columns.append(itertools.repeat(record_kinds.absent(field)))
        elif field.kind == BOOLEAN and set(map(type, column)) == {bool}:
            columns.append(map(int, column))
        elif _is_usual(field, column):
            columns.append(column)
        else:
            encode = encoder(field)
            try:
                columns.append([encode(value) for value in column])
            except Refused:  # one by one it turns out which of the records that is
                return None
    if info.note.marker:
        columns.append(itertools.repeat(gaps.marker(info)(tuple(given))))
    return list(zip(*columns))


def by_placeholders(rows: Sequence[Sequence[Any]]) -> Iterator[tuple[Sequence[Sequence[Any]], Sequence[str]]]:
    """The rows in their order, with the placeholders that they need in a statement (none: the usual ones)."""
    for odd, some in itertools.groupby(rows, _any_texts):
        taken = list(some)
        yield taken, ["CAST(? AS TEXT)" if place in odd else "?" for place in range(len(taken[0]))] if odd else ()


def _any_texts(row: Sequence[Any]) -> tuple[int, ...]:
    return tuple([place for place, value in enumerate(row) if value.__class__ is AnyText])


def _is_usual(field: Field, column: Sequence[Any]) -> bool:
    """Whether SQLite stores all of these as they are."""
    types = set(map(type, column))
    if types == {int}:
        return field.kind in (INTEGER, _NUMERIC, BYTES) and min(column) >= -(2**63) and max(column) < 2**63
    if types == {float}:
        return field.kind == REAL and math.isfinite(sum(column))
    if types == {str}:
        return field.kind in (TEXT, BYTES) and is_unicode("".join(column))
    return types == {bytes} and field.kind in (TEXT, BYTES, INTEGER, _NUMERIC, REAL)


_ENCODERS: dict[str, Callable[[Any], Any]] = {
    BOOLEAN: int,
    DECIMAL: str,
    JSON: str,
    TIMESTAMP: lambda value: value if isinstance(value, str) else value.isoformat(),
    TIMESTAMPTZ: lambda value: value if isinstance(value, str) else format_time(value),
    DATE: lambda value: value if isinstance(value, str) else value.isoformat(),
}


def _text(field: Field, value: str) -> Union[str, AnyText]:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            if field.stored:
                return AnyText(value.encode("utf-8", "surrogateescape"))
            raise Refused(f"the field {field.name} contains text that is not valid UTF-8") from None
    if field.kind in (INTEGER, REAL, _NUMERIC) and _NUMBER.fullmatch(value):
        raise Refused(f"SQLite would convert the text in the field {field.name} to a number")
    return value


def _integer(field: Field, value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise Refused(f"the field {field.name} has an integer beyond 64 bits")
    if field.kind == TEXT:
        raise Refused(f"SQLite would convert the number in the field {field.name} to text")
    if field.kind == REAL and not -(2**53) <= value <= 2**53:
        raise Refused(f"SQLite would round the number in the field {field.name}")
    return value


def _real(field: Field, value: float) -> float:
    if math.isnan(value):
        raise Refused(f"the field {field.name} is NaN, which SQLite can't store")
    if field.kind == TEXT:
        raise Refused(f"SQLite would convert the number in the field {field.name} to text")
    return value


def _decimal(field: Field, value: Decimal) -> Any:
    """The number as text: its value counts, whatever type it has."""
    if value.is_finite():
        if value == value.to_integral_value() and abs(value) < 2**63:
            return _integer(field, int(value))
        with contextlib.suppress(OverflowError):
            if Decimal(repr(float(value))) == value:
                return _real(field, float(value))
    raise Refused(f"the column {field.name} can't hold the number {value:>.40} exactly")


def _nested(field: Field, value: Any) -> Any:
    raise Refused(f"the column {field.name} of type {field.native} would store {encode_json(value)[:40]} as text")


_PLAIN: dict[type, Callable[[Field, Any], Any]] = {
    str: _text,
    int: _integer,
    float: _real,
    Decimal: _decimal,
    bytes: lambda field, value: value,
    dict: _nested,
    list: _nested,
}
