# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dumps are cut into statements, executed, and kept from doing anything else."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._core.errors import SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.dump import execute_dump, statements

PIECES = [
    "INSERT INTO t VALUES(1);",
    "INSERT INTO t VALUES('a;b''c -- d /* e');",
    'CREATE TABLE "x;""y" (a);\n',
    "CREATE TABLE [a;'b](c);",
    "CREATE TABLE `a;``\"b`(c); -- a comment; with 'quotes\n",
    "/* one ; ' \n two */ SELECT 1;",
    "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; SELECT ';'; SELECT CASE WHEN 1 THEN 2 END; END;",
    "INSERT INTO t VALUES('line\nline;\nline');\n\n",
    "SELECT 1 - -1, 2 / 1, '';\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.integers(min_value=1, max_value=40))
def test_statements_do_not_depend_on_where_the_text_is_cut(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    found = list(statements(chunks, "x.sql"))
    assert len(found) == len(pieces)
    rest, at = text, 0
    for line, statement in found:
        assert sqlite3.complete_statement(statement)
        assert rest.startswith(statement)
        at = len(text) - len(rest) + len(statement) - len(statement.lstrip())
        assert line == 1 + text.count("\n", 0, at)
        rest = rest[len(statement) :]
    assert rest.strip() in ("", "-- a comment; with 'quotes")


@given(st.text(alphabet="a;'\"`[]-/*\n ", max_size=40), st.integers(min_value=1, max_value=7))
@settings(max_examples=100)
def test_any_text_gives_the_same_statements_in_any_pieces(text: str, size: int) -> None:
    def outcome(chunks: list[str]) -> list[object]:
        found: list[object] = []
        try:
            found.extend(statements(chunks, "x.sql"))
        except SourceError as exc:
            found.append(str(exc))
        return found

    assert outcome([text[at : at + size] for at in range(0, len(text), size)]) == outcome([text])


def execute(text: bytes, directory: Path, reader_of: Callable[[bytes], Any]) -> Path:
    path = directory / "scratch.db"
    path.unlink(missing_ok=True)
    execute_dump(reader_of(text), "mine.sql", str(path), Progress())
    return path


def test_a_dump_of_everything_comes_back(tmp_path: Path, reader_of: Callable[[bytes], Any]) -> None:
    """As the sqlite3 program writes it, virtual tables included (Python's iterdump can't do those before 3.13)."""
    text = """PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT, b);
INSERT INTO t VALUES(1,replace('a\\nb;','\\n',char(10)));
INSERT INTO t VALUES(9,1e999);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('t',9);
PRAGMA writable_schema=ON;
INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)
 VALUES('table','f','f',0,'CREATE VIRTUAL TABLE f USING fts4(x)');
CREATE TABLE 'f_content'(docid INTEGER PRIMARY KEY, 'c0x');
INSERT INTO f_content VALUES(1,'hello');
CREATE TABLE 'f_segments'(blockid INTEGER PRIMARY KEY, block BLOB);
CREATE TABLE 'f_segdir'(level INTEGER,idx INTEGER,start_block INTEGER,leaves_end_block INTEGER,
 end_block INTEGER,root BLOB,PRIMARY KEY(level, idx));
CREATE TABLE 'f_docsize'(docid INTEGER PRIMARY KEY, size BLOB);
CREATE TABLE 'f_stat'(id INTEGER PRIMARY KEY, value BLOB);
CREATE INDEX i ON t(b);
CREATE VIEW v AS SELECT * FROM t;
CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET b = 1; END;
PRAGMA writable_schema=OFF;
COMMIT;
PRAGMA user_version=4;
-- the end"""
    path = execute(b"\xef\xbb\xbf" + text.encode(), tmp_path, reader_of)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT * FROM v").fetchall() == [(1, "a\nb;"), (9, float("inf"))]
        assert db.execute("SELECT count(*) FROM f").fetchall() == [(1,)]
        assert db.execute("PRAGMA user_version").fetchall() == [(4,)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "creates no table"),
        (b"-- nothing\n", "creates no table"),
        (b"CREATE TABLE t(a);\n\nINSERT INTO u\nVALUES(1);", r"line 3: no such table: u.*INSERT INTO u"),
        (b"CREATE TABLE t(a);\nINSERT INTO t VALUES('x", "line 1: the last statement has no end"),
        (b"CREATE TABLE t(a);\nINSERT INTO t VALUES(1)", "line 1: the last statement has no end"),
        (b"BEGIN; CREATE TABLE t(a);", "ends inside a transaction"),
        (b"BEGIN; CREATE TABLE t(a);\nROLLBACK; -- due to errors", "line 2.*ends with ROLLBACK"),
        (b"CREATE TABLE t(a);INSERT INTO t VALUES('\xff');", "not UTF-8"),
        (b"CREATE TABLE t(a);\0", "NUL"),
        (b"SET statement_timeout = 0;", "line 1: near"),
        (b".open x\n;", "line 1: near"),
        (b"CREATE TABLE t(a); ATTACH '%s/other.db' AS o;", "not authorized"),
        (b"CREATE TABLE t(a); VACUUM INTO '%s/other.db';", "not authorized|authorization denied"),
        (b"CREATE TABLE t(a); PRAGMA temp_store_directory='/tmp';", "not authorized"),
        (b"CREATE TABLE t(a); SELECT load_extension('x');", "not authorized"),
    ],
)
def test_a_bad_dump(tmp_path: Path, reader_of: Callable[[bytes], Any], text: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        execute(text.replace(b"%s", str(tmp_path).encode()), tmp_path, reader_of)
    assert "mine.sql" in str(caught.value)
    assert not (tmp_path / "other.db").exists()


def test_a_huge_literal_with_semicolons_at_the_ends_of_lines(tmp_path: Path, reader_of: Callable[[bytes], Any]) -> None:
    value = b"some code;\n" * 300_000
    path = execute(b"CREATE TABLE t(a);\nINSERT INTO t VALUES('%s');\n" % value, tmp_path, reader_of)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT length(a) FROM t").fetchall() == [(len(value),)]
