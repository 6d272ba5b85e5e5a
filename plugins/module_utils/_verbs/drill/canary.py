# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A canary: a time in the data that is written before each backup. What a backup has of it shows what would be lost."""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple, Optional

from ..._core.errors import InvalidRequest, SourceError
from ..._core.files import is_within, open_regular
from ..._core.paths import is_safe
from ..._core.units import format_duration, format_time, parse_duration, parse_time
from ..._repository.manifest import Manifest, SourcePart
from ..arguments import optional
from ..snapshots import NamedStore
from .outcome import Report, Unsound

ARGUMENTS: dict[str, Any] = {
    "store": {"type": "str"},
    "table": {"type": "str"},
    "column": {"type": "str"},
    "file": {"type": "str"},
    "field": {"type": "str"},
    "max_age": {"type": "str"},
}
_NEEDS = {"sqlite": ("table", "column"), "postgresql": ("table", "column"), "files": ("file",), "json": ("field",)}
_MAY = {"json": ("file",), "files": ("field",)}  # a file of a directory; a field of a JSON file
_SKEW = timedelta(minutes=1)
_LARGEST = 1 << 12  # bytes of a file with a time
_SECONDS = re.compile(r"[0-9]{9,11}(\.[0-9]+)?")  # since 1970, as text; shorter ones are dates without dashes


class Canary(NamedTuple):
    """Where the time is. `max_age` is in seconds."""

    store: Optional[str]
    where: Mapping[str, str]
    max_age: Optional[float]


def canary_from(given: Optional[Mapping[str, Any]]) -> Optional[Canary]:
    """Check the option. Raises InvalidRequest."""
    if not given:
        return None
    where = {name: given[name] for name in ("table", "column", "file", "field") if given.get(name)}
    if not where:
        raise InvalidRequest(
            "canary does not contain the location of the time.", "Set table and column, file, or field."
        )
    if "file" in where and not is_safe(os.fsencode(where["file"])):
        raise InvalidRequest(f"canary.file is {where['file']}.", "Set it to a path relative to the store.")
    if "field" in where:
        from ..._probes.json_path import parse_path  # only here: see _stores/registry.py

        parse_path(where["field"])
    return Canary(given.get("store"), where, optional(given.get("max_age"), parse_duration))


def part_of(canary: Canary, parts: Sequence[SourcePart]) -> SourcePart:
    """The part of a backup that has the canary. Raises InvalidRequest."""
    names = [part.name for part in parts]
    if canary.store is None and len(parts) > 1:
        raise InvalidRequest("canary does not name a store.", f"Set canary.store to one of: {', '.join(names)}.")
    part = next((one for one in parts if canary.store in (None, one.name)), None)
    if part is None:
        raise InvalidRequest(f"The backup has no part {canary.store}.", f"Its parts are: {', '.join(names)}.")
    needed = _NEEDS.get(part.type)
    if needed is None:
        raise InvalidRequest(f"A canary in a store of type {part.type} is not possible.", "Omit canary.")
    databases = sorted(part.details["databases"]) if part.type == "postgresql" else []
    if len(databases) > 1 and database_of(canary) not in databases:
        raise InvalidRequest(
            f"canary.table does not name one of the databases in the backup: {', '.join(databases)}.",
            "Set it to DATABASE.SCHEMA.TABLE.",
        )
    if set(canary.where) - {*needed, *_MAY.get(part.type, ())} or set(needed) - set(canary.where):
        raise InvalidRequest(
            f"canary for a store of type {part.type} requires {' and '.join(needed)}.", "Set only what it requires."
        )
    return part


def database_of(canary: Canary) -> str:
    """The database that DATABASE.SCHEMA.TABLE names; "" if it names none."""
    database, _dot, table = canary.where.get("table", "").partition(".")
    return database if "." in table else ""


def measure(canary: Canary, entry: NamedStore, manifest: Manifest, report: Report, newest: bool) -> None:
    """Read the time from what was restored, and put what it shows into the report.

    :raises Unsound: it is missing, or was too old when the backup was made.
    :param newest: whether the backup is the newest one, so that its age is what would be lost now.
    """
    written = _time(_value(canary, entry), canary)
    behind = (manifest.created - written).total_seconds()
    report.canary = {"written": format_time(written), "behind_s": round(behind, 3)}
    if written > manifest.created + _SKEW:
        report.warnings.append(
            f"The canary is dated {format_duration(-behind)} after the backup: clocks differ, so it measures nothing."
        )
        return
    if canary.max_age is not None and behind > canary.max_age:
        raise Unsound(
            f"The canary was {format_duration(behind)} old when the backup was made; "
            f"{format_duration(canary.max_age)} is allowed.",
            "Check that the canary is written before each backup, and that the backup reads the store in use.",
        )
    report.checks.append(f"the canary was {format_duration(max(0.0, behind))} old when the backup was made")
    if newest:
        report.rpo = round(max(0.0, (datetime.now(timezone.utc) - written).total_seconds()), 3)


def _value(canary: Canary, entry: NamedStore) -> Any:
    path, where = entry.store.path, canary.where
    try:
        if entry.store.type == "sqlite":
            return _of_table(path, where["table"], where["column"])
        if entry.store.type == "postgresql":
            return _of_database(entry.store, where["table"], where["column"])
        return _of_file(_inside(path, where["file"]) if "file" in where else path, where.get("field"))
    except SourceError as exc:
        raise Unsound(
            f"The canary can't be read: {exc.message}",
            "Check the option canary, and the program that writes the canary.",
        ) from exc


def _of_table(path: str, table: str, column: str) -> Any:
    from ..._stores.sqlite.file import connect, sqlite_errors  # only here: see _stores/registry.py
    from ..._stores.sqlite.schema import identifier

    with sqlite_errors(SourceError, "Can't read", path), contextlib.closing(connect(path, "ro")) as connection:
        # A name that does not exist would be a text in double quotes.
        known = [row[1] for row in connection.execute(f"PRAGMA table_xinfo({identifier(table)})")]
        if column.lower() not in [one.lower() for one in known]:
            raise SourceError(f"{table} has no column {column}." if known else f"There is no table {table}.")
        return connection.execute(f"SELECT max({identifier(column)}) FROM {identifier(table)}").fetchone()[0]


def _of_database(store: Any, table: str, column: str) -> Any:
    """:param table: NAME, SCHEMA.NAME or DATABASE.SCHEMA.NAME."""
    from ..._stores.postgresql.client import errors, identifier  # only here: see _stores/registry.py
    from ..._stores.postgresql.ddl import qualified

    schema, _dot, name = table.rpartition(".")
    schema = schema.rpartition(".")[2]
    with store.server.connect(store.databases[0]) as session, errors(SourceError, f"Can't read {table}"):
        query = f"SELECT max({identifier(column)}) FROM {qualified(schema or 'public', name)}"
        return session.execute(query).fetchone()[0]


def _inside(root: str, name: str) -> str:
    """A file of what was restored. A link that leads out of it would be read in the store in use, or anywhere."""
    path = os.path.join(root, name)
    directory = os.path.realpath(os.path.dirname(path))
    if not is_within(directory, os.path.realpath(root)):
        raise SourceError(f"{name} leads out of the store, to {directory}, which is not in the backup.")
    return path


def _of_file(path: str, field: Optional[str]) -> Any:
    with os.fdopen(open_regular(path, SourceError), "rb") as handle:
        if field is None:
            return handle.read(_LARGEST).decode("utf-8", "replace").strip()
        from ..._probes.json_path import parse_path  # only here: see _stores/registry.py

        try:
            found = parse_path(field).find(json.load(handle))
        except (ValueError, RecursionError) as exc:
            raise SourceError(f"{path} is not JSON: {exc}.") from exc
    return max((value for _place, value in found), key=str, default=None)


def _time(value: Any, canary: Canary) -> datetime:
    where = ".".join(canary.where.values())
    if value in (None, ""):
        raise Unsound(
            f"The backup has no canary: {where} is empty.",
            "Check the option canary, and the program that writes the canary.",
        )
    try:
        if isinstance(value, datetime):  # of a column without time zone, in UTC
            return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
        if isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            return datetime.fromtimestamp(float(value), timezone.utc)
        if _SECONDS.fullmatch(str(value)):
            return datetime.fromtimestamp(float(value), timezone.utc)
        return parse_time(str(value))
    except (InvalidRequest, ValueError, OverflowError, OSError):
        raise Unsound(
            f"The canary {where} is {str(value)[:60]!r}, which is not a time.", "Write it in ISO 8601, or as seconds."
        ) from None
