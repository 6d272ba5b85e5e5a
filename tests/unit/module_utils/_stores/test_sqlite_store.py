# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a snapshot says of a database, and copies that somebody made by hand."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import MissingDependency, SourceError
from ansible_collections.day2.ops.plugins.module_utils._stores.base import Snapshot
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import check as sqlite_check
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import file as sqlite_file
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.store import SqliteStore

SCHEMA = """
CREATE TABLE hf_systems(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
CREATE TABLE "audit ""log"(a, b, PRIMARY KEY(a)) WITHOUT ROWID;
CREATE TABLE "new
line"(a);
CREATE VIRTUAL TABLE notes USING fts5(body);
CREATE VIRTUAL TABLE old_notes USING fts4(body);
CREATE VIRTUAL TABLE "place" USING rtree(id, x0, x1);
CREATE TABLE docs_content(title);
CREATE VIRTUAL TABLE docs USING fts5(title, content='docs_content', content_rowid='rowid');
CREATE VIEW everything AS SELECT * FROM hf_systems;
INSERT INTO hf_systems(name) VALUES('a'), ('b');
INSERT INTO "audit ""log" VALUES(1, 2);
INSERT INTO notes VALUES('one'), ('two'), ('three');
INSERT INTO old_notes VALUES('one');
INSERT INTO place VALUES(1, 0, 1);
INSERT INTO docs_content VALUES('x');
INSERT INTO docs(docs) VALUES('rebuild');
ANALYZE;
"""
COUNTS = [
    ('audit "log', 1),
    ("docs", 1),
    ("docs_content", 1),
    ("hf_systems", 2),
    ("new\nline", 0),
    ("notes", 3),
    ("old_notes", 1),
    ("place", 1),
]


def make(path: Path, script: str = SCHEMA, journal_mode: str = "delete") -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA journal_mode={journal_mode}")
        db.executescript(script)


def snapshot(path: Path, sink: Any) -> Snapshot:
    return SqliteStore(str(path), {}, patience=1).snapshot(sink)


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_a_snapshot(tmp_path: Path, memory_sink: Any, journal_mode: str) -> None:
    path = tmp_path / "hawkfish.db"
    make(path, SCHEMA + "PRAGMA user_version=3; PRAGMA application_id=9", journal_mode)
    path.chmod(0o640)
    time.sleep(0.15)
    store = SqliteStore(str(path), {})
    found = store.snapshot(memory_sink)
    assert [tuple(one) for one in found.collections] == COUNTS
    assert found.content_digest == hashlib.sha256(memory_sink.files["hawkfish.db"]).hexdigest()
    assert found.fingerprint is not None
    assert found.fingerprint == store.fingerprint()
    assert found.notes == ()
    info = path.stat()
    assert found.details == {
        "check": "full",
        "journal_mode": journal_mode,
        "mode": "0640",
        "uid": info.st_uid,
        "gid": info.st_gid,
        "user": path.owner(),
        "group": path.group(),
        "page_size": 4096,
        "page_count": info.st_size // 4096,
        "user_version": 3,
        "application_id": 9,
        "encoding": "UTF-8",
        "auto_vacuum": "none",
    }
    native = tmp_path / "native.db"
    native.write_bytes(memory_sink.files["hawkfish.db"])
    with contextlib.closing(sqlite3.connect(native)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("SELECT * FROM notes WHERE notes MATCH 'two'").fetchall() == [("two",)]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le", "UTF-16be"])
def test_encodings(tmp_path: Path, memory_sink: Any, encoding: str) -> None:
    path = tmp_path / "x.db"
    make(path, f"PRAGMA encoding='{encoding}'; CREATE TABLE täble(a); INSERT INTO täble VALUES('ß')")
    found = snapshot(path, memory_sink)
    assert found.details["encoding"] == encoding
    assert found.collections == (("täble", 1),)


def test_a_path_with_awkward_characters(tmp_path: Path, memory_sink: Any) -> None:
    name = "a?b#c%20d é\n.db"
    make(tmp_path / name, "CREATE TABLE t(a)")
    assert snapshot(tmp_path / name, memory_sink).collections == (("t", 0),)
    assert list(memory_sink.files) == [name]


def test_existence(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = SqliteStore(str(path), {})
    assert not store.exists()
    path.touch()
    assert not store.exists()
    make(path, "CREATE TABLE t(a)")
    assert store.exists()
    assert store.parameters() == {}


def damage(path: Path, at: int, data: bytes) -> None:
    make(path, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(3000)), (zeroblob(3000)), (zeroblob(3000))")
    with path.open("r+b") as handle:
        handle.seek(at)
        handle.write(data)


@pytest.mark.parametrize(
    ("at", "data", "words"),
    [
        (3 * 4096, b"\xff" * 4096, "malformed"),  # a page of a table
        (36, b"\0\0\0\5", "is damaged.*integrity_check: .*freelist: size is 0.*check=quick"),
        (4096, b"\x0d\0\0\0", "is damaged.*integrity_check:.*never used"),
    ],
)
def test_a_damaged_database_is_an_error(tmp_path: Path, memory_sink: Any, at: int, data: bytes, words: str) -> None:
    path = tmp_path / "x.db"
    damage(path, at, data)
    with pytest.raises(SourceError, match=words) as caught:
        snapshot(path, memory_sink)
    assert bool(caught.value.details.get("problems")) == ("_check:" in words)
    assert str(path) in str(caught.value)
    assert memory_sink.files == {}


@pytest.mark.parametrize(
    ("script", "marker"),
    [
        ("CREATE TABLE t(a); CREATE INDEX i ON t(a); INSERT INTO t SELECT 'k' || value FROM numbers", b"k50"),
        ("CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID; INSERT INTO t SELECT 'k' || value FROM numbers", b"k50"),
    ],
    ids=["index", "without rowid"],
)
def test_a_flipped_bit_that_only_a_full_check_sees(
    tmp_path: Path, memory_sink: Any, script: str, marker: bytes
) -> None:
    path = tmp_path / "x.db"
    numbers = "CREATE TABLE numbers(value); INSERT INTO numbers VALUES " + ",".join(f"({n})" for n in range(10, 99))
    make(path, f"{numbers}; {script}; DROP TABLE numbers")
    data = bytearray(path.read_bytes())
    data[data.rindex(marker) + 1] ^= 2  # the index lies behind its table
    path.write_bytes(data)
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA quick_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA integrity_check").fetchone()[0] != "ok"
    for options in ({}, {"check": "full"}):
        with pytest.raises(SourceError, match=r"integrity_check: .*REINDEX.*check=quick"):
            SqliteStore(str(path), options).snapshot(memory_sink)
    assert SqliteStore(str(path), {"check": "quick"}).snapshot(memory_sink).details["check"] == "quick"


def test_the_check_of_large_and_small_databases(
    tmp_path: Path, memory_sink: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    make(path)
    assert snapshot(path, memory_sink).details["check"] == "full"
    monkeypatch.setattr(sqlite_check, "_SMALL", path.stat().st_size - 1)
    memory_sink.files.clear()
    assert snapshot(path, memory_sink).details["check"] == "quick"
    memory_sink.files.clear()
    assert SqliteStore(str(path), {"check": "full"}).snapshot(memory_sink).details["check"] == "full"
    time.sleep(0.2)
    prints = {SqliteStore(str(path), options).fingerprint() for options in ({}, {"check": "full"}, {"check": "quick"})}
    assert len(prints) == 3  # none of them stands for another


def test_an_application_that_brings_functions_and_collations(tmp_path: Path, memory_sink: Any) -> None:
    path = tmp_path / "x.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.create_collation("swedish", lambda one, other: (one < other) - (one > other))
        db.create_function("twice", 1, lambda value: value * 2, deterministic=True)
        db.executescript(
            "CREATE TABLE s(a TEXT COLLATE swedish PRIMARY KEY) WITHOUT ROWID; INSERT INTO s VALUES('a'), ('b');"
            "CREATE TABLE t(a, CHECK(twice(a) > 0)); INSERT INTO t VALUES(1); CREATE INDEX i ON t(twice(a));"
            "CREATE TABLE u(a CHECK(a > 0)); PRAGMA ignore_check_constraints=ON; INSERT INTO u VALUES(-1)"
        )
    found = snapshot(path, memory_sink)
    assert found.collections == (("s", 2), ("t", 1), ("u", 1))
    assert all("swedish" in note for note in found.notes)
    assert found.details["check"] == "quick"
    memory_sink.files.clear()
    told = SqliteStore(str(path), {"check": "full"}).snapshot(memory_sink)
    assert "quick_check was used instead" in told.notes[-1]


def test_a_missing_module_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "sqlite3", None)
    with pytest.raises(MissingDependency, match="sqlite3"):
        SqliteStore(str(tmp_path / "x.db"), {})


def test_a_link_in_a_directory_that_others_can_write(tmp_path: Path) -> None:
    make(tmp_path / "x.db", "CREATE TABLE t(a)")
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    (hostile / "x.db").symlink_to(tmp_path / "x.db")
    assert SqliteStore(str(hostile / "x.db"), {}).path == str(tmp_path / "x.db")
    hostile.chmod(0o777)
    with pytest.raises(SourceError, match="not followed"):
        SqliteStore(str(hostile / "x.db"), {})


def test_the_sink_says_no(tmp_path: Path, memory_sink: Any) -> None:
    """What the sink raises comes out, and the thread that checks is over."""
    make(tmp_path / "x.db")

    @contextlib.contextmanager
    def full(name: str) -> Any:
        if name:
            raise SourceError("full")
        yield

    memory_sink.file = full
    with pytest.raises(SourceError, match="full"):
        snapshot(tmp_path / "x.db", memory_sink)


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_a_copy_made_by_hand(
    tmp_path: Path, new_sink: Callable[[], Any], reader_of: Callable[[bytes], Any], journal_mode: str
) -> None:
    path = tmp_path / "x.db"
    make(path, SCHEMA, journal_mode)
    store = SqliteStore(str(path), {})
    sink = new_sink()
    found = store.convert(reader_of(path.read_bytes()), "backup_20250630.db", sink)
    assert found.content_digest == store.snapshot(new_sink()).content_digest
    assert [tuple(one) for one in found.collections] == COUNTS
    assert list(sink.files) == ["x.db"]
    assert found.details["journal_mode"] == journal_mode
    assert "uid" not in found.details
    assert found.fingerprint is None
    assert any("without its -wal" in note for note in found.notes) == (journal_mode == "wal")


def test_a_bad_copy_made_by_hand(
    tmp_path: Path, new_sink: Callable[[], Any], reader_of: Callable[[bytes], Any]
) -> None:
    path = tmp_path / "x.db"
    make(path)
    store = SqliteStore(str(path), {})
    good = path.read_bytes()
    damage(tmp_path / "bad.db", 36, b"\0\0\0\5")
    for data, words in [
        (b"", "is empty"),
        (b"CREATE TABLE t(a);", "not an SQLite database"),
        (good[:-100], "is truncated"),
        ((tmp_path / "bad.db").read_bytes(), "is damaged"),
    ]:
        sink = new_sink()
        with pytest.raises(SourceError, match=r"mine\.db.*" + words):
            store.convert(reader_of(data), "mine.db", sink)
        assert sink.files == {}


def test_a_dump(tmp_path: Path, new_sink: Callable[[], Any], reader_of: Callable[[bytes], Any]) -> None:
    path = tmp_path / "x.db"
    make(path, "CREATE TABLE t(a); INSERT INTO t VALUES('x;y'), (NULL), (x'00ff'), (1e99)")
    with contextlib.closing(sqlite3.connect(path)) as db:
        dump = "\n".join(db.iterdump()).encode()
    sink = new_sink()
    found = SqliteStore(str(path), {}).convert(reader_of(dump), "dump.sql", sink)
    assert found.collections == (("t", 4),)
    assert found.content_digest == hashlib.sha256(sink.files["x.db"]).hexdigest()
    native = tmp_path / "native.db"
    native.write_bytes(sink.files["x.db"])
    with contextlib.closing(sqlite3.connect(native)) as db:
        assert db.execute("SELECT a FROM t").fetchall() == [("x;y",), (None,), (b"\0\xff",), (1e99,)]
    assert os.path.exists(path)
