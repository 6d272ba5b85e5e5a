# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restores of some tables: these exactly as in the backup, everything else as it was."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest, TargetError
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.schema import Table, identifier, tables
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.store import SqliteStore
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.tables import put_tables


def connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=0.2)
    db.text_factory = bytes
    db.execute("PRAGMA synchronous=OFF")
    return db


def make(path: Path, script: str) -> Path:
    with contextlib.closing(connect(path)) as db:
        db.executescript(script)
    return path


def rows(db: sqlite3.Connection, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    return db.execute(f"SELECT {columns} FROM {table}").fetchall()


class Bench:
    def __init__(self, directory: Path, new_sink: Callable[[], Any], copy_of: Callable[..., Any]) -> None:
        self.directory = directory
        self._new_sink = new_sink
        self._copy_of = copy_of
        self._numbers = itertools.count()

    def scratch(self) -> Path:
        path = self.directory / (f"bench-{next(self._numbers)}")
        path.mkdir()
        return path

    def backup(self, path: Path) -> Any:
        sink = self._new_sink()
        return self._copy_of(sink, SqliteStore(str(path), {}).snapshot(sink))

    def prepare(self, path: Path, copy: Any, *only: str, dry: bool = False, patience: float = 5) -> Any:
        return SqliteStore(str(path), {}, patience).prepare(copy, list(only), str(self.scratch()), dry)

    def restore(self, path: Path, copy: Any, *only: str) -> Any:
        """Restore, and look that a second time would change nothing."""
        with self.prepare(path, copy, *only, dry=True) as plan, self.prepare(path, copy, *only) as restoration:
            assert (plan.changed, plan.changes, plan.notes) == (True, restoration.changes, restoration.notes)
            restoration.apply()
        with self.prepare(path, copy, *only) as again:
            assert not again.changed
        with contextlib.closing(connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [(b"ok",)]
        return restoration


@pytest.fixture
def bench(tmp_path: Path, new_sink: Callable[[], Any], copy_of: Callable[..., Any]) -> Bench:
    return Bench(tmp_path, new_sink, copy_of)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home / "x.db"


# Values of every storage class, with what does not survive a careless copy.
VALUES = st.one_of(
    st.none(),
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.floats(allow_nan=True),
    st.sampled_from(
        [0, 0.0, -0.0, 1, 1.0, "1", b"1", "1.0", "", b"", "\0", "a\0b", "A", "a", "a ", math.inf, 2**60, 2.0**60]
    ),
    st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=5),
    st.binary(max_size=5),
)
ROW = st.tuples(VALUES, VALUES, VALUES, st.booleans())

SCHEMAS = {
    "plain": "CREATE TABLE t(a, b TEXT, c NUMERIC)",
    "affinities": "CREATE TABLE t(a INTEGER, b REAL, c BLOB)",
    "more affinities": "CREATE TABLE t(a VARCHAR(9), b CHARINT, c DOUBLE PRECISION)",
    "collation": "CREATE TABLE t(a COLLATE NOCASE, b TEXT COLLATE RTRIM, c)",
    "indexes": "CREATE TABLE t(a, b, c); CREATE INDEX i ON t(b COLLATE NOCASE, c DESC); CREATE INDEX j ON t(a) WHERE b",
    "generated": "CREATE TABLE t(g AS (typeof(a)), a, b, c, h TEXT AS (quote(b)) STORED); CREATE INDEX i ON t(g)",
    "hidden row id": "CREATE TABLE t(a, rowid, b, _rowid_, c)",
    "strict": "CREATE TABLE t(a ANY, b ANY, c ANY) STRICT",
    "defaults": "CREATE TABLE t(a DEFAULT 7, b NOT NULL DEFAULT '', c CHECK(c IS NULL))",
}


def fill(db: sqlite3.Connection, found: list[tuple[Any, Any, Any, bool]]) -> None:
    db.execute("PRAGMA ignore_check_constraints=ON")
    for number, (a, b, c, as_text) in enumerate(found):
        values = "?, CAST(? AS TEXT), ?" if as_text and isinstance(b, bytes) else "?, ?, ?"  # text that is no UTF-8
        with contextlib.suppress(sqlite3.IntegrityError):
            db.execute(f"INSERT INTO t(oid, a, b, c) VALUES(?, {values})", (number * 7 - 3, a, b, c))


def exactly(db: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Row ids, storage classes and values. Zero has no sign."""
    found = rows(db, "t ORDER BY oid", "oid, typeof(a), typeof(b), typeof(c), *")
    return [tuple(0.0 if one == 0 and isinstance(one, float) else one for one in row) for row in found]


@pytest.mark.parametrize("schema", list(SCHEMAS.values()), ids=list(SCHEMAS))
@given(st.lists(ROW, max_size=6), st.lists(ROW, max_size=6))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_come_back_exactly(
    schema: str, wanted: list[tuple[Any, Any, Any, bool]], found: list[tuple[Any, Any, Any, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "source.db"), Path(directory, "target.db")
        for path, content in ((source, wanted), (target, found)):
            make(path, schema + f"; CREATE TABLE other(a); INSERT INTO other VALUES({len(content)})")
            with contextlib.closing(connect(path)) as db:
                fill(db, content)
        with contextlib.closing(connect(source)) as db:
            expected = exactly(db)
        with contextlib.closing(connect(target)) as db:
            differs = exactly(db) != expected
        assert put_tables(str(target), str(source), ["t"], Progress()).changed == differs
        assert not put_tables(str(target), str(source), ["t"], Progress()).changed
        with contextlib.closing(connect(target)) as db:
            assert exactly(db) == expected
            assert rows(db, "other") == [(len(found),)]
            db.execute("PRAGMA ignore_check_constraints=ON")
            assert db.execute("PRAGMA integrity_check").fetchall() == [(b"ok",)]


def test_without_row_id(bench: Bench, path: Path) -> None:
    make(path, "CREATE TABLE t(a TEXT COLLATE NOCASE, b, c, PRIMARY KEY(b, a)) WITHOUT ROWID")
    make(path, "INSERT INTO t VALUES('x', 1, 1)")
    copy = bench.backup(path)
    for change in ("UPDATE t SET a = 'X'", "UPDATE t SET b = 1.0", "UPDATE t SET c = '1'", "DELETE FROM t"):
        with contextlib.closing(connect(path)) as db:
            db.execute(change)
        bench.restore(path, copy, "t")
    with contextlib.closing(connect(path)) as db:
        assert rows(db, "t", "a, b, c, typeof(b), typeof(c)") == [(b"x", 1, 1, b"integer", b"integer")]


def test_autoincrement_counts_on_where_the_backup_stood(bench: Bench, path: Path) -> None:
    make(
        path,
        "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a); CREATE TABLE u(id INTEGER PRIMARY KEY AUTOINCREMENT)",
    )
    empty = bench.backup(path)
    make(path, "INSERT INTO t VALUES(5, 'a'), (9, 'b'); DELETE FROM t WHERE id = 9")
    copy = bench.backup(path)
    make(path, "INSERT INTO t(a) VALUES('c'), ('d'); INSERT INTO u DEFAULT VALUES")
    bench.restore(path, copy, "t")
    with contextlib.closing(connect(path)) as db:
        assert sorted(rows(db, "sqlite_sequence")) == [(b"t", 9), (b"u", 1)]
        db.execute("INSERT INTO t(a) VALUES('e')")
        assert rows(db, "t") == [(5, b"a"), (10, b"e")]
        db.execute("DELETE FROM t WHERE id = 10")  # the rows are the same then, what comes next is not
    bench.restore(path, copy, "t")
    bench.restore(path, empty, "t")
    with contextlib.closing(connect(path)) as db:
        assert rows(db, "sqlite_sequence") == [(b"u", 1)]


def test_triggers_do_not_fire_and_stay(bench: Bench, path: Path) -> None:
    make(
        path,
        "CREATE TABLE t(a); CREATE TABLE log(what); INSERT INTO t VALUES(1);"
        "CREATE TRIGGER first AFTER INSERT ON t BEGIN INSERT INTO log VALUES('insert'); END;"
        'CREATE TRIGGER "the ""second" BEFORE DELETE ON T BEGIN INSERT INTO log VALUES(\';\'); SELECT 1; END;'
        "CREATE TRIGGER other AFTER INSERT ON log BEGIN SELECT 1; END",
    )
    copy = bench.backup(path)
    make(path, "UPDATE t SET a = 2")
    with contextlib.closing(connect(path)) as db:
        schema = sorted(rows(db, "sqlite_master", "type, name, tbl_name, sql"))
    restoration = bench.restore(path, copy, "t")
    assert restoration.notes == ("Trigger first of t did not fire.", 'Trigger the "second of t did not fire.')
    with contextlib.closing(connect(path)) as db:
        assert rows(db, "t") == [(1,)]
        assert rows(db, "log") == []
        assert sorted(rows(db, "sqlite_master", "type, name, tbl_name, sql")) == schema
        db.execute("INSERT INTO t VALUES(3)")
        assert rows(db, "log") == [(b"insert",)]


def test_indexes_and_what_analyze_found_stay(bench: Bench, path: Path) -> None:
    make(
        path,
        "CREATE TABLE t(a, b UNIQUE); INSERT INTO t VALUES(1, 1), (2, 2); CREATE INDEX i ON t(a);"
        "CREATE UNIQUE INDEX j ON t(a, b);"
        "CREATE TABLE u(a); CREATE INDEX k ON u(a); INSERT INTO u VALUES(1); ANALYZE",
    )
    copy = bench.backup(path)
    make(path, "INSERT INTO t VALUES(3, 3); INSERT INTO u VALUES(2); ANALYZE")

    def noted() -> list[list[Any]]:
        with contextlib.closing(connect(path)) as db:
            return [sorted(rows(db, "sqlite_stat1")), sorted(rows(db, "sqlite_master", "type, name, sql IS NULL, sql"))]

    before = noted()
    bench.restore(path, copy, "t")
    assert noted() == before


FAMILY = (
    "PRAGMA foreign_keys=ON; CREATE TABLE parent(id INTEGER PRIMARY KEY, a);"
    "CREATE TABLE child(id INTEGER PRIMARY KEY, p REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE);"
    "CREATE TABLE pet(c REFERENCES child(id), name PRIMARY KEY) WITHOUT ROWID;"
    "INSERT INTO parent VALUES(1, 'a'), (2, 'b'); INSERT INTO child VALUES(1, 1), (2, 2);"
    "INSERT INTO pet VALUES(2, 'rex');"
)


def test_foreign_keys_do_not_cascade(bench: Bench, path: Path) -> None:
    make(path, FAMILY)
    copy = bench.backup(path)
    make(path, "UPDATE parent SET a = 'changed'; INSERT INTO parent VALUES(3, 'c')")
    bench.restore(path, copy, "parent")
    with contextlib.closing(connect(path)) as db:
        assert rows(db, "parent") == [(1, b"a"), (2, b"b")]
        assert rows(db, "child") == [(1, 1), (2, 2)]


def test_rows_that_would_point_nowhere_stop_it(bench: Bench, path: Path) -> None:
    make(path, FAMILY)
    copy = bench.backup(path)
    # the target has another family now
    make(path, "INSERT INTO parent VALUES(3, 'c'); UPDATE child SET p = 3; DELETE FROM parent WHERE id < 3")
    before = path.read_bytes()
    for dry in (True, False):
        with pytest.raises(TargetError, match=r"2 in child \(rows 1, 2\) to parent.*Add child to only") as caught:
            bench.prepare(path, copy, "parent", dry=dry)
        assert caught.value.details == {"missing": ["child"]}
    with pytest.raises(TargetError, match=r"2 in child \(rows 1, 2\) to parent.*Add parent to only"):
        bench.prepare(path, copy, "child")
    assert path.read_bytes() == before
    bench.restore(path, copy, "parent", "child")
    # rows without numbers
    make(path, "INSERT INTO child VALUES(7, 1); INSERT INTO pet VALUES(7, 'a'), (7, 'b'), (99, 'lost')")
    with pytest.raises(TargetError, match=r"2 in pet \(rows\) to child.*Add pet to only"):
        bench.prepare(path, copy, "child")


def test_rows_that_pointed_nowhere_before_do_not_stop_it(bench: Bench, path: Path) -> None:
    make(path, FAMILY)
    copy = bench.backup(path)
    make(path, "PRAGMA foreign_keys=OFF; INSERT INTO child VALUES(8, 88); UPDATE parent SET a = 'x'")
    bench.restore(path, copy, "parent")
    # what the backup itself has wrong is as in the backup
    wrong = bench.backup(path)
    make(path, "DELETE FROM child WHERE id = 8")
    bench.restore(path, wrong, "parent", "child")
    with contextlib.closing(connect(path)) as db:
        assert rows(db, "child") == [(1, 1), (2, 2), (8, 88)]


def test_undo_asks_nobody(bench: Bench, path: Path) -> None:
    make(path, FAMILY)
    copy = bench.backup(path)
    make(path, "DELETE FROM pet; DELETE FROM child WHERE id = 2; DELETE FROM parent WHERE id = 2")
    with bench.prepare(path, copy, "parent") as restoration:
        restoration.apply()
        make(path, "INSERT INTO child VALUES(5, 2)")
        restoration.undo()
    with contextlib.closing(connect(path)) as db:
        assert rows(db, "parent") == [(1, b"a")]
        assert rows(db, "child") == [(1, 1), (5, 2)]


def test_a_key_that_sqlite_itself_cannot_hold_to(bench: Bench, path: Path) -> None:
    make(
        path,
        "CREATE TABLE p(a); CREATE TABLE c(a REFERENCES p(a)); CREATE TABLE d(a REFERENCES x); INSERT INTO c VALUES(1)",
    )
    copy = bench.backup(path)
    make(path, "DELETE FROM c; INSERT INTO p VALUES(1)")
    bench.restore(path, copy, "c")
    bench.restore(path, copy, "p")


def test_a_missing_table_is_made_with_indexes_and_triggers(bench: Bench, path: Path) -> None:
    make(
        path,
        'CREATE TABLE "a ""b"(x, y UNIQUE); CREATE INDEX "i ""j" ON "a ""b"(x); CREATE TABLE log(a);'
        'CREATE TRIGGER r AFTER INSERT ON "a ""b" BEGIN INSERT INTO log VALUES(1); END;'
        'INSERT INTO "a ""b" VALUES(1, 2);'
        'CREATE VIEW v AS SELECT * FROM "a ""b"; DELETE FROM log',
    )
    copy = bench.backup(path)
    with contextlib.closing(connect(path)) as db:
        schema = sorted(rows(db, "sqlite_master", "type, name, tbl_name, sql"))
        db.execute('DROP TABLE "a ""b"')
        without = sorted(rows(db, "sqlite_master", "type, name, tbl_name, sql"))
    with bench.prepare(path, copy, 'a "b') as restoration:
        assert [tuple(one) for one in restoration.changes] == [('a "b', None, 1)]
        restoration.apply()
        restoration.undo()
        with contextlib.closing(connect(path)) as db:
            assert sorted(rows(db, "sqlite_master", "type, name, tbl_name, sql")) == without
    bench.restore(path, copy, 'a "b')
    with contextlib.closing(connect(path)) as db:
        assert sorted(rows(db, "sqlite_master", "type, name, tbl_name, sql")) == schema
        assert rows(db, "v") == [(1, 2)]
        assert rows(db, "log") == []


NAMES = ["select", 'a"b', "a b", "a\nb", "ä", "a'b", "[x]", "-- x", "t;u", "A.b", "x" * 300]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_of_tables_and_columns(bench: Bench, path: Path, name: str) -> None:
    table, columns = identifier(name), ", ".join(identifier(one) for one in NAMES)
    make(path, f"CREATE TABLE {table}({columns}); INSERT INTO {table} DEFAULT VALUES")
    make(path, "CREATE INDEX {} ON {}({})".format(identifier("i" + name), table, columns))
    copy = bench.backup(path)
    make(path, f"UPDATE {table} SET {identifier(name)} = 1")
    bench.restore(path, copy, name)


def test_a_table_of_very_many_columns(bench: Bench, path: Path) -> None:
    make(path, "CREATE TABLE t({}); INSERT INTO t DEFAULT VALUES".format(", ".join(f"c{one}" for one in range(1500))))
    copy = bench.backup(path)
    make(path, "UPDATE t SET c1499 = 1")
    bench.restore(path, copy, "t")


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        ("CREATE TABLE t(a TEXT, b, d)", "these columns differ: 'a', 'c', 'd'.*migrate"),
        ("CREATE TABLE t(a, b, c, CHECK(a > 0))", "the rest of its CREATE TABLE differs"),
        ("CREATE VIEW t AS SELECT 1 AS a", "table t already exists|view t already exists|t already"),
    ],
)
def test_another_schema(bench: Bench, path: Path, ours: str, words: str) -> None:
    make(path, "CREATE TABLE t(a, b, c)")
    copy = bench.backup(path)
    path.unlink()
    make(path, ours)
    before = path.read_bytes()
    with pytest.raises(TargetError, match=words):
        bench.prepare(path, copy, "t")
    assert path.read_bytes() == before


def test_what_cannot_be(bench: Bench, path: Path) -> None:
    make(path, "CREATE TABLE t(a); CREATE TABLE u(rowid, _rowid_, oid); CREATE VIEW v AS SELECT 1")
    copy = bench.backup(path)
    with pytest.raises(InvalidRequest, match="no table 'T', 'sqlite_master', 'v'.*Its tables are: t, u"):
        bench.prepare(path, copy, "v", "t", "T", "sqlite_master")
    with pytest.raises(TargetError, match="its rows can't be identified"):
        bench.prepare(path, copy, "u")
    with pytest.raises(TargetError, match="Restore the whole database"):
        bench.prepare(path.with_name("missing.db"), copy, "t")
    path.write_bytes(b"junk")
    with pytest.raises(TargetError, match="Restore the whole database"):
        bench.prepare(path, copy, "t")
    path.unlink()
    make(path, "PRAGMA encoding='UTF-16le'; CREATE TABLE t(a)")
    with pytest.raises(TargetError, match="same text encoding"):
        bench.prepare(path, copy, "t")


def test_an_index_that_the_backup_does_not_fit(bench: Bench, path: Path) -> None:
    make(path, "CREATE TABLE t(a); INSERT INTO t VALUES(1), (1)")
    copy = bench.backup(path)
    make(path, "DELETE FROM t; CREATE UNIQUE INDEX i ON t(a)")
    with pytest.raises(TargetError, match="UNIQUE constraint failed: t.a"):
        bench.prepare(path, copy, "t")


@pytest.mark.parametrize(
    "module", ["fts5(body)", "fts4(body)", "fts3(body)", "fts5(body, content='')", "fts4(body, content='')"]
)
def test_full_text_tables(bench: Bench, path: Path, module: str) -> None:
    insert = "INSERT INTO f(rowid, body) VALUES" if "fts5" in module else "INSERT INTO f(docid, body) VALUES"
    make(path, f"CREATE VIRTUAL TABLE f USING {module}; {insert}(1, 'one fish'), (2, 'two fish')")
    copy = bench.backup(path)
    make(path, f"{insert}(3, 'red fish'), (4, 'blue fish')")
    with contextlib.closing(connect(path)) as db:  # one that has its own idea of the index
        assert [row[0] for row in db.execute("SELECT rowid FROM f WHERE f MATCH 'fish'")] == [1, 2, 3, 4]
        bench.restore(path, copy, "f")
        assert [row[0] for row in db.execute("SELECT rowid FROM f WHERE f MATCH 'fish'")] == [1, 2]
        db.execute(f"{insert}(5, 'new fish')")
        assert [row[0] for row in db.execute("SELECT rowid FROM f WHERE f MATCH 'fish'")] == [1, 2, 5]
        if "''" not in module:
            db.execute("INSERT INTO f(f) VALUES('integrity-check')")
        db.execute("DROP TABLE f")
    bench.restore(path, copy, "f")
    with contextlib.closing(connect(path)) as db:
        assert [row[0] for row in db.execute("SELECT rowid FROM f WHERE f MATCH 'two'")] == [2]


def test_a_spatial_index(bench: Bench, path: Path) -> None:
    make(path, "CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, +n); INSERT INTO r VALUES(1, 0, 1, 'a'), (2, 5, 6, 'b')")
    copy = bench.backup(path)
    make(
        path,
        "WITH n(i) AS (VALUES(10) UNION ALL SELECT i + 1 FROM n LIMIT 500) INSERT INTO r SELECT i, i, i, 'x' FROM n",
    )
    with contextlib.closing(connect(path)) as db:
        assert len(rows(db, "r WHERE x0 >= 5")) == 501
        bench.restore(path, copy, "r")
        assert rows(db, "r WHERE x0 >= 5") == [(2, 5.0, 6.0, b"b")]
        assert db.execute("SELECT rtreecheck('r')").fetchall() == [(b"ok",)]


@pytest.mark.parametrize("kind", ["fts5(title, content='docs', content_rowid='id')", 'fts4(content="docs", title)'])
@pytest.mark.parametrize("known", [True, False], ids=["in the backup", "only in the target"])
def test_an_index_over_a_table_follows_it(bench: Bench, path: Path, kind: str, known: bool) -> None:
    index = f"CREATE VIRTUAL TABLE f USING {kind}; INSERT INTO f(f) VALUES('rebuild');"
    make(path, "CREATE TABLE docs(id INTEGER PRIMARY KEY, title); INSERT INTO docs VALUES(1, 'one'), (2, 'two');")
    if known:
        make(path, index)
    copy = bench.backup(path)
    make(path, "UPDATE docs SET title = 'three'; INSERT INTO docs VALUES(3, 'four');" + ("" if known else index))
    if known:
        make(path, "INSERT INTO f(f) VALUES('rebuild')")
    restoration = bench.restore(path, copy, "docs")
    assert ("was restored with it" if known else "was rebuilt") in restoration.notes[-1]
    with contextlib.closing(connect(path)) as db:
        assert rows(db, "f WHERE f MATCH 'two'") == [(b"two",)]
        assert rows(db, "f WHERE f MATCH 'three OR four'") == []
        db.execute("INSERT INTO f(f) VALUES('integrity-check')")
    make(path, "DELETE FROM docs; INSERT INTO f(f) VALUES('rebuild')")
    with bench.prepare(path, copy, "docs") as restoration:
        restoration.apply()
        restoration.undo()
        with contextlib.closing(connect(path)) as db:
            assert rows(db, "f WHERE f MATCH 'two'") == []
            db.execute("INSERT INTO f(f) VALUES('integrity-check')")


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_open_connections_see_it_and_check_mode_does_nothing(bench: Bench, path: Path, journal_mode: str) -> None:
    make(path, f"PRAGMA journal_mode={journal_mode}; CREATE TABLE t(a); CREATE TABLE u(a); INSERT INTO t VALUES(1)")
    copy = bench.backup(path)
    with contextlib.closing(connect(path)) as db:
        db.execute("UPDATE t SET a = 2")
        db.execute("INSERT INTO u VALUES(1)")
        before = {one.name: one.read_bytes() for one in path.parent.iterdir() if not one.name.endswith("-shm")}
        with bench.prepare(path, copy, "t", dry=True) as plan:
            assert plan.changed
        assert before == {one.name: one.read_bytes() for one in path.parent.iterdir() if not one.name.endswith("-shm")}
        with bench.prepare(path, copy, "t") as restoration:
            assert [tuple(one) for one in restoration.changes] == [("t", 1, 1)]
            db.execute("INSERT INTO u VALUES(2)")
            restoration.apply()
            assert rows(db, "t") == [(1,)]
            db.execute("INSERT INTO u VALUES(3)")
            restoration.undo()
        assert rows(db, "t") == [(2,)]
        assert rows(db, "u") == [(1,), (2,), (3,)]
        assert db.execute("PRAGMA journal_mode").fetchone() == (journal_mode.encode(),)


def test_undo_after_a_trial(bench: Bench, path: Path) -> None:
    """Nothing has changed since prepare, so that what it read is what undo puts back: the trial must not show."""
    make(path, "CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    copy = bench.backup(path)
    make(path, "UPDATE t SET a = 2")
    time.sleep(0.15)
    with bench.prepare(path, copy, "t") as restoration:
        restoration.apply()
        restoration.undo()
    with contextlib.closing(connect(path)) as db:
        assert rows(db, "t") == [(2,)]


@contextlib.contextmanager
def holding(path: Path, *statements: str) -> Iterator[subprocess.Popen[bytes]]:
    code = """
        import sqlite3, sys
        db = sqlite3.connect(sys.argv[1], isolation_level=None)
        for statement in sys.argv[2:]:
            db.execute(statement).fetchall()
        print("ready", flush=True); sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(path), *statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("statements", [["BEGIN IMMEDIATE"], ["BEGIN", "SELECT * FROM t"]])
def test_a_locked_target_stays_as_it_was(bench: Bench, path: Path, statements: list[str]) -> None:
    make(path, "CREATE TABLE t(a); INSERT INTO t VALUES(1)")
    copy = bench.backup(path)
    make(path, "UPDATE t SET a = 2")
    with holding(path, *statements) as process, bench.prepare(path, copy, "t", patience=0.3) as restoration:
        with pytest.raises(TargetError, match=f"locked.*process {process.pid} "):
            restoration.apply()
        with contextlib.closing(connect(path)) as db:
            assert rows(db, "t") == [(2,)]
    with contextlib.closing(connect(path)) as db:
        assert rows(db, "t") == [(2,)]
    assert os.listdir(path.parent) == ["x.db"]


def test_virtual_tables_are_told_from_their_parts(tmp_path: Path) -> None:
    make(
        tmp_path / "x.db",
        "CREATE VIRTUAL TABLE \"a using b\" USING fts5(x, content = 'c d', tokenize='porter'); CREATE TABLE \"c d\"(x);"
        'CREATE VIRTUAL TABLE [b] USING FTS4(x, content="B_content"); CREATE TABLE b_content(x);'
        "CREATE VIRTUAL TABLE c USING fts5(x, content=); CREATE VIRTUAL TABLE d USING rtree_i32(id, a, b)",
    )
    with contextlib.closing(sqlite3.connect(tmp_path / "x.db")) as db:
        found = {one.name: one for one in tables(db)}
    assert set(found) == {"a using b", "c d", "b", "b_content", "c", "d"}
    assert [(found[one].module, found[one].content) for one in ("a using b", "b", "c", "d", "c d")] == [
        ("fts5", "c d"),
        ("fts4", "B_content"),
        ("fts5", None),
        ("rtree_i32", None),
        ("", None),
    ]
    assert found["b"].shadows == ("b_docsize", "b_segments", "b_segdir", "b_stat")
    assert found["c d"] == Table("c d", 'CREATE TABLE "c d"(x)')
