# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Determines the type of a column in the target from what one reading has found about its values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Optional

from ..._core.units import plural
from ..._stores.postgresql.column_types import Codec, Given, codec
from ..._stores.records import intervals
from ..._stores.records.kinds import NO_UNICODE, NUL, combined, fitted, kind_of
from ..._stores.records.model import (
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
)
from ..._stores.records.times import TimeOptions, interval_text, iso_class
from .asked_types import Wanted
from .named_types import NAMED, check_named, column_of

FLAG = "boolean as text"
_FLAGS = ("t", "f", "true", "false")
# The types of columns that exist, and into which values of other kinds are converted.
_EXISTING = {
    BOOLEAN: "boolean",
    TIMESTAMP: "timestamp",
    TIMESTAMPTZ: "timestamptz",
    DATE: "date",
}
BOOLEANS = ("BOOL", "BOOLEAN")
_NUMBERS = {INTEGER, "large integer", REAL, DECIMAL}
_ISO = {"iso-naive": "timestamp", "iso-zone": "timestamptz", "iso-date": "date"}


class Seen:
    """What one reading has found in a column: how many values of each class, and the first of each with its key."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.first: dict[str, tuple[Any, Any]] = {}

    def add(self, name: str, value: Any, key: Any) -> None:
        """Count a value of that class."""
        self.counts[name] = self.counts.get(name, 0) + 1
        self.first.setdefault(name, (value, key))


Fits = Callable[[str, Any], Any]


class Decision(NamedTuple):
    """`kind`: of the field. `convert`: what its values go through, None for nothing; raises Refused.

    :param declared: the type in PostgreSQL where the kind does not say it.
    :param size: of text or numbers, see `Field`.
    :param fits: raises Refused for the name and a value, after conversion, that must not go into the column.
    :param rejected: records that will be rejected.
    :param note: what the user should know.
    """

    kind: str
    convert: Optional[Callable[[Any], Any]] = None
    declared: str = ""
    rejected: int = 0
    note: str = ""
    size: tuple[int, ...] = ()
    fits: Optional[Fits] = None


class Odd(Exception):
    """Values do not all have the same kind, or not the wanted one; the text says which, and what can be done."""


def class_of(value: Any, flags: bool = False) -> str:
    """The class of a value that is not null, in words.

    :param flags: whether text may stand for a boolean.
    """
    kind = kind_of(value)
    if kind == TEXT:
        return iso_class(value) or (FLAG if flags and value.lower() in _FLAGS else TEXT)
    return {"big": "large integer", "wide": INTEGER, "infinite": REAL, "endless": TEXT}.get(kind, kind)


def wanted_type(name: str, given: Optional[Wanted], existing: str, time_options: TimeOptions) -> Optional[Decision]:
    """The decision on a column from the option `types` or the kind of an existing column; None if neither says
    anything.

    :raises InvalidRequest: `types` names no type, or a unit for a type that has none.
    """
    named = check_named(name, given) if given is not None else None
    word = _EXISTING.get(existing, "")
    if given is None or named is None or existing not in ("", named.kind):
        given = Wanted(word) if word else None
    elif existing:  # whose size is its own
        given = given._replace(kind="varchar" if given.kind == "char" else given.kind, size=())
    if given is None:
        return None
    column, declared, size = column_of(name, given)
    found = codec(column, time_options._replace(unit=given.unit), Given())
    again = codec(column, time_options, Given())
    kind = NAMED[given.kind].kind
    return Decision(kind, _converter(given, found), declared, size=size, fits=_fitting(kind, again))


def _fitting(kind: str, found: Optional[Codec] = None) -> Fits:
    """A function that raises Refused for a value that could not be converted, and is therefore unchanged."""

    def fits(name: str, value: Any) -> None:
        if found is not None and (kind != JSON or isinstance(value, str)):
            found.model(value)
        if kind != JSON:
            fitted(Field(name, kind), value)

    return fits


def _converter(wanted: Wanted, found: Optional[Codec]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        model = found.model(value) if found is not None else value
        if wanted.kind != "interval":
            return model
        return str(intervals.parsed(value)) if isinstance(value, str) else interval_text(model)

    return convert


def inferred(declared: str, seen: Mapping[str, int]) -> Optional[Decision]:
    """The type of a column of SQLite, from its declared type and its values; None if the declared type says nothing.

    :param declared: its type, such as DATETIME or BOOLEAN.
    :param seen: the number of values of each class.
    """
    words = declared.upper()
    if not seen:
        return None
    if words in BOOLEANS:
        if FLAG in seen and set(seen) <= {BOOLEAN, FLAG}:
            return wanted_type("", Wanted("boolean"), "", TimeOptions())
        return Decision(INTEGER, as_number) if INTEGER in seen and set(seen) <= {BOOLEAN, INTEGER} else None
    if re.search("DATE|TIME", words) and len(seen) == 1 and set(seen) <= _ISO.keys():
        return wanted_type("", Wanted(_ISO[next(iter(seen))]), "", TimeOptions())
    return None


def unlike_declared(name: str, declared: str, seen: Seen, shown: Callable[[Any], str]) -> str:
    """A note on a column of SQLite that does not get its declared type, as some values are different.

    If values do not fit any single type, `mixed` reports it.
    """
    classes = set(seen.counts)
    if declared in BOOLEANS and INTEGER in classes and classes <= {BOOLEAN, INTEGER}:
        kind = INTEGER
    elif classes <= {*_ISO, TEXT, FLAG} and (len(classes) > 1 or TEXT in classes):
        kind = TEXT
    else:
        return ""
    told = "%s is declared as %s and becomes %s: %s. Set its type in types if it should be another."
    return told % (name, declared, kind, _listed(seen, shown))


def numbers_for_times(name: str, declared: str, seen: Seen, shown: Callable[[Any], str]) -> str:
    """What to tell of a column of SQLite that is declared as times and has nothing but numbers; "" for others."""
    classes = set(seen.counts)
    if not classes or not classes <= _NUMBERS or not re.search("DATE|TIME", declared):
        return ""
    return (
        f"{name} is declared as {declared} and becomes a column of numbers: {_listed(seen, shown)}. If they are times, "
        f"set its type in types: {name}: timestamptz from s (or from ms, us)."
    )


def _listed(seen: Seen, shown: Callable[[Any], str]) -> str:
    told = []
    for one in sorted(seen.counts):
        value, key = seen.first[one]
        place = f", key {shown(key)}" if key else ""  # a table may have none
        told.append(f"{seen.counts[one]} {one} ({shown(value)}{place})")
    return ", ".join(told)


def as_number(value: Any) -> Any:
    """A boolean of SQLite as a number."""
    return int(value) if isinstance(value, bool) else value


def mixed(name: str, seen: Seen, odd: str, shown: Callable[[Any], str], *, boolean: bool = False) -> Decision:
    """The decision on a column whose values have several kinds.

    :param odd: fail, reject or wider.
    :param boolean: whether SQLite has declared it so: its booleans are numbers if there are other numbers, and text may
        stand for a boolean if there are none.
    :raises Odd: `odd` is fail.
    """
    groups: dict[str, int] = {}
    for one, count in seen.counts.items():
        kind = _group(one, boolean=boolean, numbers=INTEGER in seen.counts)
        groups[kind] = groups.get(kind, 0) + count
    most, rejected = _most(groups)
    listed = _listed(seen, shown)
    if odd == "wider":
        return Decision(JSON, note=f"{name} has values of different types and becomes JSON: {listed}.")
    if odd == "reject":
        text = f"{name} becomes {most}, with {plural(rejected, 'record')} rejected: {listed}."
        kept = wanted_type("", Wanted("boolean"), "", TimeOptions()) if boolean and most == BOOLEAN else None
        kept = kept or Decision(most, as_number if boolean and most != TEXT else None, fits=_fitting(most))
        return kept._replace(rejected=rejected, note=text)
    raise Odd(f"{name} has {listed} (odd=reject keeps {most} and rejects {rejected})")


def _group(one: str, *, boolean: bool, numbers: bool) -> str:
    """The kind that values of a class belong to."""
    if boolean and one in (BOOLEAN, FLAG):
        return (INTEGER if numbers else BOOLEAN) if one == BOOLEAN else (TEXT if numbers else BOOLEAN)
    if one in _ISO or one == FLAG:
        return TEXT
    return DECIMAL if one == "large integer" else one


def odd_text(name: str, seen: Seen, odd: str, shown: Callable[[Any], str], *, as_bytes: bool) -> Decision:
    """The decision on a column of text, some of which the target cannot store.

    :param odd: fail, reject or wider.
    :param as_bytes: whether the column may contain bytes instead, which is wider.
    :raises Odd: `odd` is fail.
    """
    rejected = sum(seen.counts.get(one, 0) for one in (NO_UNICODE, NUL))
    listed = _listed(seen, shown)
    if odd == "wider" and as_bytes:
        told = "%s has text that the target can't store, and becomes bytes: %s."
        return as_bytes_of_text()._replace(note=told % (name, listed))
    if odd == "fail":
        raise Odd(f"{name} has {listed} (odd=reject keeps text and rejects {rejected})")
    return Decision(TEXT, None, "", rejected, f"{name}: {plural(rejected, 'record')} rejected: {listed}.")


def as_bytes_of_text() -> Decision:
    """The decision on a column of text that is stored as bytes."""
    return Decision(BYTES, _encoded)


def _encoded(value: Any) -> Any:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def _most(groups: Mapping[str, int]) -> tuple[str, int]:
    """The kind of most values, and the number of the other values."""
    total = sum(groups.values())
    groups = {kind: count for kind, count in groups.items() if kind not in (NO_UNICODE, NUL)}
    numbers = {kind for kind in groups if kind in (INTEGER, REAL, DECIMAL)}
    together = sum(groups[kind] for kind in numbers)
    kind = max(groups, key=lambda one: (groups[one], one))
    if numbers and together >= groups[kind]:
        return combined(numbers), total - together
    return kind, total - groups[kind]
