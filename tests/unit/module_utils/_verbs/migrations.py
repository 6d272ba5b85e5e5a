# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations as the module calls them, between real stores."""

from __future__ import annotations

import sqlite3
from typing import Any, Callable

from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import migrate
from tests.services.stores import Store
from tests.unit.module_utils.verbs import run_verb

Stores = Callable[[str], Store]


def run(check: bool = False, **params: Any) -> dict[str, Any]:
    values = {name: one.get("default") for name, one in migrate.ARGUMENTS["argument_spec"].items()}
    values.update(params)
    return run_verb(migrate, values, check)


def four_steps(source: Store, target: Store, **params: Any) -> dict[str, Any]:
    """Check, run, check, run."""
    first = run(True, source=source, target=target, **params)
    done = run(source=source, target=target, **params)
    again = [run(check, source=source, target=target, **params) for check in (True, False)]
    assert [first["changed"], done["changed"], *[one["changed"] for one in again]] == [True, True, False, False]
    assert first["diff"] == done["diff"]
    return done


def connected(store: Store) -> Any:
    """A connection to a PostgreSQL store, in its schema."""
    import psycopg

    server = psycopg.connect(host=store["host"], user="postgres", dbname="postgres", autocommit=True)
    server.execute(f"SET search_path = {store['schema']}")
    return server


def sql(store: Store, statement: str) -> list[Any]:
    if store["type"] == "sqlite":
        connection = sqlite3.connect(store["path"])
        with connection:
            rows = connection.execute(statement).fetchall()
        connection.close()
        return rows
    import psycopg

    with psycopg.connect(host=store["host"], user="postgres", dbname="postgres") as connection:
        connection.execute("SET search_path TO " + store["schema"])
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []
