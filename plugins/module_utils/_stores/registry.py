# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store types, by name. To add one: a file like json_store.py, its test, and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import InvalidRequest
from .base import Store
from .files_store import FilesStore
from .json_store import JsonStore
from .sqlite_store import SqliteStore

STORES: dict[str, type[Store]] = {one.type: one for one in (JsonStore, SqliteStore, FilesStore)}


def argument_spec() -> dict[str, Any]:
    """The suboptions of `source` and `target`: those of every type, each refused where it does not belong."""
    spec: dict[str, Any] = {
        "type": {"type": "str", "required": True, "choices": sorted(STORES)},
        "path": {"type": "path", "required": True},
        "name": {"type": "str"},
    }
    for store in STORES.values():
        spec.update(store.options)
    return spec


def open_store(parameters: Mapping[str, Any]) -> Store:
    """The store that suboptions describe. Raises InvalidRequest for an option of another type."""
    store = STORES[parameters["type"]]
    given = {
        name: value for name, value in parameters.items() if value is not None and name not in ("type", "path", "name")
    }
    foreign = sorted(set(given) - set(store.options))
    if foreign:
        raise InvalidRequest(
            "The option {} does not belong to a store of type {}.".format(", ".join(foreign), store.type),
            "Its options are: {}.".format(", ".join(["path", "name", *sorted(store.options)])),
        )
    return store(parameters["path"], given)
