# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a table can't say of the collection that it holds: a note on the table, as JSON after the word `day2`.

    {"from": "mapping", "key": COLUMN, "value": COLUMN, "absent": [COLUMN, …], "marker": COLUMN, "document": COLUMN,
     "names": {COLUMN: FIELD}, "name": COLLECTION, "root": true}

SQLite keeps it in a comment before the columns of CREATE TABLE, which survives renames, new columns and dumps;
PostgreSQL at the end of the table's comment; DynamoDB in the table of checkpoints. A table without a note is its
application's: NULL is null, and no name in it means anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Optional

from .model import LIST, MAPPING, MEMBERS, VALUE, Info, Note

_SHAPES = ("", MAPPING, LIST, MEMBERS, VALUE)
_NOTE = re.compile(r"(?:\A|\n)day2 (\{.*\})\s*\Z", re.S)


def written(info: Info) -> str:
    """The note on the table of a collection; "" if there is nothing to record. It contains no end of an SQL comment."""
    note, columns = info.note, info.columns
    renamed = bool(note.shape) or not info.native  # other tables have the names that were asked for
    says: dict[str, Any] = {
        "from": note.shape,
        "root": note.root,
        "key": columns.get(note.key, ""),
        "value": columns.get(note.value, note.value if note.document else ""),
        "absent": [columns[name] for name in note.absent if name in columns],
        "marker": note.marker,
        "document": note.document,
        "name": [info.name] if info.table and renamed else "",  # which may be ""
        "names": {column: name for name, column in columns.items() if column != name and renamed},
    }
    says = {name: value[0] if name == "name" else value for name, value in says.items() if value}
    return "day2 " + json.dumps(says).replace("*/", "*\\/") if says else ""


def parsed(text: Optional[str]) -> dict[str, Any]:
    """The content of a note, from a comment that may have other text before it; {} if there is none."""
    match = _NOTE.search(text or "")
    try:
        says = json.loads(match[1]) if match else {}
    except ValueError:
        return {}
    return says if isinstance(says, dict) else {}


def noted(info: Info, says: Mapping[str, Any]) -> Info:
    """The collection of a table, from the table and its note. What does not match the table is ignored."""
    columns = [field.name for field in info.fields]
    shape = says.get("from", "")
    if not says or shape not in _SHAPES:
        return info
    names = {column: name for column, name in _mapping(says, "names").items() if column in columns}
    if len({names.get(column, column) for column in columns}) < len(columns):
        names = {}

    def column(what: str) -> str:
        return says[what] if says.get(what) in columns else ""

    def field(name: str) -> str:
        return names.get(name, name)

    absent = says.get("absent")
    marker, document = column("marker"), column("document")
    value = says.get("value")
    if not (document and isinstance(value, str)):  # of a whole record it is a field, and no column
        value = field(column("value"))
    note = Note(
        *(shape, bool(says.get("root")), field(column("key")), value),
        absent=tuple(field(name) for name in absent if name in columns) if isinstance(absent, list) else (),
        marker=marker,
        document=document,
    )
    return info._replace(
        name=says["name"] if isinstance(says.get("name"), str) else info.name,
        table=info.name if isinstance(says.get("name"), str) else "",
        fields=tuple(_renamed(one, names) for one in info.fields if one.name != marker),
        key=tuple(map(field, info.key)),
        indexes=tuple(one._replace(fields=tuple(map(field, one.fields))) for one in info.indexes),
        foreign_keys=tuple(one._replace(fields=tuple(map(field, one.fields))) for one in info.foreign_keys),
        document=bool(note.document),
        note=note,
    )


def as_wanted(wanted: Mapping[str, Info], present: Mapping[str, Info]) -> dict[str, Info]:
    """The collections of a target document, as the source has them: a document that is itself a collection has the name
    of the one of the source, and lists have the key of the source, with their positions if these are fields of records.
    """
    found = dict(present)
    roots = [info for info in wanted.values() if info.note.root]
    if len(wanted) == len(roots) == len(present) == 1:
        (existing,) = present.values()
        if existing.note.root and existing.note.shape == roots[0].note.shape:
            found = {roots[0].name: existing._replace(name=roots[0].name)}
    for name in wanted.keys() & found.keys():
        info, existing = wanted[name], found[name]
        if existing.note.shape == LIST and info.note.shape in ("", LIST):
            note = existing.note._replace(key=info.note.key, value=info.note.value)
            found[name] = existing._replace(key=info.key, note=note)
    return found


def without_place(info: Info) -> Info:
    """A list of a document whose records have no field of our own, and nothing that identifies them."""
    note = info.note
    if note.shape != LIST or not note.key:
        return info
    fields = tuple(field for field in info.fields if field.name != note.key)
    return info._replace(key=(), fields=fields, note=Note())


def linked(infos: list[Info]) -> list[Info]:
    """The collections with foreign keys that use the names of collections and fields, if tables and columns have
    others.
    """
    by_table = {info.stored.name: info for info in infos}

    def link(key: Any) -> Any:
        other = by_table.get(key.to)
        if other is None:
            return key
        fields = {column: name for name, column in other.columns.items()}
        names = tuple(fields.get(column, column) for column in key.to_fields)
        if (other.name, names) == (key.to, key.to_fields):
            return key
        return key._replace(to=other.name, to_fields=names, to_table=key.to, to_columns=key.to_fields)

    return [info._replace(foreign_keys=tuple(map(link, info.foreign_keys))) for info in infos]


def _mapping(says: Mapping[str, Any], name: str) -> dict[str, str]:
    found = says.get(name)
    return {key: value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}


def _renamed(field: Any, names: Mapping[str, str]) -> Any:
    return field._replace(name=names[field.name], column=field.name) if field.name in names else field
