# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of JSON that a database writes, with the members that it can't write as we do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ..._core.tagged_json import encode

PLAIN_NAME = re.compile(r"\w+", re.ASCII)  # one that is in JSON what it is, and looks like no tag
MOST = 45  # columns that a database writes: a function of SQLite or PostgreSQL takes at least 100 arguments
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
