# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the SQL stores share about schemas: sizes of columns, and whether a collection fits an existing table."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ..._core.errors import TargetError
from ..records.kinds import combined
from ..records.model import JSON, Field, ForeignKey, Info

DOCUMENT = "document"  # the column that holds a whole record, if the key has no such field
_SIZE = re.compile(r"([A-Z_ ]*CHAR[A-Z_ ]*|NUMERIC|DEC|DECIMAL|DECIMAL_TEXT)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", re.I)
_LONGEST = 10_485_760  # characters of a text, and
_MOST_DIGITS = 1000  # digits: what PostgreSQL takes


def size_of(declared: str) -> tuple[int, ...]:
    """The size in the declaration of a type, as `Field.size` has it; () if there is none."""
    match = _SIZE.fullmatch(declared.strip())
    if match is None:
        return ()
    number, behind = int(match[2]), int(match[3] or 0)
    if "CHAR" in match[1].upper():
        return (number,) if match[3] is None and 0 < number <= _LONGEST else ()
    return (number, behind) if 0 < number <= _MOST_DIGITS and behind <= number else ()


def declared_size(field: Field) -> str:
    """The size in parentheses; "" if there is none."""
    return f"({', '.join(map(str, field.size))})" if field.size else ""


def shaped(info: Info, document: bool) -> Info:
    """The collection with a column for each field, or with its key and one column for the whole record."""
    if not document:
        return info
    kinds = {field.name: field for field in info.fields}
    key = [kinds.get(name, Field(name, JSON))._replace(required=True, identity=False) for name in info.key]
    name = DOCUMENT
    while name in info.key:
        name += "_"
    note = info.note._replace(absent=(), marker="", document=name)
    whole = Field(name, JSON, required=True)
    return Info(info.name, info.key, (*key, whole), document=True, table=info.table, note=note)


def without_computed(info: Info) -> Info:
    """A table for a database of another type: without indexes and foreign keys of columns that are no fields."""
    if not info.native or info.document:
        return info
    names = {field.name for field in info.fields}
    wrong = [one for one in info.indexes if not names.issuperset(one.fields)]
    lost = [f"the index {one.name} on a computed column" for one in wrong if not one.constraint]
    lost += [f"that a computed column is unique ({', '.join(one.fields)})" for one in wrong if one.constraint]
    lost += [
        f"the foreign key of a computed column ({', '.join(one.fields)})"
        for one in info.foreign_keys
        if not names.issuperset(one.fields)
    ]
    return info._replace(
        indexes=tuple(one for one in info.indexes if names.issuperset(one.fields)),
        foreign_keys=tuple(one for one in info.foreign_keys if names.issuperset(one.fields)),
        dialect_specific=(*info.dialect_specific, *lost),
    )


def parents_first(infos: Sequence[Info]) -> list[Info]:
    """The collections, with referenced ones before those that refer to them. In a cycle, the order is kept."""
    by_name = {info.name: info for info in infos}
    ordered: dict[str, Info] = {}
    seen: set[str] = set()

    def visit(info: Info) -> None:
        if info.name in seen:
            return
        seen.add(info.name)
        for key in info.foreign_keys:
            if key.to in by_name:
                visit(by_name[key.to])
        ordered[info.name] = info

    for info in infos:
        visit(info)
    return list(ordered.values())


def alike(infos: Mapping[str, Info]) -> dict[str, Info]:
    """The tables, with fields of one kind where one refers to another: databases do not compare text with numbers."""
    kinds = {(info.name, field.name): field.kind for info in infos.values() for field in info.fields}
    pairs = [
        ((info.name, field), (key.to, other))
        for info in infos.values()
        for key in info.foreign_keys
        for field, other in zip(key.fields, key.to_fields)
        if {(info.name, field), (key.to, other)} <= kinds.keys()
    ]
    while any(kinds[one] != kinds[other] for one, other in pairs):
        for one, other in pairs:
            if kinds[one] != kinds[other]:
                kinds[one] = kinds[other] = combined({kinds[one], kinds[other]})
    return {
        name: info._replace(fields=tuple(one._replace(kind=kinds[name, one.name]) for one in info.fields))
        for name, info in infos.items()
    }


def names_a_key(one: ForeignKey, parent: Info, same_type: bool) -> bool:
    """Whether a foreign key refers to something unique. Only SQLite allows other declarations."""
    unique = [frozenset(parent.key), *(frozenset(index.fields) for index in parent.indexes if index.unique)]
    return same_type or (bool(one.to_fields) and frozenset(one.to_fields) in unique)


def marked(info: Info, kept: Info) -> Info:
    """The table, with those foreign keys marked that some rows of `kept` violate."""
    broken = [(one.fields, one.to) for one in kept.foreign_keys if not one.valid]
    keys = tuple(one._replace(valid=one.valid and (one.fields, one.to) not in broken) for one in info.foreign_keys)
    return info._replace(foreign_keys=keys)


def check_fits(info: Info, existing: Info, fold: Callable[[str], str]) -> Info:
    """The collection with the fields of the existing table.

    :raises TargetError: the key differs, a field is missing, or the table wants one that the collection lacks.
    """
    columns = {fold(field.name): field for field in existing.fields}
    key = [fold(name) for name in info.key]
    unique = [[fold(name) for name in one.fields] for one in existing.indexes if one.unique]
    nullable = {field.name for field in existing.fields if not field.required}
    # a key of SQLite that may be null tells no rows apart where it is
    without_key = not key and nullable.issuperset(existing.key)
    if key not in [[fold(name) for name in existing.key], *unique] and not without_key:
        raise TargetError(
            f"The collection {info.name} has the key ({', '.join(info.key) or 'none'}), but in the target it has "
            f"({', '.join(existing.key) or 'none'}).",
            "Set its key in primary_keys, migrate to an empty target, or change one of the two.",
        )
    missing = [field.name for field in info.fields if fold(field.name) not in columns]
    given = {fold(field.name) for field in info.fields}
    wanted = [
        field.name
        for field in existing.fields
        if field.required and not _has_value(field) and fold(field.name) not in given
    ]
    if missing or wanted:
        problems = [f"it has no column {name}" for name in missing]
        problems += [f"its column {name} requires a value" for name in wanted]
        raise TargetError(
            f"The collection {info.name} does not fit the target: {'; '.join(problems)}.",
            "Change the schema of the target, or migrate to an empty target.",
        )
    return existing


def _has_value(field: Field) -> bool:
    """Does the store give a column a value by itself?"""
    return field.default is not None or field.identity or field.filled


def check_collisions(infos: Sequence[Info], fold: Callable[[str], str], longest: int = 0) -> None:
    """Check the names of collections, and of the fields of each.

    :raises TargetError: two names are the same in the target, or one is too long.
    """
    _check_names("collections", [(info.stored.name, info.name) for info in infos], fold, longest)
    for info in infos:
        names = [(field.column or field.name, field.name) for field in info.fields]
        _check_names(f"fields of {info.stored.name}", names, fold, longest)


def _check_names(what: str, names: Sequence[tuple[str, str]], fold: Callable[[str], str], longest: int) -> None:
    """:param names: in the database, each with that of the collection or field."""
    seen: dict[str, str] = {}
    for name, shown in names:
        if not name or "\0" in name:
            raise TargetError(f"The name {name!r} of one of the {what} is not valid in the target.")
        if longest and len(name.encode("utf-8", "surrogatepass")) > longest:
            raise TargetError(f"The name {name} of one of the {what} is longer than {longest} bytes.")
        if fold(name) in seen:
            raise TargetError(
                f"The {what} {seen[fold(name)]} and {shown} have the same name in the target.", "Rename one of them."
            )
        seen[fold(name)] = shown
