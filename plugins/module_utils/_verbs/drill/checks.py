# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checks of a restored store beyond its comparison with the backup, by type."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from typing import Any

from ..._core.errors import Day2Error, NoSpace, SourceError
from ..._core.units import plural
from ..._repository.manifest import SourcePart
from ..snapshots import NamedStore
from .outcome import Report, Unsound
from .prefixes import NATIVE

_SHOWN = 3


def check_restored(entry: NamedStore, part: SourcePart, integrity: str, report: Report) -> None:
    """Check one store. Raises Unsound when it is not as it should be."""
    if part.type == "sqlite":
        _check_sqlite(entry, integrity, report)
    elif part.parameters.get("method") == NATIVE:
        _check_tables(entry, part, report)
    elif part.type == "files":
        report.checks.append(
            f"{part.name}: names, content, owners and modes equal the backup, as far as this user can set them"
        )


def _check_tables(entry: NamedStore, part: SourcePart, report: Report) -> None:
    """Tables that AWS has restored from its own backups. It keeps no digests: their keys are compared, and all of their
    items are read."""
    from ..._stores.dynamodb.backup.references import references_of  # only here: see _stores/registry.py
    from ..._stores.dynamodb.tables import key_of

    store: Any = entry.store
    references, items = references_of(part.details), 0
    for one in references:
        table = store.described(one.name)
        if table.key != key_of(part.details["tables"][one.name]["settings"]["arguments"]):
            raise Unsound(f"{part.name}: AWS has restored the DynamoDB table {one.table} with another key.")
        found = store.reader.tally(table).items
        if one.bytes and not found:
            report.warnings.append(
                f"AWS has restored the DynamoDB table {one.table} without items, but its backup has {one.bytes} bytes "
                "according to AWS, whose figure can be six hours older than the backup."
            )
        items += found
    report.checks.append(
        f"{part.name}: AWS has restored {plural(len(references), 'table')}, whose keys equal the backup and whose "
        f"{plural(items, 'item')} can be read; their content was not compared, as AWS keeps no digests"
    )


def _check_sqlite(entry: NamedStore, integrity: str, report: Report) -> None:
    from ..._stores.sqlite.check import FULL, PRAGMAS, inspect  # only here: see _stores/registry.py
    from ..._stores.sqlite.file import connect, sqlite_errors

    path, name = entry.store.path, entry.name
    try:
        with sqlite_errors(SourceError, "Can't read", path), contextlib.closing(connect(path, "rw")) as connection:
            found = inspect(connection, path, FULL)
            dangling, unknown = _foreign_keys(connection)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"CREATE TABLE day2_drill_{secrets.token_hex(8)} (x)")
            connection.execute("ROLLBACK")
    except NoSpace:
        raise
    except Day2Error as exc:
        if "disk I/O error" in exc.message:  # of the scratch place: nothing was wrong when it was written
            raise
        raise Unsound(f"{name}: {exc.message}", exc.hint) from exc
    report.warnings += found.notes
    report.checks.append(f"{name}: PRAGMA {PRAGMAS[found.made]} found nothing, and it can be written")
    if not dangling and not unknown:
        report.checks.append(f"{name}: no foreign key is dangling")
        return
    said = [f"records have dangling foreign keys: {_listed(dangling)}."] if dangling else []
    said += [f"foreign keys can't be checked: {_listed(unknown)}."] if unknown else []
    message = f"{name}: {' '.join(said)}"
    if integrity == "fail":
        raise Unsound(message, "Correct them in the database in use, or set integrity=warn.")
    report.warnings.append(message)


def _listed(problems: Sequence[str]) -> str:
    return "; ".join(problems[:_SHOWN]) + ("; …" if len(problems) > _SHOWN else "")


def _foreign_keys(connection: Any) -> tuple[list[str], list[str]]:
    """The foreign keys without the record that they refer to; and why others can't be checked, such as one that refers
    to columns that are not unique. Applications that do not switch foreign keys on work with these."""
    from ..._stores.sqlite.file import sqlite3  # only here: see _stores/registry.py

    query = "SELECT parent, count(*) FROM pragma_foreign_key_check(?) GROUP BY 1 ORDER BY 1"
    dangling, unknown = [], []
    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0 ORDER BY 1"
    for (table,) in connection.execute(tables).fetchall():
        try:
            found = connection.execute(query, (table,)).fetchall()
        except sqlite3.OperationalError as exc:
            if "foreign key mismatch" not in str(exc):
                raise
            unknown.append(str(exc))
            continue
        dangling += [f"{count} in {table} to {parent}" for parent, count in found]
    return dangling, unknown
