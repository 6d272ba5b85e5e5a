# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types that `types` can name, as PostgreSQL calls them, with their sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..._core.errors import InvalidRequest
from ..._stores.postgresql.column_types import Column
from ..._stores.records.model import BOOLEAN, BYTES, DATE, DECIMAL, INTEGER, JSON, REAL, TEXT, TIMESTAMP, TIMESTAMPTZ
from .asked_types import Wanted

_TEXT_SIZE, _DIGITS, _SECONDS = "characters", "digits", "fractional digits of a second"
_MOST = {_TEXT_SIZE: 10_485_760, _DIGITS: 1000, _SECONDS: 6}
NUMBERS, TEXTS = ("s", "ms", "us"), ("hex", "base64")


class NamedType(NamedTuple):
    """`kind`: of a field. `declared`: the type in PostgreSQL, if it does not follow from the kind.

    :param catalog: the type that determines the conversion.
    :param sized: the unit of a size in parentheses; "" for no size.
    :param sources: the possible values of `from`.
    """

    kind: str
    declared: str
    catalog: str
    sized: str = ""
    sources: tuple[str, ...] = ()


NAMED: Mapping[str, NamedType] = {
    "bigint": NamedType(INTEGER, "", "int8"),
    "boolean": NamedType(BOOLEAN, "", "bool"),
    "bytea": NamedType(BYTES, "", "bytea", sources=TEXTS),
    "char": NamedType(TEXT, "char", "bpchar", _TEXT_SIZE),
    "date": NamedType(DATE, "", "date"),
    "double precision": NamedType(REAL, "", "float8"),
    "integer": NamedType(INTEGER, "integer", "int4"),
    "interval": NamedType(TEXT, "interval", "interval", sources=NUMBERS),
    "jsonb": NamedType(JSON, "", "jsonb"),
    "numeric": NamedType(DECIMAL, "", "numeric", _DIGITS),
    "real": NamedType(REAL, "real", "float4"),
    "smallint": NamedType(INTEGER, "smallint", "int2"),
    "text": NamedType(TEXT, "", "text"),
    "time": NamedType(TEXT, "time", "time", _SECONDS),
    "timestamp": NamedType(TIMESTAMP, "", "timestamp", _SECONDS, NUMBERS),
    "timestamptz": NamedType(TIMESTAMPTZ, "", "timestamptz", _SECONDS, NUMBERS),
    "uuid": NamedType(TEXT, "uuid", "uuid"),
    "varchar": NamedType(TEXT, "varchar", "varchar", _TEXT_SIZE),
}


def check_named(name: str, wanted: Wanted) -> NamedType:
    """The type that a column should get.

    :param name: of the column, for messages.
    :raises InvalidRequest: there is no such type, or not with that size, or not from such values.
    """
    found = NAMED.get(wanted.kind)
    if found is None:
        raise InvalidRequest(
            f"types: {name}: {wanted.kind} is not a known type.", f"Known types are: {', '.join(sorted(NAMED))}."
        )
    if wanted.unit and wanted.unit not in found.sources:
        what = "text in" if wanted.unit in TEXTS else "numbers of"
        raise InvalidRequest(f"types: {name}: {what} {wanted.unit} can't be converted to {wanted.kind}.")
    if wanted.size and not _is_size(found.sized, wanted.size):
        raise InvalidRequest(
            f"types: {name}: {wanted.kind} has no size ({', '.join(map(str, wanted.size))}).",
            "Examples of sizes are varchar(40), numeric(10,2) and timestamptz(3).",
        )
    return found


def _is_size(sized: str, size: tuple[int, ...]) -> bool:
    if not sized or size[0] > _MOST[sized] or (size[0] == 0 and sized != _SECONDS):
        return False
    return len(size) == 1 or (sized == _DIGITS and size[1] <= size[0])


def column_of(name: str, wanted: Wanted) -> tuple[Column, str, tuple[int, ...]]:
    """The column of a type; its declaration in PostgreSQL, if it does not follow from its kind; and its size, for text
    or numbers.
    """
    named = NAMED[wanted.kind]
    size = wanted.size
    declared = f"{wanted.kind}({', '.join(map(str, size))})" if size else named.declared
    if named.sized == _SECONDS:
        precision = size[0] if size else 6
        return Column(name, named.catalog, wanted.kind, precision=precision), declared, ()
    if wanted.kind == "char" and not size:
        size = (1,)
    if wanted.kind == "numeric" and len(size) == 1:
        size = (size[0], 0)
    return Column(name, named.catalog, wanted.kind, size=size), declared, size
