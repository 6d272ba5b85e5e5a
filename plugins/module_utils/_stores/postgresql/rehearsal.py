# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Determines what a server refuses about new tables, in a transaction that is rolled back.

Names of system columns, too many columns, missing extensions, types and schemas, foreign keys to columns that are not
unique: the server knows all its rules, and each version has its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..records.model import Info
from . import client as postgresql_client
from . import ddl as postgresql_ddl
from .catalog import describe, names_in

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '1s'"


def problems(connection: Any, schema: str, infos: Sequence[Info]) -> list[str]:
    """The reasons why these tables cannot be created. Existing ones are skipped."""
    found: list[str] = []
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL client_min_messages = warning")
        connection.execute(_LOCK_TIMEOUT)
        tables = {one.stored.name for one in describe(connection, schema)}
        new = [info for info in infos if info.stored.name not in tables]
        made = [
            info for info in new if not _refused(connection, [postgresql_ddl.create_table(info, schema)], info, found)
        ]
        taken = names_in(connection, schema)
        existing = {one.stored.name: one for one in describe(connection, schema)}
        for info in made:
            found_there = existing.get(info.stored.name)
            statements = postgresql_ddl.after_data(info, schema, found_there, list(existing), taken)
            _refused(connection, statements, info, found)
    return found


def _refused(connection: Any, statements: Sequence[str], info: Info, found: list[str]) -> bool:
    """Whether one of the statements is refused. The reason is then added to `found`."""
    before = len(found)
    for statement in statements:
        found.extend(f"{info.name}: {words}" for words in _tried(connection, statement))
    return len(found) > before


def _tried(connection: Any, statement: str) -> Iterator[str]:
    try:
        with connection.transaction():
            connection.execute(statement)
    except postgresql_client.psycopg.errors.LockNotAvailable:  # others use the table that it refers to: not known
        return
    except postgresql_client.psycopg.Error as exc:
        yield (exc.diag.message_primary or str(exc)).strip(". ")
