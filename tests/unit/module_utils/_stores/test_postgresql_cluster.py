# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PostgreSQL as a store of backups: what a snapshot is, and what moves its identity."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    InvalidRequest,
    MissingDependency,
    SourceError,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster import (
    follow,
    hold,
    identity,
    programs,
    server,
)
from ansible_collections.day2.ops.plugins.module_utils._stores.registry import open_store
from tests.services.postgresql import binaries
from tests.services.postgresql_databases import Database, unpack

pytestmark = pytest.mark.once  # the same driver and the same server for every Python

psycopg = pytest.importorskip("psycopg")
NewSink = Callable[[], Any]

EVERYTHING = """
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE p (id int, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE p2 PARTITION OF p DEFAULT;
INSERT INTO p SELECT g, date '2024-12-01' + g, md5(g::text) FROM generate_series(1, 50) g;
CREATE TABLE parent (id int, x text); CREATE TABLE child (y int) INHERITS (parent);
INSERT INTO parent VALUES (1, 'a'); INSERT INTO child VALUES (2, 'b', 3);
CREATE TABLE kinds (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, m mood, f float8, n numeric, ts timestamptz,
  by bytea, mo money, j json, ar text[], x xml, gen int GENERATED ALWAYS AS (1 + 1) STORED);
INSERT INTO kinds (m, f, n, ts, by, mo, j, ar, x) SELECT 'ok', 1e0 / g, 1.0 / g,
  timestamptz '2024-03-31 01:30+00' + g * interval '1 h', decode(md5(g::text), 'hex'), g::numeric::money,
  '{"a": 1,  "a":2}', ARRAY['a', NULL, 'c"' || g], '<a/>' FROM generate_series(1, 20) g;
CREATE UNLOGGED TABLE un (a int); INSERT INTO un VALUES (1);
CREATE SEQUENCE s CACHE 20;
CREATE TABLE rls (a int, who text); ALTER TABLE rls ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON rls USING (who = current_user); INSERT INTO rls VALUES (1, 'nobody');
CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM p;
CREATE TABLE dup (a text); INSERT INTO dup VALUES (NULL), (''), (''), ('","');
CREATE TABLE "Odd ""name""; %s" ("a b" int); INSERT INTO "Odd ""name""; %s" VALUES (7);
SELECT lo_from_bytea(424242, decode(repeat('ab', 5000), 'hex'));
"""


@pytest.fixture
def database(postgresql: dict[str, Any]) -> Iterator[Database]:
    with Database.new(postgresql) as made:
        yield made


@pytest.fixture
def snapshot(database: Database, new_sink: NewSink) -> Callable[..., Any]:
    """Back the database up: the result, whose `files` are what the sink received."""

    def take(**options: Any) -> Any:
        sink = new_sink()
        found = database.store(**options).snapshot(sink)
        left = [one for one in os.listdir(sink.scratch) if one != "pgpass"]
        assert left == []
        return found, sink.files

    return take


def test_a_copy_restored_by_hand_equals_it(
    database: Database, snapshot: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "SMALL", 300)
    database.do(EVERYTHING)
    found, files = snapshot()
    assert [name for name in files if name.endswith(".dat")], "nothing was large"
    counts = {one.name.partition(".")[2]: one.records for one in found.collections}
    assert counts["public.p1"] + counts["public.p2"] == 50
    assert (counts["public.parent"], counts["public.child"], counts['public.Odd "name"; %s']) == (1, 1, 1)
    archive = unpack(files, tmp_path / "archive")
    database.admin(f"DROP DATABASE {database.quoted}", f"CREATE DATABASE {database.quoted} TEMPLATE template0")
    address = f"host={database.server['host']} user=postgres dbname='{database.name}'".replace("a'b", "a\\'b")
    subprocess.run([binaries() / "pg_restore", "-e", "-d", address, archive], check=True)
    again, _files = snapshot()
    assert again.content_digest == found.content_digest
    assert again.details["databases"][database.name]["sums"] == found.details["databases"][database.name]["sums"]


# What is done: whether it moves the fingerprint, and which part of the content.
MOVES = {
    "nothing": ("SELECT 1", False, ""),
    "a reader": ("SELECT * FROM kinds", False, ""),
    "an exported snapshot": (
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot(); COMMIT",
        False,
        "",
    ),
    "nextval within what was logged": ("SELECT nextval('s'), nextval('s')", True, "sequences"),
    "setval": ("SELECT setval('s', 5, false)", True, "sequences"),
    "an insert that is rolled back": ("BEGIN; INSERT INTO parent VALUES (9); ROLLBACK", True, ""),
    "an update to and fro": ("UPDATE ONLY parent SET x = 'q'; UPDATE ONLY parent SET x = 'a'", True, ""),
    "a rewrite": ("VACUUM FULL kinds", True, ""),
    "statistics": ("ANALYZE", True, ""),
    "a refreshed view": ("REFRESH MATERIALIZED VIEW mv", True, ""),
    "a byte of a large object": ("SELECT lo_put(424242, 3, '\\x00')", True, "data"),
    "a row behind row security": ("INSERT INTO rls VALUES (2, 'x')", True, "data"),
    "NULL becomes empty": ("UPDATE dup SET a = '' WHERE a IS NULL", True, "data"),
    "one more of equal rows": ("INSERT INTO dup VALUES ('')", True, "data"),
    "a comment": ("COMMENT ON TABLE kinds IS 'x'", True, "schema"),
    "a privilege": ("GRANT SELECT ON kinds TO PUBLIC", True, "schema"),
    "a comment in a function": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS E'\\n-- one\\nSELECT 1'",
        True,
        "schema",
    ),
    "another comment there": (
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS E'\\n-- two\\nSELECT 1'",
        True,
        "schema",
    ),
}


def test_what_moves_the_identity(database: Database, snapshot: Callable[..., Any]) -> None:
    def data() -> Any:
        return identity.table_sums(writer, identity.list_tables(writer)), identity.large_objects(writer)

    database.do(EVERYTHING)
    with contextlib.closing(database.connect()) as writer:
        cheap, whole, rows = database.store().fingerprint(), snapshot()[0].content_digest, data()
        for what, (statements, moved, content) in MOVES.items():
            for one in statements.split("; "):
                writer.execute(one)
            before, cheap = cheap, database.store().fingerprint()
            assert (cheap != before) == moved, what
            before, rows = rows, data()
            assert (rows != before) == (content == "data"), what
            if content in ("sequences", "schema"):
                before, whole = whole, snapshot()[0].content_digest
                assert whole != before, what
            elif what == "a refreshed view":  # as all the others that move nothing, together
                writer.execute("SELECT setval('s', 5, false)")
                assert snapshot()[0].content_digest == whole


def test_a_write_in_another_database_moves_the_fingerprint_of_the_cluster(
    database: Database, postgresql: dict[str, Any]
) -> None:
    before = database.store().fingerprint()
    assert before is not None
    assert database.store().fingerprint() == before
    assert database.store(password="x'\\:y").fingerprint() == before
    database.admin("CREATE TABLE IF NOT EXISTS elsewhere (a int)", "DROP TABLE elsewhere")
    assert database.store().fingerprint() != before


def test_properties_are_part_of_the_content(database: Database, snapshot: Callable[..., Any]) -> None:
    before = snapshot()[0].content_digest
    database.admin(f"ALTER DATABASE {database.quoted} SET search_path = a, b")
    found = snapshot()[0]
    assert found.content_digest != before
    assert found.details["databases"][database.name]["properties"]["settings"] == [[None, "search_path", "a, b"]]


def test_rows_of_some_tables_only(database: Database, snapshot: Callable[..., Any]) -> None:
    database.do("CREATE SCHEMA log; CREATE TABLE log.a (x int); CREATE TABLE b (x int); CREATE TABLE c (x int)")
    database.do("INSERT INTO log.a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1)")
    before = snapshot(tables={"include": None, "exclude": ["log.*"]})[0]
    assert [one.name.partition(".")[2] for one in before.collections] == ["public.b", "public.c"]
    assert before.details["databases"][database.name]["without_rows"] == ["log.a"]
    database.do("INSERT INTO log.a VALUES (2)")
    assert snapshot(tables={"exclude": ["log.*"]})[0].content_digest == before.content_digest
    only = snapshot(tables={"include": ["b"]})[0]
    assert [one.name.partition(".")[2] for one in only.collections] == ["public.b"]
    with pytest.raises(SourceError, match=r"No table in .* matches public\.users"):
        snapshot(tables={"include": ["public.users", "b"]})


def test_globals_have_no_passwords(database: Database, snapshot: Callable[..., Any]) -> None:
    database.admin("DROP ROLE IF EXISTS with_password", "CREATE ROLE with_password LOGIN PASSWORD 'secret'")
    _found, files = snapshot()
    assert b"CREATE ROLE with_password" in files["globals.sql"]
    assert b"PASSWORD" not in files["globals.sql"]
    assert "globals.sql" not in snapshot(globals=False)[1]
    assert b"PASSWORD 'SCRAM" in snapshot(role_passwords=True)[1]["globals.sql"]
    with pytest.raises(InvalidRequest, match="role_passwords requires globals"):
        database.store(role_passwords=True, globals=False)
    database.admin("DROP ROLE with_password")


def test_a_lock_in_the_way_is_named(
    database: Database, snapshot: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hold, "LOCK_WAIT", "100ms")
    database.do("CREATE TABLE t (a int)")
    with contextlib.closing(database.connect(application_name="nightly")) as other:
        other.execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE; SET x.password = 'hunter2'")
        with pytest.raises(SourceError) as caught:
            snapshot()
        pid = other.info.backend_pid
    assert f"is locked: pid {pid}, user postgres, nightly, idle in transaction: BEGIN; LOCK TABLE t" in str(
        caught.value
    )
    assert "hunter2" not in str(caught.value)


def test_who_may_not_read_is_told_the_grant(database: Database, snapshot: Callable[..., Any]) -> None:
    database.do(
        "DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN; CREATE TABLE t (a int); CREATE SEQUENCE s;"
        "CREATE TABLE r (a int); ALTER TABLE r ENABLE ROW LEVEL SECURITY; INSERT INTO r VALUES (1)"
    )
    with pytest.raises(
        SourceError, match=r"lacks the privileges to read all of .*: public\.r, public\.s, public\.t\."
    ) as caught:
        snapshot(username="reader")
    assert 'GRANT pg_read_all_data TO "reader"' in caught.value.hint
    database.do("GRANT pg_read_all_data TO reader")
    with pytest.raises(SourceError, match=r": public\.r\.") as caught:
        snapshot(username="reader")
    assert 'ALTER ROLE "reader" BYPASSRLS' in caught.value.hint
    database.do("ALTER ROLE reader BYPASSRLS")
    assert [one.records for one in snapshot(username="reader")[0].collections] == [1, 0]
    database.do("DROP OWNED BY reader; DROP ROLE reader")


def test_time_outs_of_the_role_and_the_database_do_not_count(database: Database, snapshot: Callable[..., Any]) -> None:
    database.do("CREATE TABLE t AS SELECT 1 AS a")
    # long enough to connect
    settings = "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout"
    database.admin(*(f"ALTER DATABASE {database.quoted} SET {one} = 100" for one in settings))
    assert [one.records for one in snapshot()[0].collections] == [1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"database": "no such"}, "has no database no such"),
        ({"host": "127.0.0.1", "port": 1}, r"Can't connect to postgresql://127\.0\.0\.1:1: .*refused"),
        ({"username": "nobody at all"}, "role .* does not exist"),
        ({"maintenance_database": "no such"}, "Check database, databases and maintenance_database"),
        ({"service": "no such"}, "definition of service .* not found"),
        ({"bin": "/etc"}, "/etc has no program pg_dump"),
    ],
)
def test_what_does_not_work_is_said(
    database: Database, snapshot: Callable[..., Any], options: dict[str, Any], said: str
) -> None:
    with pytest.raises((SourceError, InvalidRequest, MissingDependency), match=said):
        snapshot(**options)
    assert database.store(**options).fingerprint() is None or "database" in options or "bin" in options


def test_names_of_the_store(postgresql: dict[str, Any]) -> None:
    def opened(**options: Any) -> Any:
        return open_store({"type": "postgresql", **options})

    assert opened(host="db1", port=5433, database="app").path == "postgresql://db1:5433/app"
    assert opened(host="db1", databases=["b", "a"]).path == "postgresql://db1/"
    assert opened(service="prod").path == "postgresql://service=prod/"
    assert opened().local_path is None
    for wrong in ({"database": "a", "databases": ["b"]}, {"jobs": 0}, {"path": "/x"}):
        with pytest.raises(InvalidRequest):
            opened(**wrong)


def test_zeros_that_a_large_object_need_not_have(database: Database, snapshot: Callable[..., Any]) -> None:
    database.do("SELECT lo_from_bytea(1, '\\x01' || decode(repeat('00', 6000), 'hex') || '\\x02')")
    full = snapshot()[0].details["databases"][database.name]["large_objects"]
    database.do(
        "SELECT lo_unlink(1); SELECT lo_create(1); SELECT lo_put(1, 0, '\\x01'); SELECT lo_put(1, 6001, '\\x02')"
    )
    assert snapshot()[0].details["databases"][database.name]["large_objects"] == full
    database.do("SELECT lo_put(1, 6002, '\\x00')")
    assert snapshot()[0].details["databases"][database.name]["large_objects"] != full


def test_bytes_that_are_no_text(database: Database, snapshot: Callable[..., Any]) -> None:
    """In a database without an encoding, text can be anything."""
    database.admin(f"DROP DATABASE {database.quoted}")
    database.admin(f"CREATE DATABASE {database.quoted} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    database.do("SET client_encoding = 'SQL_ASCII'; CREATE TABLE t AS SELECT E'\\351'::text AS v")
    found, files = snapshot()
    (packed,) = (data for name, data in files.items() if name.endswith("/small.tar"))
    assert [one.records for one in found.collections] == [1]
    assert b"\351\n" in packed


def test_a_program_that_fails_says_why_and_not_its_own_query() -> None:
    lost = "pg_dump: error: query failed: server closed the connection unexpectedly\n\tThis means something.\n"
    for query in ("pg_dump: detail: Query was: SELECT 1\nFROM a\n", "pg_dump: error: query was: SELECT 1\nFROM a\n"):
        for said in (lost + query, query + lost):
            message = server.failed("/usr/bin/pg_dump", 1, said.encode(), SourceError).message
            expected = "query failed: server closed the connection unexpectedly; \tThis means something.."
            assert message == f"pg_dump failed with exit status 1: pg_dump: error: {expected}"


def test_programs_that_are_too_old() -> None:
    with pytest.raises(MissingDependency, match=r"pg_dump 99 or newer \(the newest here is \d+\)") as caught:
        programs.find("pg_dump", 99)
    assert "postgresql-client-99" in caught.value.hint
    newest = programs.find("pg_dump", 13, str(binaries()))
    assert programs.find("pg_dump", programs.major_of(newest)) == newest
