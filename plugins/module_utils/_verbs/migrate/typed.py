# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A source whose columns get other types in the target than their values have: they are converted while they are read.

A value that cannot be converted is not changed, so that the target refuses it with a reason like any other.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional, cast

from ..._core.errors import InvalidRequest, TargetError
from ..._core.progress import Progress
from ..._core.record_batches import Batch
from ..._stores.records import model
from ..._stores.records.kinds import NO_UNICODE, NUL, Kinds, Summary
from ..._stores.records.model import BOOLEAN, BYTES, INTEGER, JSON, TEXT, Info, Record, Refused, key_of
from ..._stores.records.store import SourceStore, TargetStore
from ..._stores.records.times import TimeOptions, zone_named
from .asked_types import Types, Wanted, types_from
from .columns import (
    BOOLEANS,
    Decision,
    Odd,
    Seen,
    as_bytes_of_text,
    as_number,
    class_of,
    inferred,
    mixed,
    numbers_for_times,
    odd_text,
    unlike_declared,
    wanted_type,
)
from .odd import Oddities, shown

Converters = Mapping[str, Callable[[Any], Any]]
Decisions = Mapping[tuple[str, str], Decision]
_NO_TEXT = {"postgresql": frozenset((NO_UNICODE, NUL)), "sqlite": frozenset((NO_UNICODE,))}
# Types of PostgreSQL that are text in the record model, and spell it in their own way.
_SPELLED = {"uuid": "uuid", "interval": "interval", "time without time zone": "time"}
_LISTED = 20  # problems in a message; the details have all


class Typed(NamedTuple):
    """The source as it is read from now on, the decisions on its columns, and the problems.

    :param odd: what to do with columns that have values of several kinds; "" if any column accepts any value.
    :param no_text: the kinds of text that the target cannot store as text.
    """

    source: SourceStore
    decisions: Decisions
    problems: Sequence[str]
    odd: str
    no_text: frozenset[str] = frozenset()

    def converts(self, info: Info) -> frozenset[str]:
        """The names of the columns that are converted while they are read."""
        return frozenset(self.source.converts(info)) if isinstance(self.source, _TypedSource) else frozenset()


class _Question(NamedTuple):
    """A column whose type has to be determined. `wanted` is its type; None if its values decide."""

    declared: str
    wanted: Optional[Decision]
    seen: Seen


class _TypedSource:
    """Converts values while they are read. Everything else is left to the source."""

    def __init__(
        self,
        inner: SourceStore,
        converters: Mapping[str, Converters],
        infos: Mapping[str, Info],
        notes: Sequence[str] = (),
    ) -> None:
        self._inner = inner
        self._converters = converters
        self._infos = infos
        self._more: list[str] = list(notes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property
    def notes(self) -> list[str]:
        return [*self._inner.notes, *self._more]

    def convert(self, info: Info, converters: Converters) -> None:
        """Convert more columns from now on."""
        self._converters = {**self._converters, info.name: {**self._converters.get(info.name, {}), **converters}}
        self._infos = {**self._infos, info.name: info}

    def converts(self, info: Info) -> Converters:
        """The columns of a collection that are converted."""
        return self._converters.get(info.name, {})

    def note(self, text: str) -> None:
        """Add a sentence for the user."""
        self._more.append(text)

    def read(self, info: Info) -> Iterator[Record]:
        return itertools.chain.from_iterable(self.chunks(info))

    def chunks(self, info: Info, ordered: bool = True, copy_lines: bool = False) -> Iterator[Sequence[Record]]:
        converters = self._converters.get(info.name)
        if not converters:
            return self._inner.chunks(info, ordered, copy_lines)
        return (_converted(chunk, converters) for chunk in self._inner.chunks(self._infos[info.name], ordered))

    def summary(self, info: Info) -> Optional[Summary]:
        return None if self._converters.get(info.name) else self._inner.summary(info)


def _converted(records: Sequence[Record], converters: Converters) -> Sequence[Record]:
    if isinstance(records, Batch):
        columns = [
            _column(converters[name], column) if name in converters else column
            for name, column in zip(records.names, records.columns)
        ]
        return Batch(records.names, columns)
    return [
        {name: _value(converters[name], value) if name in converters else value for name, value in record.items()}
        for record in records
    ]


def _column(convert: Callable[[Any], Any], column: Sequence[Any]) -> Sequence[Any]:
    return [_value(convert, value) for value in column]


def _value(convert: Callable[[Any], Any], value: Any) -> Any:
    try:
        return None if value is None else convert(value)
    except Refused:
        return value


def typed(
    params: Mapping[str, Any],
    source: SourceStore,
    target: TargetStore,
    infos: Sequence[Info],
    *,
    present: Mapping[str, Info],
    progress: Progress,
) -> Typed:
    """Determine which columns get another type than their values have.

    :raises InvalidRequest: `types` names a column that is not migrated, or a type that is not possible.
    """
    types = types_from(params)
    odd = params["odd"] or ("fail" if source.type in ("sqlite", "postgresql") else "wider")
    if not target.columns or source.type == target.type or params["shape"] == "document":
        if types:
            raise InvalidRequest(
                "types requires tables that are created from a store of another type, with shape=columns."
            )
        return Typed(source, {}, (), "")
    _check_names(types, infos)
    zone = zone_named(params["timezone"]) if params["timezone"] else None
    decisions: dict[tuple[str, str], Decision] = {}
    problems: list[str] = []
    notes: list[str] = []
    for info in infos:
        questions = dict(_questions(info, present.get(info.name), types, TimeOptions("", zone)))
        found, against = _answered(source, info, questions, progress)
        told = (
            numbers_for_times(f"{info.name}.{name}", one.declared, one.seen, shown) for name, one in questions.items()
        )
        notes += filter(None, told)
        decisions.update({(info.name, name): one for name, one in found.items()})
        problems += against if odd != "reject" and not params["max_rejects"] else []
    converters = {
        info.name: {
            name: one.convert
            for (table, name), one in decisions.items()
            if table == info.name and one.convert is not None
        }
        for info in infos
    }
    inner = _TypedSource(source, converters, {info.name: info for info in infos}, notes)
    return Typed(cast(SourceStore, inner), decisions, problems, odd, _NO_TEXT.get(target.type, frozenset()))


def _check_names(types: Types, infos: Sequence[Info]) -> None:
    known = {info.name: info for info in infos}
    for table, name in types:
        info = known.get(table)
        if info is None or (info.native and not info.document and name not in [one.name for one in info.fields]):
            raise InvalidRequest(f"types: {table}.{name} is not migrated.")


def _questions(
    info: Info, existing: Optional[Info], types: Types, times: TimeOptions
) -> Iterator[tuple[str, _Question]]:
    """The columns whose type has to be determined."""
    declared = {one.name: one for one in info.fields} if info.native and not info.document else {}
    kinds = {one.name: one.kind for one in existing.fields} if existing is not None and not existing.document else {}
    own = existing.fields if existing is not None and not existing.document else ()
    spelled = {one.name: _SPELLED[one.native] for one in own if one.native in _SPELLED}
    names = [*declared, *(name for table, name in types if table == info.name), *kinds]
    for name in dict.fromkeys(names):
        field = declared.get(name)
        alike = field is not None and field.kind == kinds.get(name) and name not in spelled
        if alike and (info.native != "sqlite" or kinds[name] != BOOLEAN) and (info.name, name) not in types:
            continue  # but SQLite's booleans may be text
        given = types.get((info.name, name), Wanted(spelled[name]) if name in spelled else None)
        wanted = wanted_type(f"{info.name}.{name}", given, kinds.get(name, ""), times)
        words = field.native.upper() if field is not None and info.native == "sqlite" else ""
        if wanted is None and words in BOOLEANS and kinds.get(name) == INTEGER:
            wanted = Decision(INTEGER, as_number)  # as `inferred` has made it
        if wanted is not None or (name not in kinds and (words in BOOLEANS or re.search("DATE|TIME", words))):
            yield name, _Question(words, wanted, Seen())


def _answered(
    source: SourceStore, info: Info, questions: Mapping[str, _Question], progress: Progress
) -> tuple[dict[str, Decision], list[str]]:
    """The decisions on the columns, and the values that prevent them."""
    if not questions:
        return {}, []
    oddities = Oddities(info, 0)
    progress.start(f"Reading the values of {info.name}", unit="records")
    for chunk in source.chunks(info, ordered=False):
        for record in chunk:
            _look(info, record, questions, oddities)
    found = {}
    for name, one in questions.items():
        decision = one.wanted or inferred(one.declared, one.seen.counts)
        note = unlike_declared(f"{info.name}.{name}", one.declared, one.seen, shown)
        if note:
            decision = (decision or Decision(TEXT))._replace(note=note)
        if decision is not None:
            found[name] = decision if name in oddities.columns() else decision._replace(fits=None)
    return found, oddities.problems()


def _look(info: Info, record: Record, questions: Mapping[str, _Question], oddities: Oddities) -> None:
    wrong = []
    for name, one in questions.items():
        value = record.get(name)
        if value is None:
            continue
        if one.wanted is None:
            one.seen.add(class_of(value, one.declared in BOOLEANS), value, key_of(info, record))
        elif one.wanted.convert is not None:
            try:
                one.wanted.convert(value)
            except Refused as exc:
                wrong.append(model.Odd(name, str(exc), value))
    if wrong:
        oddities.add(record, wrong)


def settled(
    found: Typed, info: Info, kinds: Kinds, present: Mapping[str, Info], progress: Progress
) -> tuple[dict[str, Decision], list[str]]:
    """The decisions on the columns of a new collection of the target, and the problems of its values.

    Conversions that are decided here are made in the next reading (`converts`).

    :param kinds: of all records.
    """
    problems: list[str] = []
    decisions = {name: one for (table, name), one in found.decisions.items() if table == info.name}
    json = {field.name for field in info.fields if field.kind == JSON}  # by declaration
    written = _written_as_bytes(found, info, kinds, present.get(info.name), decisions)
    several = kinds.mixed() - decisions.keys() - json if found.odd and info.name not in present else set()
    texts = {name for name, wrong in kinds.odd_text().items() if wrong & found.no_text}
    texts -= {*several, *decisions, *json, *kinds.mixed()}
    booleans = {one.name for one in info.fields if info.native == "sqlite" and one.native.upper() in BOOLEANS}
    for name, seen in _seen(found.source, info, several | texts, booleans, progress).items():
        place = f"{info.name}.{name}"
        try:
            if name in several:
                decisions[name] = mixed(place, seen, found.odd, shown, boolean=name in booleans)
            else:
                as_bytes = info.name not in present and _stands_alone(info, name)
                decisions[name] = odd_text(place, seen, found.odd, shown, as_bytes=as_bytes)
        except Odd as exc:
            problems.append(str(exc))
    if isinstance(found.source, _TypedSource):
        for one in decisions.values():
            if one.note:
                found.source.note(one.note)
        more = {name: decisions[name].convert for name in written | ((texts | several) & decisions.keys())}
        found.source.convert(info, {name: convert for name, convert in more.items() if convert is not None})
    return ({} if info.name in present else decisions), problems


def _written_as_bytes(
    found: Typed, info: Info, kinds: Kinds, existing: Optional[Info], decisions: dict[str, Decision]
) -> set[str]:
    """Add the decisions on columns of text that became bytes in an earlier run."""
    if found.odd != "wider" or existing is None or info.native != "sqlite":
        return set()
    texts = {name for name, seen in kinds.by_name().items() if seen and seen <= {TEXT, NO_UNICODE, NUL}}
    names = {field.name for field in existing.fields if field.kind == BYTES and field.name in texts - decisions.keys()}
    decisions.update(dict.fromkeys(names, as_bytes_of_text()))
    return names


def _stands_alone(info: Info, name: str) -> bool:
    """Whether it is a column of SQLite without references to or from other columns."""
    within = [info.key, *(one.fields for one in info.indexes), *(one.fields for one in info.foreign_keys)]
    return info.native == "sqlite" and not any(name in names for names in within)


def _seen(source: SourceStore, info: Info, names: set[str], booleans: set[str], progress: Progress) -> dict[str, Seen]:
    """The values of some columns, by class.

    :param booleans: columns in which text may stand for a boolean.
    """
    found = {name: Seen() for name in sorted(names)}
    if found:
        progress.start(f"Reading the values of {info.name}", unit="records")
        for record in source.read(info):
            for name, seen in found.items():
                if record.get(name) is not None:
                    seen.add(class_of(record[name], name in booleans), record[name], key_of(info, record))
    return found


def check(converted: Sequence[str], mixed_up: Sequence[str]) -> None:
    """Raise TargetError when there are problems.

    :param converted: values that cannot be converted to the type that their column has, or gets by `types`.
    :param mixed_up: columns that get no type.
    """
    problems = [*converted, *mixed_up]
    if problems:
        choices = ", or correct them or the types"
        if mixed_up:
            choices = ", set odd=wider to store the columns with several kinds as JSON, or set their types in types"
        listed = "; ".join(problems[:_LISTED])
        if len(problems) > _LISTED:
            listed += f"; and {len(problems) - _LISTED} more"
        raise TargetError(
            f"Some values do not match the type of their column: {listed}.",
            f"Nothing was changed. Set odd=reject to reject such records{choices}.",
            {"problems": list(problems)},
        )
