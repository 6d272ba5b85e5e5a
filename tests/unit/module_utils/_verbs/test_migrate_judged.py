# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records that only PostgreSQL can judge, with copies of its tables."""

from __future__ import annotations

import uuid
from pathlib import Path

import psycopg
import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from tests.unit.module_utils._verbs.migrations import Store, Stores, four_steps, run, sql

MANY = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1001) "
LARGE = "hex(randomblob(6000))"


@pytest.mark.parametrize("bad", [0, 700, 1001])
def test_more_records_than_are_copied_at_once_into_a_table_with_checks(
    stores: Stores, tmp_path: Path, bad: int
) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)")
    sql(source, MANY + f"INSERT INTO t SELECT i, CASE i WHEN {bad} THEN -1 ELSE i END FROM n")
    sql(target, "CREATE TABLE t (id bigint PRIMARY KEY, v bigint CHECK (v > 0))")
    done = four_steps(source, target, rejects=str(tmp_path / "rejects"), max_rejects=1)
    assert done["migration"]["errors"] == (1 if bad else 0)
    assert sql(target, "SELECT count(*) FROM t") == [(1000 if bad else 1001,)]


@pytest.mark.parametrize("large", [200, 700])
def test_more_records_than_are_copied_at_once_with_a_large_entry_of_an_index(
    stores: Stores, tmp_path: Path, large: int
) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    sql(source, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT UNIQUE)")
    sql(source, MANY + f"INSERT INTO t SELECT i, CASE i WHEN {large} THEN {LARGE} ELSE 'x' || i END FROM n")
    done = four_steps(source, target, rejects=str(tmp_path / "rejects"), max_rejects=1)
    assert done["migration"]["errors"] == 1
    assert sql(target, "SELECT count(*) FROM t") == [(1000,)]


KEYED = ("CREATE TABLE t (k TEXT PRIMARY KEY, v INTEGER)", "INSERT INTO t VALUES ('a', 1), ('b', 2)")


@pytest.mark.parametrize("tables", ["create", "existing"])
@pytest.mark.parametrize(
    "columns",
    [
        "id serial PRIMARY KEY, k text NOT NULL UNIQUE, v int CHECK (v > 0)",
        "id bigserial, k text NOT NULL UNIQUE, v int CHECK (v > 0), PRIMARY KEY (k, id)",
        "id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id IS NOT NULL), k text NOT NULL UNIQUE, v int",
        "k text PRIMARY KEY, v int, n int DEFAULT 7 CHECK (n IS NOT NULL AND v < n), at date NOT NULL DEFAULT now()",
        "k text PRIMARY KEY, v int, n text NOT NULL DEFAULT '''', m int NOT NULL GENERATED ALWAYS AS (ascii(n)) STORED",
    ],
)
def test_columns_that_only_the_target_has_are_left_to_it(
    stores: Stores, tmp_path: Path, tables: str, columns: str
) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    for statement in KEYED:
        sql(source, statement)
    sql(target, f"CREATE TABLE t ({columns})")
    given = {"target_tables": tables, "on_existing": "merge", "safety_backup": False}
    four_steps(source, target, **given)
    assert sql(target, "SELECT k, v FROM t ORDER BY k") == [("a", 1), ("b", 2)]
    sql(source, "UPDATE t SET v = 3 WHERE k = 'b'")
    sql(source, "INSERT INTO t VALUES ('c', 4)")
    four_steps(source, target, **given)
    assert sql(target, "SELECT k, v FROM t ORDER BY k") == [("a", 1), ("b", 3), ("c", 4)]


def test_what_is_wrong_beside_a_key_of_the_target_is_still_told(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    for statement in (*KEYED, "UPDATE t SET v = -1 WHERE k = 'b'"):
        sql(source, statement)
    sql(target, "CREATE TABLE t (id serial PRIMARY KEY, k text NOT NULL UNIQUE, v int CHECK (v > 0))")
    for tables, words in (("create", "can't store 1 record of t"), ("existing", "violate the constraint t_v_check")):
        for check in (True, False):
            with pytest.raises(TargetError, match=words):
                run(check, source=source, target=target, target_tables=tables)


def test_entries_of_a_key_of_the_target_may_be_too_large(stores: Stores, tmp_path: Path) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    for statement in (
        "CREATE TABLE t (k TEXT PRIMARY KEY, v TEXT)",
        f"INSERT INTO t VALUES ('a', 'x'), ('b', {LARGE})",
    ):
        sql(source, statement)
    sql(target, "CREATE TABLE t (id serial, k text NOT NULL UNIQUE, v text CHECK (v <> ''), PRIMARY KEY (id, v))")
    done = four_steps(source, target, rejects=str(tmp_path / "rejects"), max_rejects=1)
    assert done["migration"]["errors"] == 1


def test_old_rows_need_not_keep_to_a_check_that_is_not_valid(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    for statement in KEYED:
        sql(source, statement)
    sql(target, "CREATE TABLE t (k text PRIMARY KEY, v int); INSERT INTO t VALUES ('z', -5)")
    sql(target, "ALTER TABLE t ADD CONSTRAINT positive CHECK (v > 0) NOT VALID")
    given = {"target_tables": "existing", "on_existing": "merge", "safety_backup": False}
    four_steps(source, target, **given)
    assert sql(target, "SELECT k, v FROM t ORDER BY k") == [("a", 1), ("b", 2), ("z", -5)]
    sql(source, "INSERT INTO t VALUES ('c', -1)")
    for check in (True, False):
        with pytest.raises(TargetError, match="t: some records violate the constraint positive"):
            run(check, source=source, target=target, **given)


def test_old_rows_that_no_copy_takes_leave_it_to_the_run(stores: Stores) -> None:
    source, target = stores("sqlite"), stores("postgresql")
    for statement in (*KEYED, "CREATE TABLE c (id INTEGER PRIMARY KEY, k TEXT)", "INSERT INTO c VALUES (1, 'a')"):
        sql(source, statement)
    function = "CREATE OR REPLACE FUNCTION good (int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 %s 0'"
    sql(target, function % "<")
    sql(target, "CREATE TABLE t (k text PRIMARY KEY, v int CHECK (good(v))); INSERT INTO t VALUES ('z', -5)")
    sql(target, "CREATE TABLE c (id int PRIMARY KEY, k text REFERENCES t (k))")
    sql(target, function % ">")
    given = {"target_tables": "existing", "on_existing": "merge", "safety_backup": False}
    told = [one for one in run(True, source=source, target=target, **given)["warnings"] if "WAL mode" not in one]
    assert ["Whether the table t accepts all records" in one for one in told] == [True]
    assert run(source=source, target=target, **given)["warnings"] == []
    assert sql(target, "SELECT k, v FROM t ORDER BY k") == [("a", 1), ("b", 2), ("z", -5)]


def test_without_temporary_tables_the_run_will_know(stores: Stores, postgresql: Store) -> None:
    source = stores("sqlite")
    for statement in KEYED:
        sql(source, statement)
    name = "plain_" + uuid.uuid4().hex[:10]
    target = {**postgresql, "database": name, "username": name}
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(f"CREATE ROLE {name} LOGIN")
        server.execute(f"CREATE DATABASE {name}")
        server.execute(f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname=name, autocommit=True) as server:
        server.execute(
            f"CREATE TABLE t (k text PRIMARY KEY, v int CHECK (v > 0)); GRANT ALL ON SCHEMA public TO {name}"
        )
        server.execute(f"GRANT ALL ON t TO {name}; ALTER TABLE t OWNER TO {name}")
    told = run(True, source=source, target=target)["warnings"]
    told = [one for one in told if "WAL mode" not in one]
    assert ["permission denied to create temporary tables" in one for one in told] == [True]
    assert run(source=source, target=target)["warnings"] == []
    with psycopg.connect(host=postgresql["host"], user="postgres", dbname="postgres", autocommit=True) as server:
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
