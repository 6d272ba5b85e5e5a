# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transitions of a state machine, with their history: many subjects in batches, and one at a time."""
# peers: pg_ctlcluster=postgresql

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from common import ROOT, SCALE, Table, fresh

sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / ".cache" / "collections"))

from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._verbs.records import lifecycle
from tests.services import postgresql

SUBJECTS = [f"customer{number:06}" for number in range(200_000 // SCALE)]
ONE_BY_ONE = 200
CREATE = "CREATE TABLE customers (username VARCHAR(40) PRIMARY KEY, email TEXT, stage TEXT)"
MACHINE = {
    "name": "customer",
    "collection": "customers",
    "key": "username",
    "state_field": "stage",
    "initial": "active",
    "states": ["active", "suspended"],
    "transitions": [
        {"name": "suspend", "from": "active", "to": "suspended", "requires_reason": True},
        {"name": "reactivate", "from": "suspended", "to": "active"},
    ],
}


def move(store: dict[str, Any], **params: Any) -> float:
    spec = lifecycle.ARGUMENTS["argument_spec"]
    values = {name: one.get("default") for name, one in spec.items()}
    values.update(store=store, machine=MACHINE, history={"collection": None, "create": True}, **params)
    began = time.perf_counter()
    lifecycle.run(values, False, Progress(""))
    return time.perf_counter() - began


def measure(table: Table, store: dict[str, Any], promised: int) -> None:
    table.title(f"{len(SUBJECTS)} transitions in {store['type']}, with history, 2,000 in a transaction")
    seconds = move(store, subjects=SUBJECTS, state="suspended", reason="unpaid")
    table.row("day2.ops (once)", seconds, f"{len(SUBJECTS) / seconds:.0f} events/s")
    table.at_least("thousand events per second", len(SUBJECTS) / seconds / 1000, promised / 1000, "")
    alone = [move(store, subject=subject, state="active") for subject in SUBJECTS[:ONE_BY_ONE]]
    table.row("one, with its connection (median)", statistics.median(alone))
    table.ratio("milliseconds", 1000 * statistics.median(alone), 10, "ms")


def main() -> None:
    table = Table()
    (directory,) = fresh("records")
    directory.mkdir()
    path = Path(directory) / "dotmac.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(CREATE)
        database.executemany("INSERT INTO customers VALUES (?, 'x', 'active')", [(one,) for one in SUBJECTS])
        database.commit()
    measure(table, {"type": "sqlite", "path": str(path)}, 80_000)
    with postgresql.cluster("listen_addresses=") as server:
        import psycopg

        with psycopg.connect(host=server["host"], user=server["username"], dbname="postgres") as connection:
            connection.execute(CREATE)
            connection.execute("INSERT INTO customers SELECT unnest(%s::text[]), 'x', 'active'", (SUBJECTS,))
        measure(table, {**server, "type": "postgresql", "database": "postgres"}, 35_000)
    table.end()


if __name__ == "__main__":
    main()
