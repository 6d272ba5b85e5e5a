# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A migration into an application's own tables that is killed at any moment: all is as it was, or all is done."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path
from typing import Any

import psycopg

from tests.conftest import TIMES
from tests.faults.support import Calls, run, run_watched, run_with
from tests.services.stores import schema

KILLS = 4 * TIMES
TARGET = """
CREATE TABLE alembic_version (version_num varchar PRIMARY KEY);
CREATE TABLE people (id serial PRIMARY KEY, boss int, name varchar(20) UNIQUE, active boolean, at timestamptz);
CREATE TABLE notes (id serial PRIMARY KEY, person int NOT NULL REFERENCES people ON DELETE CASCADE);
ALTER TABLE people ADD CONSTRAINT boss FOREIGN KEY (boss) REFERENCES people;
CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'fired'; END $$;
INSERT INTO alembic_version VALUES ('1'); INSERT INTO people VALUES (7, NULL, 'old'); INSERT INTO notes VALUES (1, 7);
CREATE TRIGGER never BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION never();
"""
STATE = """
SELECT (SELECT string_agg(p::text, ',' ORDER BY id) FROM people p), (SELECT string_agg(n::text, ',') FROM notes n),
  (SELECT string_agg(conname || pg_get_constraintdef(oid), ',' ORDER BY conname) FROM pg_constraint
   WHERE connamespace = current_schema()::regnamespace),
  (SELECT string_agg(tgname || tgenabled::text, ',') FROM pg_trigger
   WHERE tgname = 'never' AND tgrelid = 'notes'::regclass)
"""


def ask(store: dict[str, Any], query: str) -> list[Any]:
    with psycopg.connect(host=store["host"], user="postgres", dbname="postgres") as connection:
        connection.execute("SET search_path = {}".format(store["schema"]))
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []


def test_a_killed_run_leaves_the_tables_as_they_were(tmp_path: Path, postgresql: dict[str, Any]) -> None:
    source = {"type": "sqlite", "path": str(tmp_path / "source.db")}
    with contextlib.closing(sqlite3.connect(source["path"])) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT PRIMARY KEY)")
        database.execute("INSERT INTO alembic_version VALUES ('1')")
        database.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, boss INT, name TEXT, active BOOLEAN, at TEXT)")
        database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, person INT)")
        people = [(n, 300 - n if n < 299 else None, f"n{n}", n % 2, "2024-01-01 10:00:00Z") for n in range(1, 300)]
        database.executemany("INSERT INTO people VALUES (?, ?, ?, ?, ?)", people)
        database.executemany("INSERT INTO notes VALUES (?, ?)", [(n, n % 299 + 1) for n in range(1, 600)])

    def params(target: dict[str, Any]) -> dict[str, Any]:
        more = {"on_existing": "replace", "repository": str(tmp_path / "backups"), "name": "people"}
        return {"source": source, "target": target, **more}

    def fresh() -> dict[str, Any]:
        target = schema(postgresql)
        ask(target, TARGET)
        return target

    dry, sent = fresh(), Calls(["sendto"])
    before = ask(dry, STATE)
    done = run_watched(sent, "migrate", params(dry))
    assert done.status == 0, done.error
    after = ask(dry, STATE)
    calls = max(sent.counts.values())
    assert after[0][2:] == before[0][2:]
    ended = set()
    some = range(calls // 2, calls - 5)
    # the last calls are nearest to the commit
    for number in [*random.Random(1).sample(some, min(KILLS, len(some))), *range(calls - 4, calls)]:
        target = fresh()
        stopped = run_with("signal=KILL", f"sendto:{number}", "migrate", params(target))
        assert stopped.killed or stopped.status == 0, stopped.error
        found = ask(target, STATE)
        assert found in (before, after), number
        ended.add(found == after)
        again = run("migrate", params(target))
        assert again.status == 0, (number, again.error)
        assert ask(target, STATE) == after
    assert ended == {True, False}
