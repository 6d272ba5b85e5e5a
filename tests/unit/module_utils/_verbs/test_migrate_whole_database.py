# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of a schema can change anything in a database: all of it is backed up, and put back."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, TargetError
from tests.conftest import COLLECTIONS, ROOT
from tests.services.postgresql_databases import Database
from tests.unit.module_utils._verbs.migrations import run

pytest.importorskip("psycopg")
pytestmark = pytest.mark.once  # each restore takes a second

MADE = """
CREATE TABLE host (id int PRIMARY KEY, name text, size int);
INSERT INTO host SELECT g, 'host ' || g, g FROM generate_series(1, 20) g;
CREATE VIEW names AS SELECT name FROM host;
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
"""
STEPS = [
    {"version": 1, "up": ["DROP VIEW names", "ALTER TABLE host DROP COLUMN size", "CREATE TYPE mood AS ENUM ('ok')"]},
    {
        "version": 2,
        "up": [
            "CREATE OR REPLACE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 3 * n'",
            "DELETE FROM host WHERE id > 5",
        ],
    },
]
BEFORE = [(20, 210, 20, 4)]


def state_of(database: Database) -> Any:
    with database.connect() as session:
        query = "SELECT count(*), sum(size), (SELECT count(*) FROM names), twice(2) FROM host"
        return session.execute(query).fetchall()


@pytest.fixture
def database(postgresql: dict[str, Any]) -> Iterator[Database]:
    with Database.new(postgresql) as made:
        made.do(MADE)
        yield made


@pytest.fixture
def given(database: Database, tmp_path: Path) -> dict[str, Any]:
    return {
        "name": "app",
        "target": {**database.server, "database": database.name},
        "repository": str(tmp_path / "backups"),
    }


def test_all_of_it_comes_back(database: Database, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="no repository for their backup is set"):
        run(True, **{**given, "repository": None}, schema=STEPS)
    predicted = run(True, **given, schema=STEPS)
    done = run(**given, schema=STEPS)
    assert predicted["schema"]["safety_backup"] == done["schema"]["safety_backup"] == "database"
    assert predicted["warnings"] == done["warnings"] == []
    with database.connect() as session:
        assert session.execute("SELECT count(*), twice(2) FROM host").fetchall() == [(5, 6)]
        with pytest.raises(TargetError, match="is in use by pid"):
            run(**given, state="reverted")
    reverted = [run(check, **given, state="reverted") for check in (True, False, False)]
    assert [one["changed"] for one in reverted] == [True, True, False]
    assert reverted[0]["diff"] == reverted[1]["diff"]
    assert {one["safety_backup"] for one in reverted} == {done["safety_backup"]}
    assert state_of(database) == BEFORE
    assert run(**given, schema=STEPS)["schema"]["applied"] == [1, 2]


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        ("", "the privilege CREATEDB"),
        ("CREATE SCHEMA secret CREATE TABLE t (a int)", "lacks the privileges to read all of the database"),
        ("CREATE SCHEMA other CREATE VIEW v AS SELECT 1 AS a; GRANT USAGE ON SCHEMA other TO PUBLIC", "schema other"),
    ],
)
def test_without_the_rights_to_it_the_records_are_kept(
    statements: str, words: str, database: Database, given: dict[str, Any]
) -> None:
    role = "whole_" + str(os.getpid())
    createdb = "CREATEDB" if "CREATEDB" not in words else ""
    database.admin(
        f"CREATE ROLE {role} LOGIN {createdb} PASSWORD 'x'", f"ALTER DATABASE {database.quoted} OWNER TO {role}"
    )
    try:
        owned = ("SCHEMA public", "TABLE host", "VIEW names", "FUNCTION twice")
        database.do("".join(f"ALTER {one} OWNER TO {role};" for one in owned) + statements)
        given["target"].update(username=role, password="x")
        predicted, done = (run(check, **given, schema=STEPS[1:]) for check in (True, False))
        assert predicted["schema"]["safety_backup"] == done["schema"]["safety_backup"] == "tables"
        for result, verb in ((predicted, "would have only"), (done, "has only")):
            (warning,) = result["warnings"]
            assert verb in warning
            assert words in warning
        assert run(**given, state="reverted")["changed"]
        with database.connect() as session:
            assert session.execute("SELECT count(*), twice(2) FROM host").fetchall() == [(20, 6)]
    finally:
        database.do(f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}")
        database.admin(f"ALTER DATABASE {database.quoted} OWNER TO CURRENT_USER", f"DROP ROLE {role}")


def test_a_killed_run_is_reverted_by_the_next(database: Database, given: dict[str, Any]) -> None:
    run(**given, schema=STEPS)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        words = [sys.executable, ROOT / "tests" / "faults" / "verb.py", "migrate"]
        process = subprocess.Popen(
            [*words, json.dumps({**given, "state": "reverted"}), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": f"{COLLECTIONS}:{ROOT}"},
        )
        with database.connect("postgres") as session:
            while not session.execute("SELECT 1 FROM pg_database WHERE datname LIKE 'day2_new_%'").fetchone():
                assert process.poll() is None
                time.sleep(0.01)
        process.kill()
        process.wait()
    assert run(**given, state="reverted")["changed"]
    assert state_of(database) == BEFORE
    with database.connect("postgres") as session:
        assert session.execute("SELECT 1 FROM pg_database WHERE datname LIKE 'day2_%'").fetchall() == []
