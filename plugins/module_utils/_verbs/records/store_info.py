# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""store_info: what a store holds, how large it is, and how much of that is free. Nothing of the store is written."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ..._core.errors import InvalidRequest
from ..._core.progress import Progress
from ..._core.units import format_size, parse_duration, plural
from ..._stores.records.inspection import OF_STORE, Figures
from ..._stores.records.registry import argument_spec, open_inspection
from .growth import SizeHistory, no_growth

ARGUMENTS: dict[str, Any] = {
    "argument_spec": {
        "store": {"type": "dict", "required": True, "options": argument_spec()},
        "deep": {"type": "bool", "default": False},
        "history": {"type": "path"},
        "growth_over": {"type": "str", "default": "7d"},
    }
}


def request_from(params: Mapping[str, Any]) -> float:
    """Check the arguments of the module. Returns the seconds of `growth_over`.

    :raises InvalidRequest: they are not valid.
    """
    store = params["store"]
    for name in ("values", "bytes"):
        if store.get(name) is not None:
            raise InvalidRequest(f"store: the option {name} does not apply to store_info.", "Omit it.")
    return parse_duration(params["growth_over"])


def run(params: Mapping[str, Any], check: bool, progress: Progress) -> dict[str, Any]:
    """The whole verb. Check mode adds no entry to the history."""
    began = time.monotonic()
    over = request_from(params)
    deep = params["deep"]
    with open_inspection(params["store"]) as store:
        history = SizeHistory(params["history"], store.location) if params["history"] else None
        figures = store.figures(deep, progress)
    figures.complete(OF_STORE, f"stores of type {store.type} do not have it")
    if history is None:
        no_growth(figures)
    else:
        now = time.time()
        history.compare(figures, deep, over, now)
        if not check:
            history.add(figures, deep, now)
    return {
        "changed": False,
        "store": store.location,
        "type": store.type,
        "deep": deep,
        **figures.result(),
        "msg": _message(store.location, figures),
        "duration_s": round(time.monotonic() - began, 3),
    }


def _message(location: str, figures: Figures) -> str:
    collections, size = figures.get("collections"), figures.get("bytes")
    if collections is None:
        what = plural(len(figures.get("databases") or ()), "file")
    else:
        what = plural(len(collections), "collection")
    text = f"{location}: {what}, {'' if not figures.is_estimated('bytes') else 'about '}{format_size(size)}"
    free = figures.get("free_percent")
    if free is not None:
        text += f", {'about ' if figures.is_estimated('free_percent') else ''}{free:g} % of it free"
    missing = figures.get("foreign_keys_without_index")
    if missing:
        text += f"; {plural(len(missing), 'foreign key')} without an index"
    invalid = figures.get("invalid_indexes")
    if invalid:
        text += f"; {plural(len(invalid), 'invalid index', 'invalid indexes')}"
    return text + "."
