# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists for columns with arrays that an application has created: from documents, from JSON text, or from the text that
PostgreSQL has for an array.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from ..records.model import Refused
from .values import copy_text

# Arrays of these can be written; the name of an array's type is that of its elements after "_".
ELEMENTS = frozenset(
    {"text", "varchar", "citext", "int2", "int4", "int8", "bool", "numeric", "float8", "uuid", "date"}
    | {"timestamp", "timestamptz"}
)
_PART = re.compile(r'\s*(?:([{},])|"((?:[^"\\]|\\.)*)"|((?:[^{},"\\]|\\.)+))', re.S)
_MODIFIERS = re.compile(r"\((\d+)(?:,(\d+))?\)")


def element_of(column: Any) -> Any:
    """The column (`Column`) that one element of an array would be."""
    found = _MODIFIERS.search(column.native)
    numbers = tuple(int(one) for one in found.groups() if one) if found else ()
    name = column.type[1:]
    if name == "numeric" and len(numbers) == 1:
        numbers = (*numbers, 0)
    timed = name in ("timestamp", "timestamptz")
    precision = numbers[0] if timed and numbers else 6
    size = () if timed else numbers
    return column._replace(type=name, native=column.native[:-2], size=size, precision=precision)


def model_of(element: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that converts a value to a list of what `element` makes of its elements. It raises Refused."""

    def convert(value: Any) -> Any:
        if isinstance(value, list):
            return [convert(one) for one in value]
        return None if value is None else element(value)

    def model(value: Any) -> Any:
        found = _listed(value)
        _check_shape(found)
        return convert(found) if any(True for _one in _leaves(found)) else []

    return model


def text(_value: Any, model: Any) -> str:
    """The array for COPY."""
    return copy_text(_written(model))


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        if value.startswith("{"):
            return _parsed(value)
        try:
            found = json.loads(value, parse_float=Decimal)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, list):
            return found
    raise Refused("is not a list")


def _parsed(literal: str) -> list[Any]:
    """The elements of the text of an array; all are text, or null."""
    stack: list[list[Any]] = [[]]
    place, last = 0, ""
    while place < len(literal):
        match = _PART.match(literal, place)
        if match is None:
            raise Refused("is not a list")
        mark, quoted, bare = match.groups()
        place = match.end()
        if (mark == "," and last in ("", "{", ",")) or (mark == "}" and last == ","):
            raise Refused("is not a list")
        last = mark or ("" if bare and not bare.strip() else '"')
        if mark == "{":
            stack.append([])
        elif mark == "}":
            if len(stack) < 2:
                raise Refused("is not a list")
            inner = stack.pop()
            stack[-1].append(inner)
        elif quoted is not None:
            stack[-1].append(re.sub(r"\\(.)", r"\1", quoted, flags=re.S))
        elif bare is not None and bare.strip():
            word = re.sub(r"\\(.)", r"\1", bare.strip(), flags=re.S)
            stack[-1].append(None if word.upper() == "NULL" else word)
    if len(stack) != 1 or len(stack[0]) != 1 or not isinstance(stack[0][0], list):
        raise Refused("is not a list")
    found: list[Any] = stack[0][0]
    return found


def _leaves(value: list[Any]) -> Iterator[Any]:
    for one in value:
        if isinstance(one, list):
            yield from _leaves(one)
        else:
            yield one


def _check_shape(value: list[Any]) -> tuple[int, ...]:
    """The lengths of an array in each dimension; Refused if its parts differ."""
    parts = {_check_shape(one) if isinstance(one, list) else () for one in value}
    if len(parts) > 1:
        raise Refused("is a list whose parts have different lengths")
    return (len(value), *next(iter(parts), ()))


def _written(model: Any) -> str:
    if isinstance(model, list):
        return "{" + ",".join(map(_written, model)) + "}"
    if model is None:
        return "NULL"
    word = model.isoformat() if isinstance(model, date) else str(model)  # a time is a date
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
