# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records as the rows of a PostgreSQL table, and as text for COPY."""

from __future__ import annotations

import codecs
import functools
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Context, Decimal
from typing import Any, Optional

from ..._core.record_batches import CopyLines
from ..._core.tagged_json import encode as encode_json
from ..records import gaps
from ..records.kinds import absent, fitted
from ..records.model import (
    BOOLEAN,
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
from .arrays import is_array, literal

UNSTORABLE_JSON = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])")  # in JSON text: NUL, lone surrogates
_DIGITS = 131_072
_WIDE = 300  # columns
_PAGE = 8160  # bytes of a row
_HEADER = 24
_POINTER = 18  # to a value that is kept elsewhere
PADDED = "character("  # types that do not keep blanks at the end
_ENCODINGS = {
    **{f"LATIN{number}": f"iso8859-{part}" for number, part in zip(range(1, 11), (1, 2, 3, 4, 9, 10, 13, 14, 15, 16))},
    "EUC_CN": "gb2312",
    "EUC_JIS_2004": "euc_jis_2004",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    "UHC": "cp949",
}
_NULL = "\\N"
_INTEGERS = {"smallint": 2**15, "integer": 2**31}
_ALL_DIGITS = Context(prec=200_000, Emin=-400_000, Emax=400_000)
_ESCAPED = re.compile(r"[\\\t\n\r]")
_ESCAPES = str.maketrans({"\\": r"\\\\"[:2], "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def encoding_of(server: str) -> str:
    """The Python name of an encoding of a server; "" for UTF-8, and if the server does not check text."""
    if server in ("UTF8", "SQL_ASCII"):
        return ""
    name = _ENCODINGS.get(server) or server.replace("WIN", "cp").replace("_", "-").lower()
    try:
        return codecs.lookup(name).name
    except LookupError:  # the server will say what it can't hold
        return ""


def is_wide(info: Info) -> bool:
    """Whether a row may be larger than a page, even though the server stores long values elsewhere."""
    return len(info.fields) > _WIDE


def converter(info: Info, encoding: str = "") -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """A function that converts a record to a row, and raises Refused.

    :param encoding: of the database, if it cannot represent all text.
    """
    convert = _converter(info)
    if not encoding and not is_wide(info):
        return convert

    def checked(record: Mapping[str, Any]) -> tuple[Any, ...]:
        row = convert(record)
        if encoding:
            _check_encoding(info, row, encoding)
        if is_wide(info):
            _check_page(row)
        return row

    return checked


def _check_encoding(info: Info, row: Sequence[Any], encoding: str) -> None:
    for field, value in zip(info.fields, row):
        if value.__class__ is str:
            try:
                value.encode(encoding)
            except UnicodeEncodeError as exc:
                raise Refused(
                    f"the field {field.name} contains the character {value[exc.start]!r}, which does not exist "
                    f"in the encoding of the database, {encoding}"
                ) from None


def _check_page(row: Sequence[Any]) -> None:
    size = _HEADER + len(row) // 8 + sum(_least_size(value) for value in row if value is not None)
    if size > _PAGE:
        raise Refused(f"the row has {size} bytes, but PostgreSQL supports {_PAGE} without long values")


def _least_size(value: Any) -> int:
    """The size in bytes that a value takes in the row, if long values are stored elsewhere."""
    if isinstance(value, bool):
        return 1
    if isinstance(value, (int, float, datetime)):
        return 8
    if isinstance(value, date):
        return 4
    text = value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")
    return len(text) + 1 if len(text) < _POINTER else _POINTER


def _converter(info: Info) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    fields = info.fields
    known = frozenset(field.name for field in fields)
    if info.document:
        key = fields[:-1]

        def document(record: Mapping[str, Any]) -> tuple[Any, ...]:
            return (*[converted(field, record.get(field.name)) for field in key], _json(fields[-1], record))

        return document

    mark = gaps.marker(info) if info.note.marker else None

    def row(record: Mapping[str, Any]) -> tuple[Any, ...]:
        if not known.issuperset(record):
            raise Refused(f"the target has no column {', '.join(sorted(set(record) - known))}")
        values = tuple([converted(field, record.get(field.name)) for field in fields])
        return (*values, mark(tuple(record))) if mark else values

    return row


def usual_lines(info: Info, records: Sequence[Record]) -> Optional[bytes]:
    """The text for COPY of records that all have the same fields; None if each record has to be checked."""
    given = columns_by_name(records)
    if given is None or info.document or not {field.name for field in info.fields}.issuperset(given):
        return None
    try:
        columns = [
            _texts(field, given[field.name])
            if field.name in given
            else itertools.repeat(copy_text(converted(field, None)))
            for field in info.fields
        ]
    except Refused:  # one by one it turns out which of the records that is
        return None
    if info.note.marker:
        columns.append(itertools.repeat(copy_text(gaps.marker(info)(tuple(given)))))
    return _joined(columns)


def copy_lines(info: Info, records: CopyLines) -> Optional[bytes]:
    """The text for COPY of records that are text already; None if the table has other columns."""
    kinds = {field.name: field.kind for field in info.fields}
    if info.document or info.note.marker or kinds.keys() != records.kinds.keys():
        return None
    if any(field.declared.startswith(PADDED) for field in info.fields):
        return None
    if any(kind not in ("", kinds[name]) for name, kind in records.kinds.items()):
        return None
    text = "\n".join(records.lines) + "\n"
    if not _fit(info, records, nulls=_NULL in text):
        return None
    return text.encode() if is_unicode(text) else None


def _fit(info: Info, records: CopyLines, *, nulls: bool) -> bool:
    """Whether all texts and numbers respect the sizes of their columns, and no required value is null.

    :param nulls: whether there are any nulls.
    """
    sizes = {field.name: field.size[0] for field in info.fields if field.size and field.kind == TEXT}
    required = {field.name for field in info.fields if field.required} - set(info.key) if nulls else set()
    small = [(field.name, _INTEGERS[one]) for field in info.fields for one in (field.declared,) if one in _INTEGERS]
    if not sizes and not required and not small:
        return True
    columns = dict(zip(records.kinds, zip(*(line.split("\t") for line in records.lines))))
    if any(_NULL in columns[name] for name in required):
        return False
    if any(abs(int(one)) >= limit for name, limit in small for one in columns[name] if one != _NULL):
        return False
    return all(max(map(len, columns[name])) <= size for name, size in sizes.items())


def lines(rows: Sequence[Sequence[Any]]) -> bytes:
    """The text for COPY of converted rows."""
    return _joined([[copy_text(value) for value in column] for column in zip(*rows)])


def _joined(columns: Sequence[Iterable[str]]) -> bytes:
    return "".join([f"{line}\n" for line in map("\t".join, zip(*columns))]).encode()


def _texts(field: Field, column: Sequence[Any]) -> Iterable[str]:
    """A column for COPY, converted as a whole if all values have the kind of the field."""
    types = set(map(type, column))
    limit = _INTEGERS.get(field.declared, 2**63)
    if field.kind == INTEGER and types == {int} and min(column) >= -limit and max(column) < limit:
        return map(str, column)
    if field.kind == REAL and types == {float}:
        return map(repr, column)
    if field.kind == BOOLEAN and types == {bool}:
        return map(str, column)
    if field.kind == TEXT and types == {str} and not field.declared.startswith(PADDED):
        text = "".join(column)
        if field.size and max(map(len, column)) > field.size[0]:
            raise Refused(f"the field {field.name} is longer than {field.size[0]} characters")
        if "\0" not in text and is_unicode(text):
            return [_escaped(value) for value in column] if _ESCAPED.search(text) else column
    return [copy_text(converted(field, value)) for value in column]


def copy_text(value: Any) -> str:
    """A converted value for COPY."""
    if value is None:
        return _NULL
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, bytes):
        return "\\\\x" + value.hex()
    return str(value)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES) if _ESCAPED.search(text) else text


def converted(field: Field, value: Any) -> Any:
    if value is None:
        if field.required and field.kind != JSON:
            raise Refused(f"the field {field.name} is null or missing, but the column requires a value")
        return absent(field)
    if field.kind == JSON and is_array(field):
        return literal(field, value)
    if field.kind == JSON:
        return _json(field, value)
    value = fitted(field, value)
    if value.__class__ is str and ("\0" in value or not is_unicode(value)):
        raise Refused(f"the field {field.name} contains a NUL or invalid Unicode, which PostgreSQL can't store")
    if (
        value.__class__ is Decimal
        and value
        and value.is_finite()
        and not -16_383 <= _lowest(value) <= value.adjusted() < _DIGITS
    ):
        raise Refused(f"the number in the field {field.name} is out of range for PostgreSQL")
    check_size(field, value)
    return value


def check_size(field: Field, value: Any) -> None:
    """Check that a value respects the size of its column.

    :raises Refused: it does not.
    """
    limit = _INTEGERS.get(field.declared) if field.kind == INTEGER else None
    if limit is not None and not -limit <= value < limit:
        raise Refused(f"the field {field.name} is out of range for {field.declared}")
    if field.size and field.kind == TEXT and len(value) > field.size[0]:
        raise Refused(f"the field {field.name} is longer than {field.size[0]} characters")
    if field.declared.startswith(PADDED) and field.kind == TEXT and value.endswith(" "):
        raise Refused(f"the field {field.name} ends with a blank, which the type {field.declared} does not keep")
    if field.size and field.kind == DECIMAL and not value.is_nan():
        digits, behind = field.size
        if not value.is_finite() or value.adjusted() >= digits - behind:
            raise Refused(f"the field {field.name} has more than {digits - behind} digits before the decimal point")
        if value and _lowest(value.normalize(_ALL_DIGITS)) < -behind:
            raise Refused(f"the field {field.name} has more than {behind} digits after the decimal point")
    if field.kind in (TIMESTAMP, TIMESTAMPTZ) and isinstance(value, datetime):
        kept = _precision(field.declared)
        if value.microsecond % 10 ** (6 - kept):
            raise Refused(f"the field {field.name} has more than {kept} fractional digits of a second")


@functools.lru_cache(maxsize=256)
def _precision(declared: str) -> int:
    """The digits of a second in a type."""
    match = re.match(r"timestamp(?:tz)?\((\d)\)", declared)
    return int(match[1]) if match else 6


def _lowest(value: Decimal) -> int:
    """The position of the last digit."""
    return min(int(value.as_tuple().exponent), value.adjusted())


def _json(field: Field, value: Any) -> str:
    text = encode_json(value)
    if "\\u" in text and UNSTORABLE_JSON.search(text):
        raise Refused(f"the field {field.name} contains a NUL or invalid Unicode, which PostgreSQL can't store in JSON")
    return text
