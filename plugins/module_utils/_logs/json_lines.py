# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads logs whose lines are JSON objects, by the shapes of their lines; lines without a shape are parsed one by
one."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import Any, Callable, Optional

from .fields import ROLES, Columns, Fields
from .json_shape import Shape, shape_of
from .tally import Tally

_MOST_SHAPES = 16
_BATCH = 256  # lines parsed one by one before the shapes are tried again
_SAMPLES = 32  # lines of a batch from which a new shape may be made
_TAUGHT_BY = 2  # lines


class _Raw(str):
    """A number as written."""


_decode = json.JSONDecoder(parse_float=_Raw, parse_int=_Raw, parse_constant=_Raw).decode


class JsonLines:
    """Adds blocks of lines to a tally.

    :param bad: called with each line that is not a JSON object.
    """

    def __init__(self, fields: Fields, tally: Tally, bad: Callable[[bytes], None]) -> None:
        self._fields = fields
        self._tally = tally
        self._bad = bad
        self._shapes: dict[bytes, Shape] = {}
        self._hits: Counter[bytes] = Counter()

    def block(self, data: bytes) -> int:
        """Add lines, each preceded by a newline, with one after the last. Returns their number."""
        count, learning = 0, True
        while True:
            if learning:
                taken, data = self._by_shape(data)
                count += taken
            lines = data.split(b"\n", _BATCH + 1)[1:]
            data = b"\n" + lines.pop()
            count += len(lines)
            learning = self._one_by_one([line for line in lines if line.strip()])
            if len(data) <= 1:
                return count

    def _by_shape(self, data: bytes) -> tuple[int, bytes]:
        """The number of lines that match the shapes, and the other lines."""
        count = 0
        for source in sorted(self._shapes, key=self._hits.__getitem__, reverse=True):
            if len(data) <= 1:
                break
            columns, data = self._shapes[source].take(data)
            self._hits[source] += columns.lines
            count += columns.lines
            self._tally.add(columns)
        return count, data

    def _one_by_one(self, lines: list[bytes]) -> bool:
        """Parse lines. Returns whether there is a new shape."""
        groups: defaultdict[float, list[dict[str, bytes]]] = defaultdict(list)  # by the unit of durations
        taught: Counter[bytes] = Counter()
        learned = False
        for number, line in enumerate(lines):
            values = parse(line)
            if values is None:
                self._bad(line)
                continue
            found = self._fields.pick(values)
            unit = self._fields.unit(found["duration"][0]) if "duration" in found else 1.0
            groups[unit].append({role: _bytes(value) for role, (_name, value) in found.items()})
            if number < _SAMPLES:
                learned = self._learn(line, taught) or learned
        for unit, rows in groups.items():
            roles = [role for role in ROLES if any(role in row for row in rows)]
            lists: dict[str, Any] = {role: [row.get(role) for row in rows] for role in roles}
            self._tally.add(Columns(len(rows), unit=unit, **lists))
        return learned

    def _learn(self, line: bytes, taught: Counter[bytes]) -> bool:
        shape = shape_of(line, self._fields)
        if shape is None:
            return False
        source = shape.expression.pattern
        taught[source] += 1
        if source in self._shapes or taught[source] < _TAUGHT_BY:
            return False
        if len(self._shapes) >= _MOST_SHAPES:
            rarest = min(self._shapes, key=self._hits.__getitem__)
            del self._shapes[rarest]
            self._hits.clear()  # a shape that was common may have become rare
        self._shapes[source] = shape
        return True


def parse(line: bytes) -> Optional[dict[str, Any]]:
    """The members of a line, with numbers as written; None if it is not a JSON object."""
    try:
        values = _decode(line.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _bytes(value: Any) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode("utf-8", "backslashreplace")  # a lone surrogate is valid JSON
