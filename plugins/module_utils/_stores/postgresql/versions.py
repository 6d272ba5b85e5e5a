# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of a schema of PostgreSQL."""

# ruff: noqa: S608 names are quoted by `qualified`
from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from ..._core.errors import TargetError
from ..._core.units import format_time
from ..records.versions import COLUMNS, TABLE, Step, shown
from .client import errors, identifier, with_values
from .ddl import qualified


def read_versions(connection: Any, schema: str) -> dict[int, str]:
    """The digests of the steps that were applied, by version (`Versioned.versions`)."""
    table = qualified(schema, TABLE)
    if connection.execute("SELECT to_regclass(%s)", (table,)).fetchone()[0] is None:
        return {}
    return dict(connection.execute(f"SELECT version, digest FROM {table}").fetchall())


def take_step(connection: Any, schema: str, step: Step, statements: Sequence[str]) -> bool:
    """Apply a step (`Versioned.take_step`). The caller has begun the transaction."""
    # Held until the transaction ends: of two runs at once the second one sees what the first has done.
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", ("day2 schema versions of " + schema,))
    if step.version in read_versions(connection, schema):
        return False
    connection.execute(f"SET LOCAL search_path TO {identifier(schema)}")
    for statement in statements:
        with errors(TargetError, f"Version {step.version} of the schema {schema} ({shown(statement)})"):
            connection.execute(statement, prepare=True)  # which the server does with one statement only
    table, moment = qualified(schema, TABLE), format_time(datetime.now(timezone.utc))
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({COLUMNS})")
    connection.execute(
        f"INSERT INTO {with_values(table)} VALUES (%s, %s, %s)",
        (step.version, step.digest, moment),
    )
    return True
