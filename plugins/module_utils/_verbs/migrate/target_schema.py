# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collections of a source as they will be in the target: from what was read, what exists, and what the options say.

Nothing is read here: the kinds of the values and their constraints come from earlier readings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple, Optional

from ..._stores.records.as_stored import beside
from ..._stores.records.kinds import Kinds
from ..._stores.records.model import DECIMAL, TEXT, Field, Info
from ..._stores.records.null_or_gap import Holes, mixed_up, with_note
from ..._stores.records.table_names import like, named
from ..._stores.sql.defaults import fitting
from ..._stores.sql.schema import alike, check_fits, marked, names_a_key, shaped
from .columns import Decision


class Found(NamedTuple):
    """A collection of the source.

    :param kinds: of all its records, if the source is not typed.
    :param holes: the fields that are null or missing.
    :param decisions: on columns whose type is not certain, if the target has no such table.
    """

    info: Info
    kinds: Kinds
    holes: Holes
    decisions: Mapping[str, Decision] = {}


class Options(NamedTuple):
    """Everything else that the schema depends on.

    :param source: the type of the store; `target` likewise.
    :param typed: the source knows the kinds of its fields without reading.
    :param columns: the target has columns.
    :param document: new tables store each record as a whole.
    :param lower: names are in lower case.
    :param holding_constraints: `SourceStore.holding_constraints` of the source.
    """

    source: str
    target: str
    typed: bool
    columns: bool
    document: bool
    lower: bool
    holding_constraints: Callable[[Info], Info]

    @property
    def same_type(self) -> bool:
        return self.source == self.target


class Schema(NamedTuple):
    """`infos`: the collections, by name, as they fit each other and the existing tables. `lost`: what each of them
    loses, in words.
    """

    infos: dict[str, Info]
    lost: dict[str, tuple[str, ...]]


def is_document(existing: Optional[Info], options: Options) -> bool:
    """Whether a table stores each record as a whole."""
    return options.columns and (existing.document if existing is not None else options.document)


def mixes_up(existing: Optional[Info], holes: Holes, options: Options) -> bool:
    """Whether an existing table cannot distinguish null from missing in these records."""
    return options.columns and existing is not None and not existing.document and bool(mixed_up(existing, holes))


def target_schema(
    source: Sequence[Found], target: Mapping[str, Info], made: AbstractSet[str], options: Options
) -> Schema:
    """The schema of the target.

    :param target: the existing collections.
    :param made: the names of those that the migration creates or has created.
    :raises TargetError: a collection does not fit the existing table.
    """
    infos = {one.info.name: _alone(one, target.get(one.info.name), options) for one in source}
    lost: dict[str, tuple[str, ...]] = {}
    if not options.columns:
        return Schema(infos, lost)
    if not options.same_type:
        infos.update(alike({name: options.holding_constraints(infos[name]) for name in made}))
        for name in made:
            infos[name], lost[name] = fitting(infos[name])
    both_sqlite = options.source == options.target == "sqlite"
    if not both_sqlite:  # which takes tables with whatever they refer to
        _keep_references(infos, target, made, options.same_type)
    infos = named(infos, made, target, options.target, lower=options.lower)
    infos.update({name: in_target(infos[name], target[name]) for name in infos.keys() - made})
    if both_sqlite:  # where rows may refer to nothing
        infos = {name: marked(one, options.holding_constraints(one)) for name, one in infos.items()}
    return Schema(infos, lost)


def _alone(one: Found, existing: Optional[Info], options: Options) -> Info:
    info, document = one.info, is_document(existing, options)
    if document and info.document:  # each record stays one value
        return info
    final = info
    if not options.typed or info.document:
        final = info._replace(fields=_fields(info, one.kinds, options.same_type))
    if options.columns:
        final = shaped(with_note(final, one.holes, info), document)
    if info.document:
        final = final._replace(native="", statements=(), document=False, note=final.note._replace(document=""))
    fields = tuple(_decided(field, one.decisions.get(field.name)) for field in final.fields)
    return final._replace(fields=fields)


def _decided(field: Field, decision: Optional[Decision]) -> Field:
    if decision is None:
        return field
    return field._replace(kind=decision.kind, declared=decision.declared, size=decision.size)


def _keep_references(
    infos: dict[str, Info], target: Mapping[str, Info], made: AbstractSet[str], same_type: bool
) -> None:
    """Omit foreign keys to collections that do not exist, or to fields that are no key."""
    for name in made:
        parents = {**target, **infos}
        keys = tuple(
            one
            for one in infos[name].foreign_keys
            if one.to in parents and names_a_key(one, parents[one.to], same_type)
        )
        infos[name] = infos[name]._replace(foreign_keys=keys)


def _fields(info: Info, kinds: Kinds, same_type: bool) -> tuple[Field, ...]:
    """The declared fields with the kinds of their values; for documents, the fields that were found."""
    seen = {field.name: field for field in kinds.fields()}
    if info.fields and same_type and not info.document:
        return info.fields
    if info.fields and info.native and not info.document:
        return tuple(
            field._replace(kind=seen[field.name].kind if kinds.sole(field.name) != "" else _unseen(field))
            for field in info.fields
        )
    for field in info.fields:  # keys that are known without records
        if field.name in info.key:
            seen.setdefault(field.name, field)
    return tuple(field._replace(required=field.name in info.key) for field in seen.values())


def _unseen(field: Field) -> str:
    """The kind of a column without values. To SQLite, a time has numeric affinity, but what it writes there is text."""
    if field.kind != "numeric":
        return field.kind
    return TEXT if re.search("DATE|TIME", field.native.upper()) else DECIMAL


def in_target(info: Info, existing: Info) -> Info:
    """The collection with the columns of the existing table that the source also has."""
    placed = like(info, existing)
    check_fits(placed.stored, existing.stored, str)
    names = {column: name for name, column in placed.columns.items()}
    existing = beside(info, existing)
    fields = tuple(
        field._replace(name=names[column], column=column if column != names[column] else "")
        for field in existing.fields
        for column in [field.column or field.name]
        if column in names
    )
    return existing._replace(name=info.name, table=placed.table, fields=fields, key=info.key)
