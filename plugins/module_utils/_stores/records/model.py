# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a collection and its records: fields, keys, indexes, and what happens to a record on its way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Callable, NamedTuple, Optional

from ..._core.errors import TargetError
from ..._core.record_batches import layouts

Record = dict[str, Any]

# What a field's values are; `json` holds any.
INTEGER, REAL, DECIMAL, TEXT, BYTES, BOOLEAN = "integer", "real", "decimal", "text", "bytes", "boolean"
TIMESTAMP, TIMESTAMPTZ, DATE, JSON = "timestamp", "timestamptz", "date", "json"

CHECKPOINTS = "day2_migration"  # the table of checkpoints in a target, while a migration is under way


# What holds the records of a collection in a document, see `Note`.
MAPPING, LIST, MEMBERS, VALUE = "mapping", "list", "members", "value"


class Refused(Exception):
    """The target cannot store the record as it is. The text says which field, and why."""


class Overtaken(TargetError):
    """Someone else has written a document while a new one was made of it. It was not changed."""


class Field(NamedTuple):
    """A column. `native` is its type in the words of the store that `Info.native` names; `default` a SQL literal.

    `counter`: the highest number that the store has given to a record, which may be gone; 0: none.
    `size`: how many characters a text has at most; or digits, and how many of them behind the point; (): no limit.
    `declared`: the type that PostgreSQL should give it, where its kind does not say that.
    `column`: its name in the table, where that is another.
    `filled`: the store makes a value where none is given, by an expression that only it understands.
    `stored`: values are as a database of the same type has them, whatever they are.
    """

    name: str
    kind: str
    required: bool = False
    default: Optional[str] = None
    native: str = ""
    identity: bool = False  # the store numbers new records itself
    counter: int = 0
    size: tuple[int, ...] = ()
    declared: str = ""
    column: str = ""
    stored: bool = False
    filled: bool = False


class Index(NamedTuple):
    """`definition`: everything except the name, in the language of the store that `Info.native` names."""

    name: str
    fields: tuple[str, ...]
    unique: bool = False
    constraint: bool = False  # declared as UNIQUE in the table
    definition: str = ""


class ForeignKey(NamedTuple):
    """`deferrable`: "", or how it is, in SQL's words."""

    fields: tuple[str, ...]
    to: str
    to_fields: tuple[str, ...]
    on_delete: str = "NO ACTION"
    on_update: str = "NO ACTION"
    name: str = ""
    deferrable: str = ""
    full: bool = False  # MATCH FULL
    valid: bool = True  # False: not all rows may keep to it
    to_table: str = ""  # where it has another name than the collection
    to_columns: tuple[str, ...] = ()  # where these have other names than the fields


class Statement(NamedTuple):
    """Something of a table that only databases of the type `Info.native` understand.

    `kind`: "table", all of its CREATE; "type", what it needs before; "column", one that is computed; "change", what
    ALTER TABLE takes after it; or "index", "unique index". `sql`: in the language of that database. `words`: for
    people; "" for what others have, too. `name`: of an index, or of the field before a column ("" for none).
    """

    kind: str
    sql: str
    words: str = ""
    name: str = ""


class Note(NamedTuple):
    """`shape`: what holds the records in a document: a mapping, a list, or the document itself, whose other members
    (`MEMBERS`) or only value (`VALUE`) they are; "" of a table of an application.

    `root`: the collection is the whole document. `key`: the field for the keys of a mapping whose records do not have
    them, or for the places in a list. `value`: the field for members that are no mappings. In the fields `absent` NULL
    means that the record has no such field, in all others it is null; where a field has both, the column `marker` lists
    the columns of those that a record lacks, which counts as long as they are NULL. `document`: the column with the
    whole record.
    """

    shape: str = ""
    root: bool = False
    key: str = ""
    value: str = ""
    absent: tuple[str, ...] = ()
    marker: str = ""
    document: str = ""


class Info(NamedTuple):
    """A collection. No `fields`: its records are documents. `native` is the type of store that `statements` are for.

    `document`: each record is one JSON column beside its key. `dialect_specific`: the parts of its schema, in words,
    that only stores of the type `native` understand and that are not among `statements`. `key_definition`: of its
    primary key, in the language of `native`.
    """

    name: str
    key: tuple[str, ...]
    fields: tuple[Field, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    native: str = ""
    statements: tuple[Statement, ...] = ()
    document: bool = False
    dialect_specific: tuple[str, ...] = ()
    key_definition: str = ""
    table: str = ""  # its name in the database, where that is another
    note: Note = Note()

    @property
    def not_portable(self) -> list[str]:
        """The parts of its schema that only stores of the type `native` understand, in words."""
        return [*self.dialect_specific, *(one.words for one in self.statements if one.words)]

    @property
    def columns(self) -> dict[str, str]:
        """The names of the columns, by those of the fields."""
        return {field.name: field.column or field.name for field in self.fields}

    @property
    def stored(self) -> Info:
        """The collection with the names of table and columns in its database, instead of its own."""
        columns = self.columns

        def named(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(columns.get(name, name) for name in names)

        return self._replace(
            name=self.table or self.name,
            table="",
            key=named(self.key),
            fields=tuple(field._replace(name=field.column or field.name, column="") for field in self.fields),
            indexes=tuple(one._replace(fields=named(one.fields)) for one in self.indexes),
            foreign_keys=tuple(
                one._replace(
                    fields=named(one.fields), to=one.to_table or one.to, to_fields=one.to_columns or one.to_fields
                )
                for one in self.foreign_keys
            ),
        )


class Reject(NamedTuple):
    collection: str
    key: tuple[Any, ...]
    reason: str
    record: Record


class Clash(NamedTuple):
    """A record of the source (its key) that an existing table does not take beside another one.

    `rule`: what of the table says so, in words. `other`: the key of the other record; of the target, or of the source.
    `stays`: the source has a record with that key.
    """

    rule: str
    key: tuple[Any, ...]
    other: tuple[Any, ...]
    of_the_target: bool
    stays: bool


class Clashes(NamedTuple):
    """`unknown`: the names of unique indexes and constraints with which the records could not be compared."""

    found: Sequence[Clash] = ()
    unknown: Sequence[str] = ()


class Odd(NamedTuple):
    """A value that its column cannot store."""

    column: str
    reason: str
    value: Any


# By collection, which of INSERT, UPDATE and DELETE are done.
Rights = Mapping[str, Collection[str]]
NO_RIGHTS: Rights = MappingProxyType({})

Account = Callable[[list[Reject]], Any]

# A collection, whether its existing records are not wanted, and its checkpoint, or None. The second only counts with
# `replaces_atomically`: elsewhere deleting a record that will be written again could delete records that refer to it.
Start = tuple[Info, bool, Any]


def appeared(name: str, location: str) -> TargetError:
    """The error of a collection that someone else has created since the migration was planned."""
    return TargetError(
        f"The collection {name} was created in {location} since the migration was planned.",
        "It was not changed. Stop the application that writes to the target, and run again.",
    )


def not_alone(location: str) -> TargetError:
    """The error of a run that cannot be undone, as others may have written to what it has created."""
    return TargetError(f"Another program has written to {location} during the migration.")


def sort_out(
    info: Info, records: Sequence[Record], convert: Callable[[Record], Any]
) -> tuple[list[Record], list[Any], list[Reject]]:
    """The records that can be converted, the results, and the other records."""
    taken: list[Record] = []
    rows: list[Any] = []
    rejects: list[Reject] = []
    for record in records:
        try:
            rows.append(convert(record))
            taken.append(record)
        except Refused as exc:
            rejects.append(Reject(info.name, key_of(info, record), str(exc), record))
    return taken, rows, rejects


class Refusals:
    """The reasons why records cannot be converted to rows, determined one by one. `row_of` converts one."""

    def __init__(self, row_of: Callable[[Info], Callable[[Mapping[str, Any]], Any]]) -> None:
        self._row_of = row_of
        self._last: Optional[tuple[Info, Callable[[Mapping[str, Any]], Any]]] = None  # the table that was asked for

    def why(self, info: Info, record: Mapping[str, Any]) -> str:
        """The reason, or ""."""
        if self._last is None or self._last[0] is not info:
            self._last = (info, self._row_of(info))
        try:
            self._last[1](record)
        except Refused as exc:
            return str(exc)
        return ""


def check_same_key(info: Info, existing: Info) -> None:
    """Compare the keys.

    :raises TargetError: different fields identify the records, which can therefore not be merged.
    """
    if existing.key != info.key:
        raise TargetError(
            f"The collection {info.name} has the key ({', '.join(info.key) or 'none'}), but in the target it has "
            f"({', '.join(existing.key) or 'none'}).",
            "Set its key in primary_keys, or set on_existing=replace.",
        )


def columns_by_name(records: Sequence[Record]) -> Optional[dict[str, Sequence[Any]]]:
    """The columns of records that all have the same fields; None for others, or without fields."""
    found = layouts(records)
    return dict(zip(*found[0])) if len(found) == 1 and found[0][0] else None


def is_unicode(text: str) -> bool:
    """Whether it has no lone surrogates."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return False
    return True


def key_of(info: Info, record: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of the key; None for one that is missing."""
    return tuple(record.get(name) for name in info.key)


def placed(info: Info, places: Sequence[Field]) -> Info:
    """The collection with these additional fields, under names that are free, as its key."""
    taken = {field.name for field in info.fields}
    fields = []
    for field in places:
        name = field.name
        while name in taken:
            name += "_"
        fields.append(field._replace(name=name, column=field.column))
    return info._replace(key=tuple(field.name for field in fields), fields=(*fields, *info.fields))
