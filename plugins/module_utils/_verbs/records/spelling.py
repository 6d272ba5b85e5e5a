# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A uuid has several spellings, of which PostgreSQL returns one: both have to be compared in the same one."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Callable

from ..._stores.records.model import Info, Record

UUID = "uuid"  # the type of a column

_DIGITS = re.compile(r"[0-9a-f]{32}")
_COMPARING = ("is", "is_not", "in", "not_in")  # operators that take values of a field


def respell(value: Any) -> Any:
    """The value of a column of uuids as the database returns it."""
    if not isinstance(value, str):
        return value
    bare = value[1:-1] if value[:1] + value[-1:] == "{}" else value
    digits = bare.lower().replace("-", "")
    if not _DIGITS.fullmatch(digits):
        return value
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _uuids(info: Info) -> frozenset[str]:
    """The fields that are uuids."""
    return frozenset(field.name for field in info.fields if field.native == UUID and not info.document)


def respelling(info: Info) -> Callable[[Sequence[Record]], Sequence[Record]]:
    """A function that returns records as the database returns them once it has stored them."""
    uuids = _uuids(info)
    if not uuids:
        return lambda records: records
    return lambda records: [
        {name: respell(value) if name in uuids else value for name, value in record.items()} for record in records
    ]


def conditions_of(info: Info, given: Any) -> Any:
    """The conditions of a user with the values as the database returns them."""
    uuids = _uuids(info)
    return _conditions(uuids, given) if uuids else given


def _conditions(uuids: Collection[str], given: Any) -> Any:
    if isinstance(given, (list, tuple)):
        return [_conditions(uuids, one) for one in given]
    if not isinstance(given, Mapping):
        return given
    compared = isinstance(given.get("field"), str) and given["field"] in uuids
    return {operator: _operand(uuids, operator, value, compared) for operator, value in given.items()}


def _operand(uuids: Collection[str], operator: Any, value: Any, compared: bool) -> Any:
    if operator in ("any", "all", "not"):
        return _conditions(uuids, value)
    if not compared or operator not in _COMPARING:
        return value
    return [respell(one) for one in value] if isinstance(value, (list, tuple)) else respell(value)
