# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of tables and columns for collections and fields of documents, which can have any name.

A name that a database cannot have, or would confuse with another, is replaced by the first free one; the note on the
table has the original name. Names from an SQL database are kept, and refused where they are not possible.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from .model import CHECKPOINTS, ForeignKey, Info

# Every table of PostgreSQL has these.
_SYSTEM = frozenset(("ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"))
_LONGEST = {"postgresql": 63}  # bytes


def named(
    infos: Mapping[str, Info], new: Collection[str], present: Mapping[str, Info], kind: str, *, lower: bool = False
) -> dict[str, Info]:
    """The collections with names for those that the target lacks, and with the existing names of the others.

    :param kind: the type of the database.
    :param lower: whether names of tables and columns are in lower case.
    """
    if lower:
        infos = {name: _lowered(info) for name, info in infos.items()}
    found = {name: like(info, present[name]) if name in present else info for name, info in infos.items()}
    taken = {CHECKPOINTS, *(info.stored.name.casefold() for info in present.values())}
    free = [name for name in new if name not in present and not lower and _from_documents(found[name], kind)]
    taken.update(info.stored.name.casefold() for name, info in found.items() if name not in free)
    # a name that can stay goes to whom it belongs
    for name in sorted(free, key=lambda one: _usable(one, kind) != one):
        table = _free(_table(name, kind), taken, kind)
        taken.add(table.casefold())
        found[name] = _with_columns(found[name]._replace(table=table if table != name else ""), kind)
    return {name: _linked(info, found) for name, info in found.items()}


def beside_lower(infos: Collection[Info], present: Mapping[str, Info]) -> dict[str, Info]:
    """The collections of the target by the names of the source, including those in lower case."""
    found = dict(present)
    for info in infos:
        existing = present.get(info.name.lower())
        if info.name not in present and existing is not None:
            found[info.name] = existing._replace(name=info.name, table=existing.stored.name)
    return found


def _lowered(info: Info) -> Info:
    def lowered(name: str) -> str:
        return name.lower() if name.lower() != name else ""

    fields = tuple(field._replace(column=lowered(field.column or field.name)) for field in info.fields)
    return info._replace(table=lowered(info.stored.name), fields=fields)


def _linked(info: Info, others: Mapping[str, Info]) -> Info:
    """The collection, with foreign keys that use the names of tables and columns."""

    def link(key: ForeignKey) -> ForeignKey:
        other = others.get(key.to)
        if other is None:
            return key
        columns = other.columns
        return key._replace(
            to_table=other.stored.name, to_columns=tuple(columns.get(name, name) for name in key.to_fields)
        )

    return info._replace(foreign_keys=tuple(map(link, info.foreign_keys)))


def like(info: Info, existing: Info) -> Info:
    """The collection with the names of an existing table, and the rules for nulls in its note."""
    columns, table = existing.columns, existing.stored.name
    fields = tuple(
        field._replace(column=column if column != field.name else "")
        for field in info.fields
        for column in [columns.get(field.name, field.column or field.name)]
    )
    note = info.note._replace(absent=existing.note.absent, marker=existing.note.marker)
    return info._replace(fields=fields, table=table if table != info.name else "", note=note)


def _from_documents(info: Info, kind: str) -> bool:
    return info.native != kind and (not info.native or bool(info.note.shape))


def _with_columns(info: Info, kind: str) -> Info:
    note = info.note
    names = [field.name for field in info.fields]
    stays = {name for name in names if _usable(name, kind) == name and name.casefold() not in _SYSTEM}
    ours = {one.casefold() for one in (note.marker,) if one}
    taken = {*_SYSTEM, *ours, *(name.casefold() for name in stays)}
    given: set[str] = set(ours)
    fields = []
    for field in info.fields:
        column = field.name
        if column not in stays or column.casefold() in given:
            usable = _usable(column, kind)
            column = _free(usable, {*taken, usable.casefold()}, kind)
        taken.add(column.casefold())
        given.add(column.casefold())
        fields.append(field._replace(column=column if column != field.name else ""))
    return info._replace(fields=tuple(fields))


def _table(name: str, kind: str) -> str:
    usable = _usable(name, kind)
    return "_" + usable if usable.casefold().startswith(("sqlite_", "^")) else usable


def _usable(name: str, kind: str) -> str:
    """The name without characters that no database accepts."""
    text = name.replace("\0", "_").encode("utf-8", "replace").decode("utf-8") or "_"
    return text.encode("utf-8")[: _LONGEST.get(kind)].decode("utf-8", "ignore")


def _free(name: str, taken: Collection[str], kind: str) -> str:
    """The name, or the first one derived from it that is not among `taken` (casefolded names)."""
    most = _LONGEST.get(kind)
    wanted, number = name, 0
    while name.casefold() in taken:
        number += 1
        end = "_" * number if number < 3 else f"_{number}"
        name = wanted.encode("utf-8")[: most - len(end) if most else None].decode("utf-8", "ignore") + end
    return name
