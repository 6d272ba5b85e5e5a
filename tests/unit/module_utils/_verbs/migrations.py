# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Migrations as the module calls them, between real stores."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any, Callable

from ansible_collections.day2.ops.plugins.module_utils._verbs.migrate import migrate
from tests.services.stores import Store
from tests.services.waiting import PATIENCE, wait_for
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


@contextlib.contextmanager
def deadlock(store: Store, first: str, second: str) -> Iterator[None]:
    """Another transaction, which executes `first`, and then `second` once somebody waits for it in the block: that one
    is ended by PostgreSQL if `second` has to wait for it.
    """
    begun = threading.Event()

    def other() -> None:
        with connected(store) as client, client.transaction(), connected(store) as observer:
            client.execute("SET LOCAL deadlock_timeout = '10min'")  # PostgreSQL ends the transaction that looks first
            client.execute(first)
            begun.set()
            waiting = "SELECT 1 FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
            wait_for(lambda: observer.execute(waiting, [client.info.backend_pid]).fetchone())
            client.execute(second)

    thread = threading.Thread(target=other)
    thread.start()
    try:
        assert begun.wait(PATIENCE)
        yield
    finally:
        thread.join()
