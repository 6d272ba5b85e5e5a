# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions on records, as users write them: a list of mappings, all of which must hold, and never SQL.

    [{"field": "status", "in": ["PENDING", "FAILED"]}, {"not": {"field": "created_at", "newer_than": "90d"}}]

- A missing field and null are the same. For them only `exists: false`, `is: null`, `is_not` and `not_in` hold.
- Text, numbers, booleans and times are never compared with each other. A time that a store knows as such is compared
  with the time that a text stands for.
- `a.b` is the member b of the field a, unless there is a field with that name.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Callable, Optional

from .errors import Day2Error, InvalidRequest
from .record_batches import Batch, values_of
from .records import canonical, exact, is_finite
from .units import parse_duration, parse_time

Test = Callable[[Any], bool]

_EARLIEST, _SECONDS, _MILLISECONDS, _LATEST = 10**8, 10**11, 10**14, 10**17  # between times since 1970 in s, ms, µs
_USUAL = {19: ("",), 26: (".",)}  # by the length of a time without a zone: what may follow its seconds
_DEEPEST = 20  # groups in groups
_PLAIN = {str, int, type(None)}  # among whose values equal ones are the same
_TIME_LIKE = re.compile(r"\d{4}-?\d\d-?\d\d([T ].*)?")
_YEAR = re.compile(r"(19|2\d)\d\d")
_HINT = "docs/RECORDS.md describes conditions."


class Where:
    """Conditions that all have to hold; without conditions, every record is selected.

    :param now: what `older_than` and `newer_than` count from.
    :param option: how messages name the list.
    :raises InvalidRequest: a condition is not one.

    `fields`: as they are written. `booleans`: those that are compared with true or false. `without_time`: how many
    values were met that `older_than` or `newer_than` were to judge, and that are no times; they are not selected.
    """

    def __init__(self, conditions: Sequence[Any], now: datetime, option: str = "where") -> None:
        self.fields: set[str] = set()
        self.booleans: set[str] = set()
        self.without_time = 0
        self._as_booleans: Collection[str] = ()
        self._now = now
        self._option = option
        self._holds = self._every(conditions, option, 0)

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Whether the record is selected."""
        return self._holds(record)

    def mask(self, records: Sequence[Mapping[str, Any]]) -> list[bool]:
        """Whether each of the records is selected: what many have in common is judged once."""
        columns = [values_of(records, name) for name in self.fields] if self._is_flat(records) else []
        if not columns or not all(_PLAIN.issuperset(map(type, column)) for column in columns):
            return list(map(self._holds, records))
        values = columns[0] if len(columns) == 1 else list(zip(*columns))
        counts = Counter(values)
        if 2 * len(counts) > len(values):
            return list(map(self._holds, records))
        known = {}
        for value, count in counts.items():
            before = self.without_time
            known[value] = self._holds(dict(zip(self.fields, (value,) if len(columns) == 1 else value)))
            self.without_time += (self.without_time - before) * (count - 1)
        return list(map(known.__getitem__, values))

    def _is_flat(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Whether the records are columns, and no condition is on a member of one."""
        return isinstance(records, Batch) and self.fields.issubset(records.names)

    def check_fields(self, names: Collection[str], collection: str) -> None:
        """Raise InvalidRequest when there is a condition on a field that no record has."""
        for name in sorted(self.fields):
            if name not in names and name.partition(".")[0] not in names:
                raise InvalidRequest(
                    f"{self._option}: no record of {collection} has a field {name}.",
                    f"The fields are {', '.join(sorted(names)) or 'none'}.",
                )

    def read_as_booleans(self, fields: Collection[str]) -> None:
        """From now on 0 and 1 in these fields are false and true, as in SQLite, which has no booleans."""
        self._as_booleans = frozenset(fields)

    def _every(self, conditions: Any, path: str, depth: int) -> Test:
        if not isinstance(conditions, (list, tuple)):
            raise InvalidRequest(f"{path} is not a list of conditions.", _HINT)
        tests = [self._condition(one, f"{path}[{number}]", depth) for number, one in enumerate(conditions)]
        return tests[0] if len(tests) == 1 else lambda record: all(test(record) for test in tests)

    def _condition(self, given: Any, path: str, depth: int) -> Test:
        if depth > _DEEPEST:
            raise InvalidRequest(f"{path} is nested too deeply.")
        if not isinstance(given, Mapping):
            raise InvalidRequest(f"{path} is not a condition: it is a dictionary with field and an operator.", _HINT)
        if len(given) == 1 and set(given) <= {"any", "all", "not"}:
            ((group, inner),) = given.items()
            return self._group(group, inner, f"{path}.{group}", depth + 1)
        operators = sorted(set(given) - {"field"})
        if len(operators) != 1 or operators[0] not in _OPERATORS or not isinstance(given.get("field"), str):
            raise InvalidRequest(
                f"{path} needs field and exactly one operator, and has {', '.join(map(str, sorted(given, key=str)))}.",
                f"Operators: {', '.join(_OPERATORS)}. Groups: any, all, not.",
            )
        field, operator = given["field"], operators[0]
        self.fields.add(field)
        try:
            test = _OPERATORS[operator](self, field, given[operator])
        except Day2Error as exc:
            raise InvalidRequest(f"{path}: {operator}: {exc.message}", _HINT) from None
        return lambda record: test(self._value(record, field))

    def _group(self, group: str, inner: Any, path: str, depth: int) -> Test:
        if group == "not":
            return self._not(self._condition(inner, path, depth))
        if group == "all":
            return self._every(inner, path, depth)
        if not isinstance(inner, (list, tuple)) or not inner:
            raise InvalidRequest(f"{path} is not a list of conditions.", _HINT)
        tests = [self._condition(one, f"{path}[{number}]", depth) for number, one in enumerate(inner)]
        return lambda record: any(test(record) for test in tests)

    def _not(self, test: Test) -> Test:
        """A test that does not hold either where a value had to be a time, and is none: nothing is known about it."""

        def opposite(record: Any) -> bool:
            before = self.without_time
            return not test(record) and self.without_time == before

        return opposite

    def _value(self, record: Any, field: str) -> Any:
        value = member_of(record, field)
        if field in self._as_booleans and value.__class__ is int and value in (0, 1):
            return bool(value)
        return value

    def _is(self, field: str, wanted: Any) -> Test:
        if isinstance(wanted, bool):
            self.booleans.add(field)
        return _equal_to(wanted)

    def _is_not(self, field: str, wanted: Any) -> Test:
        equal = self._is(field, wanted)
        return lambda value: not equal(value)

    def _in(self, field: str, wanted: Any) -> Test:
        if not isinstance(wanted, (list, tuple)):
            raise InvalidRequest("the value must be a list.")
        tests = [self._is(field, one) for one in wanted]
        return lambda value: any(test(value) for test in tests)

    def _not_in(self, field: str, wanted: Any) -> Test:
        among = self._in(field, wanted)
        return lambda value: not among(value)

    def _like(self, field: str, wanted: Any) -> Test:
        if not isinstance(wanted, str):
            raise InvalidRequest("the value must be a string with the wildcards * and ?.")
        literal = wanted.replace("[", "[[]")
        matches = re.compile(fnmatch.translate(literal)).match
        return lambda value: isinstance(value, str) and matches(value) is not None

    def _exists(self, field: str, wanted: Any) -> Test:
        if not isinstance(wanted, bool):
            raise InvalidRequest("the value must be true or false.")
        return lambda value: (value is not None) is wanted

    def _older_than(self, field: str, wanted: Any) -> Test:
        limit = self._limit(wanted)
        return self._time_test(lambda when: when < limit)

    def _newer_than(self, field: str, wanted: Any) -> Test:
        limit = self._limit(wanted)
        return self._time_test(lambda when: when > limit)

    def _limit(self, wanted: Any) -> datetime:
        if isinstance(wanted, (date, str)):
            when = instant(wanted) if not isinstance(wanted, str) or _TIME_LIKE.fullmatch(wanted) else None
            if when is not None:
                return when
        if isinstance(wanted, bool) or not isinstance(wanted, (str, int, float)):
            raise InvalidRequest("the value must be a duration such as 90d, or a time.")
        if _YEAR.fullmatch(str(wanted).strip()):
            raise InvalidRequest(f"{wanted} may be a year or seconds: write {wanted}-01-01, or {wanted}s.")
        return self._now - timedelta(seconds=parse_duration(wanted))

    def _time_test(self, holds: Callable[[datetime], bool]) -> Test:
        def test(value: Any) -> bool:
            if value is None:
                return False
            when = instant(value)
            if when is None:
                self.without_time += 1
                return False
            return holds(when)

        return test


def member_of(record: Any, field: str) -> Any:
    """The value of a field, or of a member of it; None if it is missing."""
    if field in record:
        return record[field]
    name, dot, rest = field.partition(".")
    inner = record.get(name) if dot else None
    return member_of(inner, rest) if isinstance(inner, Mapping) else None


def column_of(records: Sequence[Mapping[str, Any]], field: str) -> Sequence[Any]:
    """The values of a field, or of a member of it, in all records; None where it is missing."""
    if isinstance(records, Batch) and field in records.names:
        return values_of(records, field)
    return [member_of(one, field) for one in records]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float, Decimal)):
        return "number"
    if isinstance(value, date):  # which a datetime is
        return "time"
    return type(value).__name__


def _equal_to(wanted: Any) -> Test:
    when = instant(wanted) if isinstance(wanted, str) and _TIME_LIKE.fullmatch(wanted) else None
    kind, written = _kind(wanted), canonical(wanted)

    def test(value: Any) -> bool:
        if when is not None and isinstance(value, date):
            return instant(value) == when
        return _kind(value) == kind and canonical(value) == written

    return test


def _ordered(holds: Callable[[Any, Any], bool]) -> Callable[[Where, str, Any], Test]:
    """An operator that compares the order of two values of one kind."""

    def operator(_where: Where, _field: str, wanted: Any) -> Test:
        kind = _kind(wanted)
        if kind not in ("str", "number", "time"):
            raise InvalidRequest("the value must be a number, a string or a time.")
        when = instant(wanted) if kind == "time" or (kind == "str" and _TIME_LIKE.fullmatch(wanted)) else None
        limit = exact(wanted) if kind == "number" else wanted
        if kind == "number" and limit.is_nan():
            raise InvalidRequest("the value must not be NaN.")

        def test(value: Any) -> bool:
            if isinstance(value, date):
                found = instant(value)
                return when is not None and found is not None and holds(found, when)
            if _kind(value) != kind or kind == "time":
                return False
            if kind != "number":
                return holds(value, limit)
            number = exact(value)
            return not number.is_nan() and holds(number, limit)

        return test

    return operator


def instant(value: Any) -> Optional[datetime]:
    """The instant that a value stands for; None if it is no time. Times without a zone are UTC.

    Numbers, and texts that are one, are seconds, milliseconds or microseconds since 1970, by their size.
    """
    if isinstance(value, str):
        return _text_instant(value)
    if isinstance(value, datetime):
        return value if value.utcoffset() is not None else value.replace(tzinfo=timezone.utc)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=timezone.utc)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    if not is_finite(value) or not _EARLIEST <= value < _LATEST:
        return None
    unit = 1 if value < _SECONDS else 1000 if value < _MILLISECONDS else 10**6
    return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=int(Decimal(value) * (10**6 // unit)))


@functools.lru_cache(maxsize=4096)  # more than a page of records, whose times are asked for more than once
def _text_instant(text: str) -> Optional[datetime]:
    text = text.strip()
    if text[19:20] in _USUAL.get(len(text), ()) and text[4] == text[7] == "-" and text[13] == text[16] == ":":
        try:  # which takes a tenth of the time
            return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
        except ValueError:
            pass
    if text.isascii() and text.isdigit() and len(text) != len("20250630"):
        return instant(int(text)) if len(text) < 20 else None
    try:
        return parse_time(text)
    except InvalidRequest:
        pass
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant(when)


_OPERATORS: dict[str, Callable[[Where, str, Any], Test]] = {
    "is": Where._is,
    "is_not": Where._is_not,
    "in": Where._in,
    "not_in": Where._not_in,
    "less": _ordered(lambda value, limit: value < limit),
    "at_most": _ordered(lambda value, limit: value <= limit),
    "more": _ordered(lambda value, limit: value > limit),
    "at_least": _ordered(lambda value, limit: value >= limit),
    "like": Where._like,
    "exists": Where._exists,
    "older_than": Where._older_than,
    "newer_than": Where._newer_than,
}
