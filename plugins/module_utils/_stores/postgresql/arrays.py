# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays of PostgreSQL as lists, for stores that have lists. Another PostgreSQL gets their exact text."""

from __future__ import annotations

from typing import Any

from ..._core.tagged_json import encode as encode_json
from ..records.model import JSON, TEXT, Field, Info, Refused


def is_array(field: Field) -> bool:
    """Whether a column has arrays."""
    return field.native.endswith("[]")


def as_lists(info: Info) -> Info:
    """The table with arrays as lists."""
    fields = tuple(one._replace(kind=JSON) if one.kind == TEXT and is_array(one) else one for one in info.fields)
    return info._replace(fields=fields)


def literal(field: Field, value: Any) -> str:
    """A list as the text of an array.

    :raises Refused: it is not a list.
    """
    if not isinstance(value, list):
        raise Refused(f"the column {field.name} is an array, but the value is not a list")
    return _written(value)


def _written(value: Any) -> str:
    if isinstance(value, list):
        return f"{{{','.join(map(_written, value))}}}"
    if value is None:
        return "NULL"
    text = value if isinstance(value, str) else encode_json(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
