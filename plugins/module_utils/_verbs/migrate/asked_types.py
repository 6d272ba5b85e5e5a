# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `types` of a migration: the types of columns, and the units of numbers that are times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..._core.errors import InvalidRequest
from ..._stores.records.times import UNITS

_FORM = re.compile(
    r"\s*([a-z]+(?: precision)?)\s*(?:\(\s*(\d{1,8})\s*(?:,\s*(\d{1,4})\s*)?\))?(?:\s+from\s+([a-z0-9]+))?\s*", re.I
)
_UNITS = {*UNITS, "hex", "base64"}
_OTHER_NAMES = {"decimal": "numeric", "int": "integer", "bool": "boolean"}


class Wanted(NamedTuple):
    """The type of a column, by its name in PostgreSQL.

    :param unit: of numbers that are times, or the notation of bytes as text; "" for none.
    :param size: characters; or digits, and those after the decimal point; or digits of a second.
    """

    kind: str
    unit: str = ""
    size: tuple[int, ...] = ()


Types = Mapping[tuple[str, str], Wanted]


def types_from(params: Mapping[str, Any]) -> dict[tuple[str, str], Wanted]:
    """The types by collection and field.

    :raises InvalidRequest: an entry does not have the form COLLECTION.FIELD: TYPE, or TYPE from UNIT; a type may have a
        size.
    """
    found = {}
    for name, text in (params.get("types") or {}).items():
        collection, _dot, field = name.rpartition(".")
        match = _FORM.fullmatch(str(text))
        if not collection or not field or match is None or (match[4] or "s").lower() not in _UNITS:
            raise InvalidRequest(
                f"types: {name}: {text} is not valid.",
                "Write COLLECTION.FIELD: TYPE, TYPE(SIZE) or TYPE from UNIT, with the unit s, ms or us of times, "
                "and hex or base64 of bytes; for example orders.paid_at: timestamptz from ms.",
            )
        kind = match[1].lower()
        size = tuple(int(one) for one in match.groups()[1:3] if one is not None)
        found[collection, field] = Wanted(_OTHER_NAMES.get(kind, kind), (match[4] or "").lower(), size)
    return found
