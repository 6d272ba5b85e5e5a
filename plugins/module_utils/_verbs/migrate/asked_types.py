# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option `types` of a migration: which type a column gets, and the unit of numbers that are times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..._core.errors import InvalidRequest
from ..._stores.records.times import UNITS

_FORM = re.compile(r"\s*([a-z]+)(?:\s+from\s+([a-z]+))?\s*", re.I)


class Wanted(NamedTuple):
    """The type that a column gets; `unit` of numbers that are times, "" for none."""

    kind: str
    unit: str = ""


Types = Mapping[tuple[str, str], Wanted]


def types_from(params: Mapping[str, Any]) -> dict[tuple[str, str], Wanted]:
    """By collection and field.

    :raises InvalidRequest: an entry is not of the form COLLECTION.FIELD: TYPE, or TYPE from UNIT.
    """
    found = {}
    for name, text in (params.get("types") or {}).items():
        collection, _dot, field = name.rpartition(".")
        match = _FORM.fullmatch(str(text))
        if not collection or not field or match is None or (match[2] and match[2] not in UNITS):
            raise InvalidRequest(
                "types: %s: %s can't be understood." % (name, text),
                "It is COLLECTION.FIELD: TYPE, or TYPE from UNIT with the unit s, ms or us; for example"
                " orders.paid_at: timestamptz from ms.",
            )
        found[collection, field] = Wanted(match[1].lower(), match[2] or "")
    return found
