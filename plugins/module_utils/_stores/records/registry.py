# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store types that hold records, by name. To add one: a file like json_records.py, its test, and its lines here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Optional

from ..._core import files
from ..._core.errors import InvalidRequest
from ..dynamodb.options import OPTIONS as DYNAMODB
from ..postgresql.options import OPTIONS as POSTGRESQL
from .store import SourceStore, TargetStore

Keys = Mapping[str, Sequence[str]]


def _json(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..documents.records import JsonRecords

    return JsonRecords(options["path"], keys, workers, options.get("values") == "exact")


def _json_source(options: Mapping[str, Any], keys: Keys, workers: int) -> SourceStore:
    from ..documents.reader import JsonReader

    return JsonReader(options["path"], keys, workers, options.get("values") == "exact")


def _sqlite(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..sqlite.records import SqliteRecords

    return SqliteRecords(files.resolve(options["path"], InvalidRequest), workers=workers)


def _postgresql(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..postgresql.records import PostgresqlRecords

    return PostgresqlRecords(options)


def _dynamodb(options: Mapping[str, Any], keys: Keys, workers: int) -> TargetStore:
    from ..dynamodb.records import DynamodbRecordStore

    return DynamodbRecordStore(options)


class RecordType(NamedTuple):
    """How to open a store, an Ansible argument spec of its options, and the option that it can't do without.

    `read`: how to open it if it is only read, where that is another class.
    """

    load: Callable[[Mapping[str, Any], Keys, int], TargetStore]
    options: dict[str, dict[str, Any]]
    needs: str = ""
    read: Optional[Callable[[Mapping[str, Any], Keys, int], SourceStore]] = None


_PATH = {"path": {"type": "path"}}
TYPES = {
    "dynamodb": RecordType(_dynamodb, DYNAMODB),
    "json": RecordType(
        _json, {**_PATH, "values": {"type": "str", "choices": ["plain", "exact"]}}, "path", _json_source
    ),
    "postgresql": RecordType(_postgresql, POSTGRESQL, "database"),
    "sqlite": RecordType(_sqlite, _PATH, "path"),
}


def argument_spec() -> dict[str, Any]:
    """The suboptions of `source` and `target`: those of every type, each refused where it does not belong."""
    spec: dict[str, Any] = {"type": {"type": "str", "required": True, "choices": sorted(TYPES)}}
    for one in TYPES.values():
        spec.update(one.options)
    return spec


def open_source(parameters: Mapping[str, Any], keys: Keys, workers: int = 1) -> SourceStore:
    """The store that suboptions describe, to be read only. Arguments and errors as of `open_target`."""
    kind, given = _checked(parameters)
    return (kind.read or kind.load)(given, keys, workers)


def open_target(parameters: Mapping[str, Any], keys: Keys, workers: int = 1) -> TargetStore:
    """The store that suboptions describe.

    :param workers: how many processes may read at the same time.
    :raises InvalidRequest: an option of another type, or a missing one.
    """
    kind, given = _checked(parameters)
    return kind.load(given, keys, workers)


def _checked(parameters: Mapping[str, Any]) -> tuple[RecordType, dict[str, Any]]:
    kind = TYPES[parameters["type"]]
    given = {name: value for name, value in parameters.items() if value is not None and name != "type"}
    foreign = sorted(set(given) - set(kind.options))
    if foreign:
        raise InvalidRequest(
            "The option %s does not belong to a store of type %s." % (", ".join(foreign), parameters["type"]),
            "Its options are: %s." % ", ".join(sorted(kind.options)),
        )
    if kind.needs and kind.needs not in given:
        raise InvalidRequest("A store of type %s needs the option %s." % (parameters["type"], kind.needs))
    return kind, given
