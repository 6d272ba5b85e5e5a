# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole restores: the target is exactly as in the backup, or as it was."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import DamagedBackup, NoSpace, TargetError
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import file as sqlite_file
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import new_file as sqlite_new_file
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import restore as sqlite_restore
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.file import Unreadable
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.store import SqliteStore

OLD = "CREATE TABLE t(a); INSERT INTO t VALUES('old'), ('older'); CREATE TABLE gone(a); PRAGMA user_version=1"
NEW = "CREATE TABLE t(a); INSERT INTO t VALUES('new'); CREATE TABLE u(a); PRAGMA user_version=2"


def connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=0.2)
    db.execute("PRAGMA synchronous=OFF")
    return db


def make(path: Path, script: str, journal_mode: str = "delete", page_size: int = 4096) -> None:
    with contextlib.closing(connect(path)) as db:
        db.execute(f"PRAGMA page_size={page_size}")
        db.execute(f"PRAGMA journal_mode={journal_mode}")
        db.executescript(script)


class Bench:
    """Backups of databases, and restores of them, each with directories of its own."""

    def __init__(self, directory: Path, new_sink: Callable[[], Any], copy_of: Callable[..., Any]) -> None:
        self.directory = directory
        self._new_sink = new_sink
        self._copy_of = copy_of
        self._numbers = itertools.count()

    def digest(self, path: Path) -> str:
        return str(SqliteStore(str(path), {}).snapshot(self._new_sink()).content_digest)

    def backup(self, path: Path) -> Any:
        sink = self._new_sink()
        return self._copy_of(sink, SqliteStore(str(path), {}).snapshot(sink))

    def backup_of(self, script: str, **how: Any) -> Any:
        path = self.scratch() / "x.db"
        make(path, script, **how)
        return self.backup(path)

    def scratch(self) -> Path:
        path = self.directory / (f"bench-{next(self._numbers)}")
        path.mkdir()
        return path

    def prepare(self, path: Path, copy: Any, *only: str, dry: bool = False, patience: float = 5) -> Any:
        return SqliteStore(str(path), {}, patience).prepare(copy, list(only), str(self.scratch()), dry)


@pytest.fixture
def bench(tmp_path: Path, new_sink: Callable[[], Any], copy_of: Callable[..., Any]) -> Bench:
    return Bench(tmp_path, new_sink, copy_of)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


def everything(directory: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file with what a restore could change about it."""
    return {
        one.name: (one.read_bytes(), one.stat().st_mtime_ns, one.stat().st_ino)
        for one in directory.iterdir()
        if not one.name.endswith("-shm")  # readers note their marks there
    }


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_where_there_is_nothing(bench: Bench, home: Path, journal_mode: str) -> None:
    source = bench.scratch() / "x.db"
    make(source, NEW, journal_mode)
    source.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(source, 1234, 2345)
    copy = bench.backup(source)
    path = home / "x.db"
    with bench.prepare(path, copy) as restoration:
        assert restoration.changed
        assert [tuple(one) for one in restoration.changes] == [("t", None, 1), ("u", None, 0)]
        assert not path.exists()
        restoration.apply()
        info = path.stat()
        assert (info.st_mode & 0o7777, info.st_uid, info.st_gid) == (0o640, source.stat().st_uid, source.stat().st_gid)
        assert bench.digest(path) == copy.content_digest
        with contextlib.closing(connect(path)) as db:
            assert db.execute("PRAGMA journal_mode").fetchone() == (journal_mode,)
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert os.listdir(home) == ["x.db"]
    with bench.prepare(path, copy) as restoration:
        assert not restoration.changed
        assert [tuple(one) for one in restoration.changes] == [("t", 1, 1), ("u", 0, 0)]


def test_a_backup_that_does_not_tell_the_owner(
    bench: Bench, home: Path, reader_of: Any, new_sink: Any, copy_of: Any
) -> None:
    make(home / "y.db", NEW)
    store, sink = SqliteStore(str(home / "x.db"), {}), new_sink()
    copy = copy_of(sink, store.convert(reader_of((home / "y.db").read_bytes()), "y.db", sink))
    if os.geteuid() == 0:
        os.chown(home, 1234, 2345)
    with bench.prepare(home / "x.db", copy) as restoration:
        restoration.apply()
    info = (home / "x.db").stat()
    assert (info.st_mode & 0o7777, info.st_uid, info.st_gid) == (0o600, home.stat().st_uid, home.stat().st_gid)


def test_what_was_left_beside_a_missing_database_is_not_replayed_into_the_new_one(bench: Bench, home: Path) -> None:
    path = home / "x.db"
    make(path, OLD, "wal")
    code = """
        import sqlite3, sys
        db = sqlite3.connect(sys.argv[1], isolation_level=None); db.execute("UPDATE t SET a = 'stale'")
        print("ready", flush=True); sys.stdin.read()
    """
    with running(code, path):
        pass
    path.unlink()
    (home / "x.db-journal").write_bytes(b"stale")
    before = everything(home)
    assert set(before) == {"x.db-wal", "x.db-journal"}
    copy = bench.backup_of(NEW, journal_mode="wal")
    with bench.prepare(path, copy) as restoration:
        assert len([note for note in restoration.notes if "a leftover without its database" in note]) == 3
        restoration.apply()
        assert bench.digest(path) == copy.content_digest
        restoration.undo()
        assert everything(home) == before
    with bench.prepare(path, copy) as restoration:
        restoration.apply()
    assert bench.digest(path) == copy.content_digest
    assert os.listdir(home) == ["x.db"]


@contextlib.contextmanager
def running(code: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that has said "ready"; killed in the end."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


LOCKER = """
    import sqlite3, sys
    db = sqlite3.connect(sys.argv[1], isolation_level=None)
    for statement in sys.argv[2:]:
        db.execute(statement).fetchall()
    print("ready", flush=True); sys.stdin.read()
"""


@pytest.mark.parametrize("journal_mode", ["wal", "delete", "persist"])
@pytest.mark.parametrize("of", ["wal", "delete"])
def test_into_a_live_database(bench: Bench, home: Path, journal_mode: str, of: str) -> None:
    path = home / "x.db"
    make(path, OLD, journal_mode)
    before_digest = bench.digest(path)
    copy = bench.backup_of(NEW, journal_mode=of)
    with contextlib.closing(connect(path)) as db:
        db.execute(f"PRAGMA journal_mode={journal_mode}")  # persist is forgotten with each connection
        assert db.execute("SELECT a FROM t").fetchall() == [("old",), ("older",)]
        inode = path.stat().st_ino
        with bench.prepare(path, copy) as restoration:
            assert restoration.changed
            assert [tuple(one) for one in restoration.changes] == [("gone", 0, 0), ("t", 2, 1), ("u", None, 0)]
            assert db.execute("SELECT a FROM t").fetchall() == [("old",), ("older",)]
            restoration.apply()
            assert db.execute("SELECT a FROM t").fetchall() == [("new",)]
            assert bench.digest(path) == copy.content_digest
            restoration.undo()
            assert db.execute("SELECT a FROM t").fetchall() == [("old",), ("older",)]
            assert bench.digest(path) == before_digest
        with bench.prepare(path, copy) as restoration:
            restoration.apply()
        db.execute("INSERT INTO u VALUES(1)")
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA journal_mode").fetchone() == (journal_mode,)
        assert path.stat().st_ino == inode
    assert [one for one in os.listdir(home) if not one.endswith("-journal")] == ["x.db"]


def test_undo_brings_back_what_was_written_after_prepare(bench: Bench, home: Path) -> None:
    path = home / "x.db"
    make(path, OLD)
    copy = bench.backup_of(NEW)
    with bench.prepare(path, copy) as restoration:
        with contextlib.closing(connect(path)) as db:
            db.execute("INSERT INTO t VALUES('late')")
        restoration.apply()
        restoration.undo()
    with contextlib.closing(connect(path)) as db:
        assert db.execute("SELECT a FROM t").fetchall() == [("old",), ("older",), ("late",)]


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_check_mode_changes_nothing(bench: Bench, home: Path, journal_mode: str) -> None:
    path = home / "x.db"
    make(path, OLD, journal_mode)
    copy = bench.backup_of(NEW)
    for state in ("closed", "open", "unreadable", "missing"):
        with contextlib.ExitStack() as stack:
            if state == "open":
                stack.enter_context(contextlib.closing(connect(path))).execute("INSERT INTO t VALUES('x')")
            elif state == "unreadable":
                path.write_bytes(b"junk")
            elif state == "missing":
                path.unlink()
            before = everything(home)
            with bench.prepare(path, copy, dry=True) as restoration:
                assert restoration.changed
            assert everything(home) == before


@pytest.mark.parametrize("content", [b"junk" * 3000, b"", b"SQLite format 3\0" + b"\1" * 8000])
def test_what_sqlite_cannot_open_is_replaced_by_a_new_file(bench: Bench, home: Path, content: bytes) -> None:
    path = home / "x.db"
    path.write_bytes(content)
    path.chmod(0o604)
    (home / "x.db-wal").write_bytes(b"something")
    before = everything(home)
    copy = bench.backup_of(NEW)
    with bench.prepare(path, copy) as restoration:
        assert restoration.changed
        assert "SQLite can't open" in restoration.notes[0]
        restoration.apply()
        assert bench.digest(path) == copy.content_digest
        assert path.stat().st_mode & 0o777 == 0o604
        assert not (home / "x.db-wal").exists()
        restoration.undo()
        assert everything(home) == before
    with bench.prepare(path, copy) as restoration:
        restoration.apply()
    assert os.listdir(home) == ["x.db"]
    assert bench.digest(path) == copy.content_digest


def test_a_database_that_is_damaged_inside_is_restored_in_place(bench: Bench, home: Path) -> None:
    path = home / "x.db"
    make(path, OLD)
    with path.open("r+b") as handle:
        handle.seek(4096)
        handle.write(b"\xff" * 4096)
    copy = bench.backup_of(NEW)
    inode = path.stat().st_ino
    with bench.prepare(path, copy) as restoration:
        assert restoration.changed
        restoration.apply()
    assert path.stat().st_ino == inode
    assert bench.digest(path) == copy.content_digest


def test_a_crashed_writers_journal_is_rolled_back_first(bench: Bench, home: Path) -> None:
    path = home / "x.db"
    make(path, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(200000))")
    copy = bench.backup(path)
    crash = ["PRAGMA cache_size=2", "BEGIN", "UPDATE t SET a = randomblob(300000)"]
    with running(LOCKER, path, *crash):
        pass
    with bench.prepare(path, copy) as restoration:
        assert not restoration.changed
    with contextlib.closing(connect(path)) as db:
        db.execute("UPDATE t SET a = 1")
    with running(LOCKER, path, *crash):
        pass
    with bench.prepare(path, copy) as restoration:
        assert restoration.changed
        restoration.apply()
    assert bench.digest(path) == copy.content_digest


@pytest.mark.parametrize(("ours", "theirs"), [(1024, 4096), (4096, 1024), (512, 65536), (65536, 512)])
def test_another_page_size(bench: Bench, home: Path, ours: int, theirs: int) -> None:
    copy = bench.backup_of(NEW + "; INSERT INTO u VALUES(zeroblob(100000))", page_size=theirs)
    for mode in ("delete", "wal"):
        path = home / (mode + ".db")
        make(path, OLD, mode, ours)
        old = bench.digest(path)
        with bench.prepare(path, copy) as restoration:
            restoration.apply()
            assert bench.digest(path) == copy.content_digest
            restoration.undo()
            assert bench.digest(path) == old
            with contextlib.closing(connect(path)) as db:
                assert db.execute("PRAGMA journal_mode").fetchone() == (mode,)
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    path = home / "delete.db"
    with contextlib.closing(connect(path)) as db:  # also while somebody has it open
        assert db.execute("SELECT count(*) FROM t").fetchone() == (2,)
        with bench.prepare(path, copy) as restoration:
            restoration.apply()
        assert db.execute("SELECT a FROM t").fetchall() == [("new",)]
        db.execute("INSERT INTO t VALUES(1)")
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_another_page_size_in_wal_mode_while_somebody_has_it_open(bench: Bench, home: Path) -> None:
    path = home / "x.db"
    make(path, OLD, "wal", 1024)
    copy = bench.backup_of(NEW)
    with running(LOCKER, path, "SELECT * FROM t") as process, bench.prepare(path, copy) as restoration:
        assert f"It is open in process {process.pid} " in restoration.notes[0]
        old = bench.digest(path)
        with pytest.raises(TargetError, match=f"another page size.*process {process.pid}.*Stop that"):
            restoration.apply()
        assert bench.digest(path) == old
    with contextlib.closing(connect(path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("ours", ["none", "full", "incremental"])
@pytest.mark.parametrize("theirs", ["none", "full", "incremental"])
def test_another_auto_vacuum_under_an_open_connection(bench: Bench, home: Path, ours: str, theirs: str) -> None:
    path = home / "x.db"
    make(path, f"PRAGMA auto_vacuum={ours}; VACUUM; {OLD}")
    copy = bench.backup_of(f"PRAGMA auto_vacuum={theirs}; VACUUM; {NEW}")
    with contextlib.closing(connect(path)) as db:
        db.execute("INSERT INTO t VALUES(zeroblob(50000))")
        with bench.prepare(path, copy) as restoration:
            restoration.apply()
        assert bench.digest(path) == copy.content_digest
        db.execute("INSERT INTO t VALUES(zeroblob(90000))")
        db.execute("DELETE FROM t WHERE a <> 'new'")
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    ("journal_mode", "lock"),
    [("delete", "BEGIN IMMEDIATE"), ("wal", "BEGIN IMMEDIATE"), ("delete", "BEGIN; SELECT * FROM t")],
)
def test_a_target_that_stays_locked_stays_as_it_was(bench: Bench, home: Path, journal_mode: str, lock: str) -> None:
    path = home / "x.db"
    make(path, OLD, journal_mode)
    digest = bench.digest(path)
    copy = bench.backup_of(NEW)
    with running(LOCKER, path, *lock.split("; ")) as process:
        with bench.prepare(path, copy, patience=0.3) as restoration:
            with pytest.raises(TargetError, match=f"locked.*process {process.pid} "):
                restoration.apply()
        assert bench.digest(path) == digest
    with contextlib.closing(connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with running(LOCKER, path, "PRAGMA locking_mode=EXCLUSIVE", "DELETE FROM gone") as process:
        if journal_mode == "delete":
            with pytest.raises(TargetError, match=f"locked.*process {process.pid} "):
                bench.prepare(path, copy, patience=0.2)


def test_a_damaged_backup_touches_nothing(bench: Bench, home: Path) -> None:
    copy = bench.backup_of(NEW)
    wrong = bench.backup_of(NEW)
    copy.damage("x.db")
    wrong.files["x.db"] = wrong.files["x.db"][:-1] + b"\1"
    several = bench.backup_of(NEW)
    several.files["y.db"] = b""
    for prepared in (False, True):
        if prepared:
            make(home / "x.db", OLD)
        before = everything(home)
        for one in (copy, wrong, several):
            with pytest.raises(DamagedBackup):
                bench.prepare(home / "x.db", one)
            assert everything(home) == before


def test_a_full_disk_is_said_before_it_is_full(bench: Bench, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = bench.backup_of(NEW)
    make(home / "x.db", OLD)
    before = everything(home)
    free = {str(home): 100}
    monkeypatch.setattr(sqlite_restore.files, "free_bytes", lambda directory: free.get(directory, 1 << 40))
    for path in (home / "x.db", home / "missing.db"):
        with pytest.raises(NoSpace):
            bench.prepare(path, copy)
    assert everything(home) == before


def test_no_such_directory_and_no_file(bench: Bench, home: Path) -> None:
    copy = bench.backup_of(NEW)
    with pytest.raises(TargetError, match="does not exist"):
        bench.prepare(home / "no" / "x.db", copy)
    (home / "x.db").mkdir()
    with pytest.raises(TargetError, match="not a regular file"):
        bench.prepare(home / "x.db", copy)


def test_leftovers_of_a_killed_run_go_away(bench: Bench, home: Path) -> None:
    copy = bench.backup_of(NEW)
    for name in (".day2-x.db.0123abcd", ".day2-x.db-wal.0123abcd", ".day2-y.db.0123abcd"):
        (home / name).touch()
    with bench.prepare(home / "x.db", copy, dry=True):
        assert len(os.listdir(home)) == 3
    with bench.prepare(home / "x.db", copy):
        pass
    assert os.listdir(home) == [".day2-y.db.0123abcd"]


def test_a_target_that_appears_meanwhile_is_not_overwritten(bench: Bench, home: Path) -> None:
    copy = bench.backup_of(NEW)
    with bench.prepare(home / "x.db", copy) as restoration:
        make(home / "x.db", OLD)
        before = (home / "x.db").stat()
        with pytest.raises(TargetError, match="was changed while"):
            restoration.apply()
    assert os.listdir(home) == ["x.db"]
    assert (home / "x.db").stat() == before


def test_a_swap_that_fails_half_way_is_taken_back(bench: Bench, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "x.db"
    path.write_bytes(b"junk")
    (home / "x.db-wal").write_bytes(b"junk")
    before = everything(home)
    copy = bench.backup_of(NEW)
    broken = []

    def fail(directory: str) -> None:
        if not broken:
            broken.append(directory)
            raise OSError(5, "Input/output error", directory)

    with bench.prepare(path, copy) as restoration:
        monkeypatch.setattr(sqlite_new_file.files, "fsync_directory", fail)
        with pytest.raises(TargetError, match="Input/output error"):
            restoration.apply()
        assert {name: one for name, one in everything(home).items() if not name.startswith(".")} == before
    assert everything(home) == before


RESTORER = """
    import contextlib, hashlib, os, sys
    sys.path[:0] = sys.argv[4].split(os.pathsep)
    from ansible_collections.day2.ops.plugins.module_utils._core.collection import Collection
    from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
    from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.store import SqliteStore
    class Reader:
        def __init__(self, handle): self.handle, self.digest = handle, hashlib.sha256()
        def read(self, size):
            data = self.handle.read(size)
            self.digest.update(data)
            return data
        def sha256(self): return self.digest.hexdigest()
    class Copy:
        progress = Progress()
        content_digest = sys.argv[3]
        collections = (Collection("t", 1002),)
        details = {}
        def names(self): return ["x.db"]
        @contextlib.contextmanager
        def open(self, name):
            with open(sys.argv[2], "rb") as handle:
                yield Reader(handle)
    scratch = sys.argv[1] + ".scratch"
    os.makedirs(scratch, exist_ok=True)
    with SqliteStore(sys.argv[1], {}).prepare(Copy(), sys.argv[5:], scratch, False) as restoration:
        print("ready", flush=True)
        restoration.apply()
        print("done", flush=True)
        sys.stdin.read()
"""


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
@pytest.mark.parametrize("only", [[], ["t"]])
def test_killed_in_the_middle_it_is_old_or_new(bench: Bench, home: Path, journal_mode: str, only: list[str]) -> None:
    fill = (
        "WITH n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n LIMIT 1000) INSERT INTO t SELECT randomblob(1500) FROM n"
    )
    path, pristine = home / "x.db", bench.directory / "pristine.db"
    make(pristine, OLD + ";" + fill, journal_mode)
    copy = bench.backup_of(OLD + ";" + fill)
    native = bench.directory / "native.db"
    native.write_bytes(copy.files["x.db"])

    def content(file: Path) -> list[tuple[bytes]]:
        with contextlib.closing(connect(file)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return db.execute("SELECT a FROM t ORDER BY rowid").fetchall()

    old, new = content(pristine), content(native)
    outcomes: list[bool] = []
    for delay in [None, 0, 0.01, 0.03, random.uniform(0, 0.1), *[0] * 50]:
        if len(outcomes) >= 5 and not all(outcomes):  # on a busy machine, a kill may come late again and again
            break
        for one in home.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        shutil.copy(pristine, path)
        arguments = (path, native, copy.content_digest, os.pathsep.join(sys.path), *only)
        with running(RESTORER, *arguments) as process:
            if delay is None:
                assert process.stdout is not None
                assert process.stdout.readline() == b"done\n"
            else:
                time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.wait()
        shutil.rmtree(home / "x.db.scratch")
        found = content(path)
        assert found in (old, new)
        outcomes.append(found == new)
    assert outcomes[0]
    assert not all(outcomes)


@pytest.mark.once
@pytest.mark.parametrize("shm", [True, False])
@pytest.mark.parametrize("mode", ["ro", "rw"])
def test_sqlite_itself_loses_the_log_beside_an_empty_file(tmp_path: Path, mode: str, shm: bool) -> None:
    """Why it is refused: were this to change, the log could be read as SQLite reads it."""
    path = tmp_path / "x.db"
    with contextlib.closing(sqlite3.connect(tmp_path / "y.db")) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript(OLD)
        for name in ("-wal", *(["-shm"] if shm else [])):
            shutil.copy(f"{tmp_path / 'y.db'}{name}", f"{path}{name}")
    path.touch()
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode={mode}", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    assert not Path(f"{path}-wal").exists()


def test_an_empty_file_beside_a_log_is_something(bench: Bench, home: Path) -> None:
    """SQLite itself would take it for an empty database, and remove the log as soon as it reads it."""
    copy = bench.backup_of(NEW)
    path = home / "x.db"
    with contextlib.closing(connect(home / "y.db")) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript(OLD)
        shutil.copy(home / "y.db-wal", home / "x.db-wal")
    path.touch()
    before = everything(home)
    assert SqliteStore(str(path), {}).exists()
    with pytest.raises(Unreadable, match="x.db is empty, but has a write-ahead log of"):
        bench.backup(path)
    with pytest.raises(Unreadable, match="x.db is empty, but has a write-ahead log of"):
        sqlite_file.connect(str(path), "ro")
    with bench.prepare(path, copy, dry=True) as restoration:
        assert (restoration.changed, restoration.damage) == (True, f"SQLite can't open {path}.")
    assert everything(home) == before
    with bench.prepare(path, copy) as restoration:
        restoration.apply()
        restoration.undo()
        assert everything(home)["x.db-wal"] == before["x.db-wal"]
        assert path.stat().st_size == 0
