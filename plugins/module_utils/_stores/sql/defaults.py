# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Defaults of columns that other SQL stores also have: literals, and the time at which a record is written.

That time is CURRENT_TIMESTAMP, CURRENT_DATE or CURRENT_TIME in `Field.default`, however a store spells it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Optional

from ..._core.errors import Day2Error
from ..._core.units import parse_time
from ..records.model import BOOLEAN, DATE, DECIMAL, INTEGER, JSON, REAL, TEXT, TIMESTAMP, TIMESTAMPTZ, Info

NOW, TODAY, CLOCK = "CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"
_LITERAL = re.compile(
    r"\(?('(?:[^']|'')*'|[-+]?[0-9][0-9.eE+-]*|NULL|true|false|CURRENT_(?:TIMESTAMP|DATE|TIME))\)?", re.I
)
_CAST = re.compile(r"::[a-z_ ]+(?:\([0-9, ]+\))?$", re.I)
# and what fields can have them as they are
MOMENTS = {NOW: (TEXT, TIMESTAMP, TIMESTAMPTZ), TODAY: (TEXT, DATE), CLOCK: (TEXT,)}


_BOOLEANS = {
    **dict.fromkeys(("1", "'1'", "'t'", "'true'"), "true"),
    **dict.fromkeys(("0", "'0'", "'f'", "'false'"), "false"),
}


def portable_default(text: Optional[str], kind: str, spellings: Mapping[str, str]) -> Optional[str]:
    """A default in the form of `Field.default`; None if there is none, or if it is an expression of one store only.

    :param spellings: of the time in this store, without spaces and in lower case.
    """
    plain = (text or "").strip()
    known = spellings.get(re.sub(r"\s", "", plain).lower())
    if known is not None:
        return known
    match = _LITERAL.fullmatch(_CAST.sub("", plain))
    if match is None:
        return None
    literal = match[1].upper() if match[1][0] in "cC" else match[1]
    if kind == BOOLEAN:
        return _BOOLEANS.get(literal.lower(), literal)
    return literal


def fitting(info: Info) -> tuple[Info, tuple[str, ...]]:
    """The collection without defaults that no value of their column can have, and these defaults in words."""
    wrong = {field.name for field in info.fields if field.default is not None and not _fits(field.default, field.kind)}
    if not wrong:
        return info, ()
    fields = tuple(field._replace(default=None) if field.name in wrong else field for field in info.fields)
    words = [f"the default of {one.name} ({one.default})" for one in info.fields if one.name in wrong]
    return info._replace(fields=fields), tuple(words)


def _fits(default: str, kind: str) -> bool:
    if default in MOMENTS:
        return kind in MOMENTS[default]
    if default.upper() == "NULL":
        return True
    quoted = default.startswith("'")
    text = default[1:-1].replace("''", "'") if quoted else default
    if kind == TEXT:
        # SQLite and PostgreSQL write other numbers, and truth, each in its own way
        return quoted or text.isdigit()
    if kind == BOOLEAN:
        return default.lower() in ("true", "false")
    # bytes are spelled by each store in its own way
    return kind in _PARSERS and (quoted or kind in _NUMBERS) and _parses(_PARSERS[kind], text)


def _parses(parse: Callable[[str], Any], text: str) -> bool:
    try:
        parse(text)
    except (ValueError, Day2Error):
        return False
    return True


def _structure(text: str) -> None:
    """A JSON default, which would be plain text in another store."""
    if not isinstance(json.loads(text), (dict, list)):
        raise ValueError


_NUMBERS = (INTEGER, REAL, DECIMAL)
_PARSERS: dict[str, Callable[[str], Any]] = {
    INTEGER: int,
    REAL: float,
    DECIMAL: float,
    JSON: _structure,
    TIMESTAMP: datetime.fromisoformat,
    TIMESTAMPTZ: parse_time,
    DATE: date.fromisoformat,
}
