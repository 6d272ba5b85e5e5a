# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Existing tables with rules of their own: unique values beside the key, triggers, defaults; roles without rights."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import TargetError
from tests.unit.module_utils._verbs.migrations import Store, Stores, connected, run, sql

PARENT = "CREATE TABLE users (id INTEGER PRIMARY KEY, v TEXT)"
CHILD = "CREATE TABLE child (id INTEGER PRIMARY KEY, u INTEGER REFERENCES users (id) ON DELETE CASCADE)"
TREE = "CREATE TABLE users (id INTEGER PRIMARY KEY, up INTEGER%s)"
USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT)"
LOOSE = USERS.replace(" UNIQUE", "")


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(store: Store, *statements: str) -> Store:
    for statement in statements:
        sql(store, statement)
    return store


def rows(store: Store) -> list[Any]:
    return sql(store, "SELECT * FROM users ORDER BY id")


def refused(match: str, target: Store, **params: Any) -> TargetError:
    """Both check mode and the run refuse it in the same words, and nothing is changed."""
    before = rows(target)
    errors = []
    for check in (True, False):
        with pytest.raises(TargetError, match=match) as found:
            run(check, target=target, safety_backup=False, **params)
        errors.append((found.value.message, found.value.hint))
        assert rows(target) == before
    assert errors[0] == errors[1]
    assert "Nothing was changed" in found.value.hint
    return found.value


def moved(source: Store, target: Store, **params: Any) -> dict[str, Any]:
    first = run(True, source=source, target=target, safety_backup=False, **params)
    done = run(source=source, target=target, safety_backup=False, **params)
    assert first["diff"] == done["diff"]
    assert not run(True, source=source, target=target, safety_backup=False, **params)["changed"]
    return done


def test_a_unique_value_of_another_record_that_stays_is_refused(stores: Stores, kind: str) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', 'y')")
    target = made(stores(kind), USERS, "INSERT INTO users VALUES (50, 'a', 'z')")
    match = r"users: the record \[1\] of the source and \[50\] of the target have the same email"
    refused(match, target, source=source, on_existing="merge")


@pytest.mark.parametrize("mode", ["fail", "merge", "replace"])
def test_a_unique_value_that_the_source_has_twice_is_refused(stores: Stores, kind: str, mode: str) -> None:
    values = "(1, 'a', 'x'), (2, 'a', 'y'), (3, NULL, 'z'), (4, NULL, 'z')"
    source = made(stores("sqlite"), LOOSE, f"INSERT INTO users VALUES {values}")
    match = r"users: the records \[1\] and \[2\] of the source have the same email, which must be unique"
    refused(match, made(stores(kind), USERS), source=source, on_existing=mode)


@pytest.mark.parametrize(
    "columns", ["id INTEGER PRIMARY KEY, email TEXT%s UNIQUE", "id INTEGER, email TEXT%s NOT NULL PRIMARY KEY"]
)
def test_unique_values_that_differ_in_case_alone(stores: Stores, columns: str) -> None:
    table = f"CREATE TABLE users ({columns}, name TEXT)"
    source = made(stores("sqlite"), table % "", "INSERT INTO users VALUES (1, 'a', 'x'), (2, 'A', 'y')")
    target = made(stores("sqlite"), table % " COLLATE NOCASE")
    refused("have the same email, which must be unique", target, source=source)
    made(source, "DELETE FROM users WHERE id = 1")
    made(target, "INSERT INTO users VALUES (9, 'a', 'old')")
    moved(source, target, on_existing="replace")
    assert rows(target) == [(2, "A", "y")]


def test_a_unique_value_moves_from_a_record_that_goes_or_changes(stores: Stores, kind: str) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'b', 'x'), (2, 'a', 'y'), (9, 'c', 'z')")
    target = made(stores(kind), USERS, "INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', 'y'), (5, 'c', 'old')")
    done = moved(source, target, on_existing="replace", batch_size=1)
    assert rows(target) == rows(source)
    (row,) = done["migration"]["collections"]
    assert (row["added"], row["changed"], row["removed"]) == (1, 2, 1)


def test_a_merge_swaps_unique_values(stores: Stores, kind: str) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'b', 'x'), (2, 'a', 'y')")
    target = made(stores(kind), USERS, "INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', 'y'), (5, 'c', 'own')")
    moved(source, target, on_existing="merge", batch_size=1)
    assert rows(target) == [(1, "b", "x"), (2, "a", "y"), (5, "c", "own")]


def test_a_record_that_would_lose_columns_of_the_target_is_not_moved(stores: Stores, kind: str) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'b', 'x'), (2, 'a', 'y')")
    own = USERS.replace(")", ", own TEXT)")
    target = made(stores(kind), own, "INSERT INTO users VALUES (1, 'a', 'x', 'mine'), (2, 'b', 'y', 'mine')")
    refused("and its other columns would be lost", target, source=source, on_existing="replace")


def test_a_record_that_others_refer_to_is_not_moved_outside_a_transaction(stores: Stores) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'b', 'x'), (2, 'a', 'y')")
    target = made(stores("postgresql"), USERS, "INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', 'y')")
    made(target, "CREATE TABLE child (id int PRIMARY KEY, u int REFERENCES users ON DELETE CASCADE)")
    made(target, "INSERT INTO child VALUES (1, 1)")
    error = refused("and other tables refer to it", target, source=source, on_existing="merge")
    assert "target_tables=existing" in error.hint
    assert sql(target, "SELECT * FROM child") == [(1, 1)]


def test_triggers_that_change_or_refuse_records_are_refused(stores: Stores, kind: str) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'A', 'x')")
    target = made(stores(kind), USERS)
    if kind == "sqlite":
        body = "UPDATE users SET email = lower(email) WHERE id = new.id;"
        made(target, f"CREATE TRIGGER lower_email AFTER INSERT ON users BEGIN {body} END")
    else:
        body = "NEW.email := lower(NEW.email); RETURN NEW;"
        made(target, f"CREATE FUNCTION lowered() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$")
        made(target, "CREATE TRIGGER lower_email BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION lowered()")
    refused("the trigger lower_email of users may change or refuse the records", target, source=source)
    if kind == "postgresql":
        assert run(source=source, target=target, target_tables="existing")["changed"]
        assert rows(target) == [(1, "A", "x")]


def test_triggers_that_only_keep_a_log_fire(stores: Stores, kind: str) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'A', 'x')")
    target = made(stores(kind), USERS, "CREATE TABLE log (id INTEGER)")
    if kind == "sqlite":
        made(target, "CREATE TRIGGER logged AFTER INSERT ON users BEGIN INSERT INTO log VALUES (new.id); END")
    else:
        body = "INSERT INTO log VALUES (NEW.id); RAISE NOTICE 'update users'; raise debug 'x'; RETURN NULL;"
        made(target, f"CREATE FUNCTION logged() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$")
        made(target, "CREATE TRIGGER logged AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION logged()")
    assert run(source=source, target=target)["changed"]
    assert sql(target, "SELECT id FROM log") == [(1,)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("EXECUTE 'UPDATE users SET name = $1' USING NEW.name", True),
        ("PERFORM twice(NEW.id)", True),
        ("CALL more()", True),
        ("PERFORM pg_notify('a', 'execute'); PERFORM 1 FROM log", False),
    ],
)
def test_what_a_trigger_does_not_say_is_said_in_check_mode(stores: Stores, body: str, said: bool) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'A', 'x')")
    target = made(stores("postgresql"), USERS, "CREATE TABLE log (id INTEGER)")
    made(target, f"CREATE FUNCTION hidden() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body}; RETURN NULL; END$$")
    made(target, "CREATE TRIGGER hidden AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION hidden()")
    warnings = " ".join(run(True, source=source, target=target)["warnings"])
    assert ("Whether the trigger hidden of users changes or refuses records can't be foreseen" in warnings) is said


def test_a_key_of_the_target_alone_that_fills_itself(stores: Stores, kind: str) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', 'y')")
    key = {"sqlite": "TEXT PRIMARY KEY NOT NULL DEFAULT (hex(randomblob(8)))"}
    own = "CREATE TABLE users (uid %s, id INTEGER NOT NULL UNIQUE, email TEXT, name TEXT)"
    target = made(stores(kind), own % key.get(kind, "uuid PRIMARY KEY DEFAULT gen_random_uuid()"))
    for mode in ("fail", "merge"):
        sql(source, f"UPDATE users SET email = '{mode}' WHERE id = 1")
        moved(source, target, on_existing=mode, target_tables="create" if kind == "postgresql" else "auto")
        assert sql(target, "SELECT id, email FROM users ORDER BY id") == [(1, mode), (2, "b")]
    assert len(set(sql(target, "SELECT uid FROM users"))) == 2


@pytest.mark.parametrize("exists", [True, False])
def test_records_that_constraints_of_sqlite_refuse_are_rejects(stores: Stores, tmp_path: Path, exists: bool) -> None:
    source, target = stores("sqlite"), stores("sqlite")
    table = USERS.replace("name TEXT", "name TEXT CHECK (length(name) < 3)")
    if exists:
        made(target, table, "INSERT INTO users VALUES (1, 'old', 'x')")
    made(source, LOOSE if exists else table)
    with contextlib.closing(sqlite3.connect(source["path"])) as database, database:
        database.execute("PRAGMA ignore_check_constraints = on")
        database.executemany("INSERT INTO users VALUES (?, ?, ?)", [(1, "a", "x"), (2, "b", "long"), (3, "c", "z")])
    more = {"source": source, "target": target, "on_existing": "merge", "safety_backup": False, "batch_size": 2}
    for check in (True, False):
        with pytest.raises(TargetError, match=r"can't store 1 record of users \(\[2\]: SQLite rejects it: CHECK"):
            run(check, **more)
    more.update(max_rejects=1, rejects=str(tmp_path / "rejects"))
    first, done = run(True, **more), run(**more)
    assert first["diff"] == done["diff"]
    assert rows(target) == [(1, "a", "x"), (3, "c", "z")]
    assert not run(True, **more)["changed"]
    assert len((tmp_path / "rejects").read_text().splitlines()) == 1


def test_records_of_others_lose_nothing_that_they_refer_to(stores: Stores, kind: str) -> None:
    source = made(stores("sqlite"), PARENT, "INSERT INTO users VALUES (1, 'new')")
    target = made(stores(kind), PARENT, "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    made(target, CHILD, "INSERT INTO child VALUES (1, 1), (2, 2), (3, NULL)")
    match = r"child is not migrated, but has 1 record with a reference to users \(u\) that would be removed: \[2\]"
    refused(match, target, source=source, on_existing="replace")
    assert sql(target, "SELECT * FROM child ORDER BY id") == [(1, 1), (2, 2), (3, None)]
    moved(source, target, on_existing="merge")
    sql(target, "UPDATE child SET u = 1 WHERE id = 2")
    moved(source, target, on_existing="replace")
    assert rows(target) == [(1, "new")]
    assert len(sql(target, "SELECT * FROM child")) == 3


def test_nothing_is_removed_that_another_schema_may_refer_to(stores: Stores) -> None:
    source = made(stores("sqlite"), PARENT, "INSERT INTO users VALUES (1, 'new')")
    target, elsewhere = stores("postgresql"), stores("postgresql")
    made(target, PARENT, "INSERT INTO users VALUES (1, 'a'), (2, 'b')")
    made(elsewhere, CHILD.replace("users", f"{target['schema']}.users"), "INSERT INTO child VALUES (1, 2)")
    refused(
        f"the foreign key child_u_fkey of {elsewhere['schema']}.child", target, source=source, on_existing="replace"
    )
    moved(source, target, on_existing="merge")
    assert sql(elsewhere, "SELECT * FROM child") == [(1, 2)]


@pytest.mark.parametrize("exists", [True, False])
def test_a_reference_that_the_target_does_not_have_is_foreseen(stores: Stores, kind: str, exists: bool) -> None:
    source = made(stores("sqlite"), PARENT, CHILD, "INSERT INTO users VALUES (1, 'a'), (7, 'b')")
    made(source, "INSERT INTO child VALUES (1, 1), (2, 7), (3, NULL)")
    target = made(stores(kind), PARENT, "INSERT INTO users VALUES (1, 'a')", *([CHILD] if exists else []))
    refused(
        r"child: 1 record with a reference to users \(u\) that does not exist: \[7\]",
        *(target,),
        source=source,
        only=["child"],
    )
    assert run(source=source, target=target, on_existing="merge", safety_backup=False)["changed"]
    assert sql(target, "SELECT * FROM child ORDER BY id") == [(1, 1), (2, 7), (3, None)]


def test_a_tree_is_written_in_an_order_that_each_batch_allows(stores: Stores, kind: str) -> None:
    source = made(stores("sqlite"), TREE % "", "INSERT INTO users VALUES (1, NULL), (2, 1), (3, 4), (4, 3)")
    target = made(stores(kind), TREE % " REFERENCES users (id)", "INSERT INTO users VALUES (9, NULL)")
    if kind == "postgresql":
        match = r"users: 1 record with a reference to users \(up\) that is written in a later batch .*: \[4\]"
        refused(match, target, source=source, on_existing="merge", batch_size=1)
    moved(source, target, on_existing="merge", batch_size=2)
    assert rows(target) == [*rows(source), (9, None)]


def test_batches_count_the_records_that_are_rejected(stores: Stores, tmp_path: Path) -> None:
    values = "(1, 'too long', NULL), (2, 'a', 3), (3, 'b', NULL)"
    source = made(
        stores("sqlite"),
        "CREATE TABLE users (id INTEGER PRIMARY KEY, n TEXT, up INTEGER)",
        f"INSERT INTO users VALUES {values}",
    )
    users = "CREATE TABLE users (id INTEGER PRIMARY KEY, n varchar(3), up INTEGER REFERENCES users)"
    target = made(stores("postgresql"), users)
    params = {"max_rejects": 1, "rejects": str(tmp_path / "rejects"), "batch_size": 2}
    refused("is written in a later batch", target, source=source, **params)


def test_names_that_formats_would_read(stores: Stores, kind: str) -> None:
    table = 'CREATE TABLE "u{x}%" ("i%d" INTEGER PRIMARY KEY, "e%" TEXT UNIQUE, up INTEGER REFERENCES "u{x}%" ("i%d"))'
    loose = table.replace(" UNIQUE", "").partition(" REFERENCES")[0] + ")"
    source = made(stores("sqlite"), loose, """INSERT INTO "u{x}%" VALUES (1, 'b', 2), (2, 'a', NULL)""")
    target = made(stores(kind), table, """INSERT INTO "u{x}%" VALUES (7, 'x', NULL)""")
    made(source, """UPDATE "u{x}%" SET up = 9 WHERE up = 2""")
    with pytest.raises(TargetError, match=r"u\{x\}%: 1 record with a reference"):
        run(True, source=source, target=target, on_existing="replace")
    made(source, """UPDATE "u{x}%" SET up = NULL""")
    moved(source, target, on_existing="replace")
    assert sql(target, 'SELECT * FROM "u{x}%" ORDER BY 1') == [(1, "b", None), (2, "a", None)]


def test_check_mode_asks_for_the_right_to_write_over_records(stores: Stores) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', 'y')")
    target = made(stores("postgresql"), USERS)
    role, database = (f"{word}_{uuid.uuid4().hex[:10]}" for word in ("role", "db"))
    with connected(target) as server:
        server.execute(f"CREATE ROLE {role} LOGIN")
        server.execute(f"CREATE DATABASE {database} OWNER {role}")
        server.execute(f"REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC, {role}")
        try:
            limited = {**target, "username": role, "database": database, "schema": "own"}
            import psycopg

            with psycopg.connect(host=target["host"], user=role, dbname=database, autocommit=True) as own:
                own.execute("CREATE SCHEMA own")
                assert run(source=source, target=limited)["changed"]  # which only adds
                sql(source, "UPDATE users SET name = 'z' WHERE id = 1")
                for check in (True, False):
                    with pytest.raises(
                        TargetError, match="does not have the privileges TEMPORARY on the database"
                    ) as found:
                        run(check, source=source, target=limited, on_existing="merge", safety_backup=False)
                    assert "Grant them to the role" in found.value.hint
                    assert own.execute("SELECT name FROM own.users WHERE id = 1").fetchone() == ("x",)
        finally:
            server.execute(f"DROP DATABASE {database}")
            server.execute(f"DROP ROLE {role}")


def test_check_mode_asks_for_privileges_on_tables_and_sequences(stores: Stores) -> None:
    source = made(stores("sqlite"), LOOSE, "INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', 'y')")
    target = made(stores("postgresql"), "CREATE TABLE users (id serial PRIMARY KEY, email text, name text)")
    made(target, "INSERT INTO users VALUES (2, 'old', 'z'), (3, 'old', 'z')")
    role = f"role_{uuid.uuid4().hex[:10]}"
    with connected(target) as server:
        server.execute(f"CREATE ROLE {role} LOGIN")
        server.execute(f"GRANT ALL ON SCHEMA {target['schema']} TO {role}")
        server.execute(f"GRANT SELECT ON users, users_id_seq TO {role}")
        limited = {**target, "username": role}
        try:
            lacking = (
                "DELETE on the table users, INSERT on the table users, UPDATE on the sequence users_id_seq, UPDATE on"
            )
            error = refused(f"privileges {lacking} the table users", limited, source=source, on_existing="replace")
            assert "Grant them to the role" in error.hint
            refused(lacking.partition(", ")[2], limited, source=source, on_existing="merge")
            server.execute(f"GRANT ALL ON users TO {role}; GRANT ALL ON users_id_seq TO {role}")
            moved(source, limited, on_existing="replace")
            server.execute(f"REVOKE ALL ON users FROM {role}; GRANT SELECT ON users TO {role}")
            assert not run(source=source, target=limited)["changed"]  # nothing is written
        finally:
            server.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
