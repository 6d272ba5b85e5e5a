# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store types, by name. To add one: a package like files/ with its store.py, its test, and its lines here.

A type's code is imported when a store of that type is opened: a module is compiled anew for each task, and a task that
finds nothing to do would spend most of its time on compiling what it does not need.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, NamedTuple

from .._core.errors import InvalidRequest
from .base import Store


def _files() -> type[Store]:
    from .files.store import FilesStore

    return FilesStore


def _json() -> type[Store]:
    from .documents.store import JsonStore

    return JsonStore


def _sqlite() -> type[Store]:
    from .sqlite.store import SqliteStore

    return SqliteStore


class StoreType(NamedTuple):
    """How to get at the class, and an Ansible argument spec of its options beside type, name and path.

    No defaults in the spec: None means "not given".
    """

    load: Callable[[], type[Store]]
    options: dict[str, dict[str, Any]]


_GLOBS = {"type": "list", "elements": "str"}
STORES = {
    "files": StoreType(_files, {"include": _GLOBS, "exclude": _GLOBS}),
    "json": StoreType(
        _json, {"layout": {"type": "str", "choices": ["single_file", "file_per_collection", "file_per_record"]}}
    ),
    "sqlite": StoreType(_sqlite, {"check": {"type": "str", "choices": ["full", "quick"]}}),
}


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
            f"{', '.join(foreign)} is not an option of stores of type {parameters['type']}.",
            f"The options are: {', '.join(['path', 'name', *sorted(store.options)])}.",
        )
    return store.load()(parameters["path"], given)
