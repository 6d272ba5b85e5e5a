# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store types, by name. To add one: a package like files/ with its store.py, its test, and its lines here.

The code of a type is imported when a store of that type is opened, and what reads and writes data when it is used:
Ansible compiles a module again for each task, and a task with nothing to do would spend most of its time on code that
it does not need. It is also only sent to hosts for stores of that type: imports by name are not followed by
ansible-core (plugin_utils/payload.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, NamedTuple

from .._core.errors import InvalidRequest
from .base import Store
from .command.options import OPTIONS as COMMAND
from .dynamodb.backup.options import OPTIONS as DYNAMODB
from .dynamodb.backup.options import RESTORE_OPTIONS as DYNAMODB_RESTORE
from .postgresql.cluster.options import OPTIONS as POSTGRESQL
from .postgresql.cluster.options import RESTORE_OPTIONS
from .ssm.options import OPTIONS as SSM


class StoreType(NamedTuple):
    """Its module here and its class, and an Ansible argument spec of its options except type, name and path.

    The spec has no defaults: None means "not set".
    """

    module: str
    name: str
    options: dict[str, dict[str, Any]]
    is_path: bool = True  # it lies at a path, which is required; else its options say where it is
    restore_options: Mapping[str, dict[str, Any]] = {}  # of the targets of a restore, in addition

    def load(self) -> type[Store]:
        """Import the class."""
        store: type[Store] = getattr(import_module(f".{self.module}", __package__), self.name)
        return store

    def accepted(self) -> list[str]:
        """The names of its options, for people."""
        return [*(["path"] if self.is_path else []), "name", *sorted({**self.options, **self.restore_options})]


_GLOBS = {"type": "list", "elements": "str"}
STORES = {
    "command": StoreType("command.store", "CommandStore", COMMAND, is_path=False),
    "dynamodb": StoreType(
        "dynamodb.backup.store", "DynamodbStore", DYNAMODB, is_path=False, restore_options=DYNAMODB_RESTORE
    ),
    "files": StoreType("files.store", "FilesStore", {"include": _GLOBS, "exclude": _GLOBS}),
    "json": StoreType(
        "documents.store",
        "JsonStore",
        {"layout": {"type": "str", "choices": ["single_file", "file_per_collection", "file_per_record"]}},
    ),
    "postgresql": StoreType(
        "postgresql.cluster.store", "PostgresqlStore", POSTGRESQL, is_path=False, restore_options=RESTORE_OPTIONS
    ),
    "ssm": StoreType("ssm.store", "SsmStore", SSM, is_path=False),
    "sqlite": StoreType("sqlite.store", "SqliteStore", {"check": {"type": "str", "choices": ["full", "quick"]}}),
}


def has_path(name: str) -> bool:
    """Whether stores of that type, of migrations too, are a file or a directory."""
    return name in STORES and STORES[name].is_path


def argument_spec(restore: bool = False) -> dict[str, Any]:
    """The suboptions of `source` and `target`: those of every type, each refused where it does not belong.

    :param restore: with those of the target of a restore.
    """
    spec: dict[str, Any] = {
        "type": {"type": "str", "required": True, "choices": sorted(STORES)},
        "path": {"type": "path"},
        "name": {"type": "str"},
    }
    for store in STORES.values():
        spec.update(store.options)
        spec.update(store.restore_options if restore else {})
    return spec


def open_store(parameters: Mapping[str, Any]) -> Store:
    """The store that suboptions describe. Raises InvalidRequest for an option of another type, or a missing path."""
    store = STORES[parameters["type"]]
    given = {name: value for name, value in parameters.items() if value is not None and name != "type"}
    foreign = sorted(set(given) - set(store.accepted()))
    if foreign:
        raise InvalidRequest(
            f"{', '.join(foreign)} is not an option of stores of type {parameters['type']}.",
            f"The options are: {', '.join(store.accepted())}.",
        )
    if store.is_path and "path" not in given:
        raise InvalidRequest(f"path is required for a store of type {parameters['type']}.", "Set it.")
    options = {name: value for name, value in given.items() if name not in ("path", "name")}
    return store.load()(given.get("path", ""), options)
