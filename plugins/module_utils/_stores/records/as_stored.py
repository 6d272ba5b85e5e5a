# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as a database stores them, for another database of the same type: exact, whatever they are.

In SQLite, a column declared as BOOLEAN may contain 2 or 't'. In PostgreSQL, a json may have a name twice, a jsonb
distinguishes 1.00 from 1.0, and the JSON value null is not NULL. Conversion would lose all of this.
"""

from __future__ import annotations

from collections.abc import Callable

from .model import BOOLEAN, DATE, DECIMAL, JSON, TEXT, TIMESTAMP, TIMESTAMPTZ, Field, Info

NUMERIC = "numeric"  # SQLite's affinity without a kind of its own
_KINDS = {
    "sqlite": {BOOLEAN: NUMERIC, **dict.fromkeys((DECIMAL, JSON, TIMESTAMP, TIMESTAMPTZ, DATE), TEXT)},
    "postgresql": {JSON: TEXT},
}


def as_stored(info: Info) -> Info:
    """The collection with the kinds that its values have in the database itself."""
    kinds = _KINDS.get(info.native)
    if kinds is None or info.document:
        return info
    fields = tuple(field._replace(kind=kinds.get(field.kind, field.kind), stored=True) for field in info.fields)
    return info._replace(fields=fields)


def for_same_type(info: Info, existing: Info) -> Info:
    """The collection of the source for a database of the same type in which this table exists."""
    natives = {field.name: field.native for field in existing.fields}
    return _stored_where(
        info, lambda old, _new: info.native == "sqlite" or natives.get(old.name, old.native) == old.native
    )


def beside(info: Info, existing: Info) -> Info:
    """The existing table as it takes the values of `info`, which may come from the same type of database."""
    if info.native != existing.native or info.document:
        return existing
    stored = {field.name: field.native for field in info.fields if field.stored}
    return _stored_where(
        existing,
        lambda old, _new: old.name in stored and (info.native == "sqlite" or stored[old.name] == old.native),
    )


def _stored_where(info: Info, alike: Callable[[Field, Field], bool]) -> Info:
    """:param alike: whether text has the same meaning in both databases. Between json and jsonb it does not."""
    pairs = zip(info.fields, as_stored(info).fields)
    return info._replace(fields=tuple(new if alike(old, new) else old for old, new in pairs))
