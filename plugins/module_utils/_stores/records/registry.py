# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store types that hold records, by name. "How to add a record store" in docs/DESIGN.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple

from ..._core import files
from ..._core.errors import InvalidRequest
from ..dynamodb.options import OPTIONS as DYNAMODB
from ..postgresql.options import OPTIONS as POSTGRESQL
from ..sql.lifecycle import LifecycleTables
from .inspection import Inspection
from .optimizing import Optimizer
from .purger import Purger
from .store import SourceStore, TargetStore

Keys = Mapping[str, Sequence[str]]


def _json_source(options: Mapping[str, Any], keys: Keys, workers: int) -> SourceStore:
    from ..documents.source import JsonSource

    if options.get("bytes"):
        raise InvalidRequest(
            "bytes is for a target.", "To read such text as bytes, set types, for example to 'bytea from hex'."
        )
    return JsonSource(options["path"], keys, workers, options.get("values") == "exact")


def _json_target(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..documents.target import JsonTarget

    exact = options.get("values") == "exact"
    if exact and options.get("bytes"):
        raise InvalidRequest("bytes is for documents with values=plain.", "Leave it out, or set values=plain.")
    return JsonTarget(options["path"], keys, workers, exact, bytes_as=options.get("bytes") or "base64")


def _sqlite_source(options: Mapping[str, Any], keys: Keys, workers: int) -> SourceStore:
    from ..sqlite.source import SqliteSource

    return SqliteSource(files.resolve(options["path"], InvalidRequest), workers=workers)


def _sqlite_target(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..sqlite.target import SqliteTarget

    return SqliteTarget(files.resolve(options["path"], InvalidRequest), workers=workers)


def _postgresql_source(options: Mapping[str, Any], keys: Keys, workers: int) -> SourceStore:
    from ..postgresql.source import PostgresqlSource

    return PostgresqlSource(options)


def _postgresql_target(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..postgresql.target import PostgresqlTarget

    return PostgresqlTarget(options)


def _dynamodb_source(options: Mapping[str, Any], keys: Keys, workers: int) -> SourceStore:
    from ..dynamodb.source import DynamodbSource

    return DynamodbSource(options)


def _dynamodb_target(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..dynamodb.target import DynamodbTarget

    return DynamodbTarget(options)


def _sqlite_editor(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..sqlite.editor import SqliteEditor

    return SqliteEditor(files.resolve(options["path"], InvalidRequest))


def _postgresql_editor(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..postgresql.editor import PostgresqlEditor

    return PostgresqlEditor(options)


def _dynamodb_editor(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..dynamodb.editor import DynamodbEditor

    return DynamodbEditor(options)


class RecordType(NamedTuple):
    """How a store is opened to be read, to be written, and for changes of single records; an Ansible argument spec of
    its options, and the required option.
    """

    source: Callable[[Mapping[str, Any], Keys, int], SourceStore]
    target: Callable[[Mapping[str, Any], Keys, int], TargetStore]
    editor: Callable[[Mapping[str, Any], Keys, int], TargetStore]
    options: dict[str, dict[str, Any]]
    required: str = ""


_PATH: dict[str, dict[str, Any]] = {"path": {"type": "path"}}
_DOCUMENT: dict[str, dict[str, Any]] = {
    **_PATH,
    "values": {"type": "str", "choices": ["plain", "exact"]},
    "bytes": {"type": "str", "choices": ["base64", "hex"]},
}
TYPES = {
    "dynamodb": RecordType(_dynamodb_source, _dynamodb_target, _dynamodb_editor, DYNAMODB),
    "json": RecordType(_json_source, _json_target, _json_target, _DOCUMENT, "path"),
    "postgresql": RecordType(_postgresql_source, _postgresql_target, _postgresql_editor, POSTGRESQL, "database"),
    "sqlite": RecordType(_sqlite_source, _sqlite_target, _sqlite_editor, _PATH, "path"),
}


def argument_spec() -> dict[str, Any]:
    """The suboptions of `source` and `target`: those of all types. Those of another type are refused when a store is
    opened.
    """
    spec: dict[str, Any] = {"type": {"type": "str", "required": True, "choices": sorted(TYPES)}}
    for one in TYPES.values():
        spec.update(one.options)
    return spec


def open_source(parameters: Mapping[str, Any], keys: Keys, workers: int = 1) -> SourceStore:
    """The store that suboptions describe, for reading only. Parameters and errors are those of `open_target`."""
    kind, given = _checked(parameters)
    return kind.source(given, keys, workers)


def open_target(parameters: Mapping[str, Any], keys: Keys, workers: int = 1) -> TargetStore:
    """The store that suboptions describe.

    :param workers: how many processes may read at the same time.
    :raises InvalidRequest: an option of another type is set, or the required one is missing.
    """
    kind, given = _checked(parameters)
    return kind.target(given, keys, workers)


def open_editor(parameters: Mapping[str, Any], keys: Keys) -> TargetStore:
    """The store that suboptions describe, for changes of records while its application writes, too: an `Editor`, or a
    target with `replaces_atomically`. Errors are those of `open_target`.
    """
    kind, given = _checked(parameters)
    return kind.editor(given, keys, 1)


def open_purger(parameters: Mapping[str, Any], keys: Keys) -> Purger:
    """The store that suboptions describe, to remove records while its application writes, too. Parameters and errors
    are those of `open_target`.
    """
    _kind, given = _checked(parameters)
    if parameters["type"] == "sqlite":
        from ..sqlite.purger import SqlitePurger

        return SqlitePurger(files.resolve(given["path"], InvalidRequest))
    if parameters["type"] == "postgresql":
        from ..postgresql.purger import PostgresqlPurger

        return PostgresqlPurger(given)
    if parameters["type"] == "dynamodb":
        from ..dynamodb.purger import DynamodbPurger

        return DynamodbPurger(given)
    from ..documents.purger import JsonPurger

    return JsonPurger(given["path"], keys, exact=given.get("values") == "exact")


def open_lifecycle(parameters: Mapping[str, Any], machine: str, history: str, *, write: bool) -> LifecycleTables:
    """The database that suboptions describe, with the records of a state machine. Errors are those of `open_target`.

    :param history: the name of the table with the history of the machine.
    """
    _kind, given = _checked(parameters)
    if parameters["type"] == "sqlite":
        from ..sqlite.lifecycle import SqliteLifecycle

        return SqliteLifecycle(given, machine, history, write=write)
    from ..postgresql.lifecycle import PostgresqlLifecycle

    return PostgresqlLifecycle(given, machine, history, write=write)


def open_inspection(parameters: Mapping[str, Any]) -> Inspection:
    """The store that suboptions describe, to be looked at. Errors are those of `open_target`."""
    _kind, given = _checked(parameters)
    if parameters["type"] == "sqlite":
        from ..sqlite.inspection import SqliteInspection

        return SqliteInspection(given)
    if parameters["type"] == "postgresql":
        from ..postgresql.inspection import PostgresqlInspection

        return PostgresqlInspection(given)
    if parameters["type"] == "dynamodb":
        from ..dynamodb.inspection import DynamodbInspection

        return DynamodbInspection(given)
    from ..documents.inspection import JsonInspection

    return JsonInspection(given)


def open_optimizer(parameters: Mapping[str, Any]) -> Optimizer:
    """The database that suboptions describe, to be optimized. Errors are those of `open_target`.

    :raises InvalidRequest: a store of this type has nothing to optimize.
    """
    _kind, given = _checked(parameters)
    if parameters["type"] == "sqlite":
        from ..sqlite.optimizer import SqliteOptimizer

        return SqliteOptimizer(given)
    if parameters["type"] == "postgresql":
        from ..postgresql.optimizer import PostgresqlOptimizer

        return PostgresqlOptimizer(given)
    raise InvalidRequest(
        f"Stores of type {parameters['type']} have nothing to optimize.", "The types are postgresql and sqlite."
    )


def _checked(parameters: Mapping[str, Any]) -> tuple[RecordType, dict[str, Any]]:
    kind = TYPES[parameters["type"]]
    given = {name: value for name, value in parameters.items() if value is not None and name != "type"}
    foreign = sorted(set(given) - set(kind.options))
    if foreign:
        raise InvalidRequest(
            f"{', '.join(foreign)} is not an option of stores of type {parameters['type']}.",
            f"The options are: {', '.join(sorted(kind.options))}.",
        )
    if kind.required and kind.required not in given:
        raise InvalidRequest(f"Stores of type {parameters['type']} require the option {kind.required}.")
    return kind, given
