# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of JSON that are not written record by record: by a database, or from columns."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring
from typing import Any

from ..._core.tagged_json import encode
from .model import BOOLEAN, INTEGER, TEXT

PLAIN_NAME = re.compile(r"\w+", re.ASCII)  # one that is in JSON what it is, and looks like no tag
MOST = 45  # columns that a database writes: a function of SQLite takes at least 100 arguments
_NUMBERS = {int, float, type(None)}


def with_members(lines: Sequence[Any], names: Sequence[str], columns: Sequence[Sequence[Any]]) -> list[Any]:
    """The lines, which are objects with members, with one more for each column. Empty lines are not changed."""
    for name, column in zip(names, columns):
        head = f', "{name}": '
        lines = [f"{line[:-1]}{head}{text}}}" if line else line for line, text in zip(lines, _texts(column))]
    return list(lines)


def _texts(values: Sequence[Any]) -> Iterable[str]:
    """The JSON texts of values."""
    if _NUMBERS.issuperset(map(type, values)):
        return encode(values)[1:-1].split(", ")  # at once: no number contains a comma, nor does an infinite one
    return map(encode, values)


class LineWriter:
    """Writes lines from columns, which takes half of the time that it takes record by record.

    :param fields: names that are `PLAIN_NAME`, and kinds.
    """

    def __init__(self, fields: Sequence[tuple[str, str]]) -> None:
        self._fields = fields

    def lines(self, columns: Sequence[Sequence[Any]]) -> list[str]:
        """The lines of records with these values of the fields, integers as texts."""
        parts: list[Iterable[str]] = []
        before = "{"
        for (name, kind), column in zip(self._fields, columns):
            quote, texts = _members(kind, column)
            parts += itertools.repeat(f'{before}"{name}": {quote}'), texts
            before = f"{quote}, "
        return list(map("".join, zip(*parts, itertools.repeat(before[:-2] + "}"))))


def _members(kind: str, column: Sequence[Any]) -> tuple[str, Iterable[str]]:
    """The quotation mark around each text, or none, and the texts."""
    if kind == TEXT:
        return _quoted(column)
    if kind == INTEGER:
        return "", ["null" if one is None else one for one in column] if None in column else column
    return "", map(_BOOLEANS.__getitem__, column) if kind == BOOLEAN else _texts(column)


def _quoted(column: Sequence[Any]) -> tuple[str, Iterable[str]]:
    if None in column:
        return "", ["null" if one is None else encode_basestring(one) for one in column]
    whole = "".join(column)
    if len(encode_basestring(whole)) == len(whole) + 2:  # nothing is to be escaped
        return '"', column
    return "", map(encode_basestring, column)


_BOOLEANS = {None: "null", False: "false", True: "true"}
