# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies are consistent, complete and byte-identical for equal content, whoever does what meanwhile."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import fingerprint as fingerprints
from ansible_collections.day2.ops.plugins.module_utils._core.errors import NoSpace, SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite import file_copy as sqlite_copy
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.file import Header, Unreadable, normalise_file
from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.file_copy import copy_database, fingerprint
from tests.services.waiting import wait_for

SETTLED = 0.15  # seconds until attributes are trusted

BANK = """
CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER, padding TEXT);
CREATE TABLE ledger(n INTEGER PRIMARY KEY, debit INTEGER, credit INTEGER, amount INTEGER, padding BLOB);
CREATE INDEX by_account ON ledger(debit, credit);
CREATE TABLE counter(n INTEGER);
INSERT INTO counter VALUES(0);
"""
ACCOUNTS = 20

# Transfers money for ever, each with the next number. The small cache makes SQLite write before it commits.
WRITER = """
import os, random, sqlite3, sys
path, seed = sys.argv[1], int(sys.argv[2])
random.seed(seed)
db = sqlite3.connect(path, isolation_level=None, timeout=60)
db.execute("PRAGMA synchronous=OFF")
db.execute("PRAGMA cache_size=5")
db.execute("PRAGMA wal_autocheckpoint=%d" % random.choice([0, 5, 100]))
print("ready", flush=True)
while True:
    db.execute("BEGIN IMMEDIATE")
    n = db.execute("SELECT n FROM counter").fetchone()[0] + 1
    debit, credit = random.sample(range(20), 2)
    amount = random.randint(1, 50)
    padding = "y" * random.randint(0, 5000)
    db.execute("UPDATE account SET balance=balance-?, padding=? WHERE id=?", (amount, padding, debit))
    db.execute("UPDATE account SET balance=balance+? WHERE id=?", (amount, credit))
    db.execute("INSERT INTO ledger VALUES(?,?,?,?,?)", (n, debit, credit, amount, os.urandom(random.randint(0, 3000))))
    db.execute("UPDATE counter SET n=?", (n,))
    if n % 7 == 0:
        db.execute("UPDATE ledger SET padding=NULL WHERE n < ?", (n - 30,))
    db.execute(random.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK"]))
"""

CHECKPOINTER = """
import random, sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0.1)
print("ready", flush=True)
while True:
    try:
        db.execute("PRAGMA wal_checkpoint(%s)" % random.choice(["PASSIVE", "RESTART", "TRUNCATE", "FULL"])).fetchall()
    except sqlite3.OperationalError:
        pass
    time.sleep(random.choice([0, 0.001, 0.004]))
"""


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


def connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def make(
    path: Path, journal_mode: str, script: str = "CREATE TABLE t(a); INSERT INTO t VALUES(1)", page_size: int = 4096
) -> None:
    with contextlib.closing(connect(path)) as db:
        db.execute(f"PRAGMA page_size={page_size}")
        db.execute(f"PRAGMA journal_mode={journal_mode}")
        db.executescript(script)


def make_bank(path: Path, journal_mode: str) -> None:
    make(path, journal_mode, BANK, 1024)
    with contextlib.closing(connect(path)) as db:
        db.executemany("INSERT INTO account VALUES(?, 1000, ?)", [(one, "x" * 1000) for one in range(ACCOUNTS)])


def audit(path: Path) -> int:
    """The number of the last transfer, in a database that is exactly as after that one."""
    with contextlib.closing(connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        balances, last = [1000] * ACCOUNTS, 0
        for n, debit, credit, amount in db.execute("SELECT n, debit, credit, amount FROM ledger ORDER BY n"):
            last += 1
            assert n == last
            balances[debit] -= amount
            balances[credit] += amount
        assert db.execute("SELECT n FROM counter").fetchall() == [(last,)]
        assert db.execute("SELECT balance FROM account ORDER BY id").fetchall() == [(one,) for one in balances]
        return last


def copied(path: Path, patience: float = 5) -> tuple[str, str, Header]:
    """Journal mode, digest and header of a normalised copy beside the database ("copy.db")."""
    destination = str(path.with_name("copy.db"))
    mode = copy_database(str(path), destination, Progress(), patience)
    header = normalise_file(destination, str(path))
    with open(destination, "rb") as handle:
        return mode, hashlib.sha256(handle.read()).hexdigest(), header


def rows(path: Path) -> list[object]:
    with contextlib.closing(connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in db.execute("SELECT a FROM t ORDER BY a")]


def names(directory: Path) -> set[str]:
    return {one.name for one in directory.iterdir()}


@pytest.mark.parametrize("journal_mode", ["wal", "delete", "truncate", "persist"])
def test_every_copy_is_one_moment_while_others_write_and_checkpoint(tmp_path: Path, journal_mode: str) -> None:
    bank = tmp_path / "bank.db"
    make_bank(bank, journal_mode)
    with contextlib.ExitStack() as stack:
        for seed in range(2):
            stack.enter_context(running(WRITER, bank, seed))
        if journal_mode == "wal":
            stack.enter_context(running(CHECKPOINTER, bank))
        last, end, copies = 0, time.monotonic() + 1.2, 0
        while time.monotonic() < end or copies < 5:
            mode, _digest, _header = copied(bank, 60)
            assert mode == ("wal" if journal_mode == "wal" else "delete")
            now = audit(tmp_path / "copy.db")
            assert now >= last
            last = now
            copies += 1
    assert last > 0


def test_a_wal_that_is_started_anew_all_the_time_is_copied_by_the_backup_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    make(path, "wal")
    headers = iter(b"%d" % n for n in range(1000))
    monkeypatch.setattr(sqlite_copy, "_wal_header", lambda path: next(headers))
    with contextlib.closing(connect(path)) as db:
        db.execute("INSERT INTO t VALUES(2)")
        assert copied(path)[0] == "wal"
    assert next(headers) == b"%d" % (2 * sqlite_copy._FAST_TRIES)
    assert rows(tmp_path / "copy.db") == [1, 2]


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 65536])
@pytest.mark.parametrize("auto_vacuum", ["none", "full", "incremental"])
def test_equal_content_gives_equal_bytes_however_it_was_copied(
    tmp_path: Path, page_size: int, auto_vacuum: str
) -> None:
    path, other = tmp_path / "x.db", tmp_path / "other.db"
    script = (
        f"PRAGMA auto_vacuum={auto_vacuum}; PRAGMA user_version=-7; PRAGMA application_id=77; VACUUM;"
        "CREATE TABLE t(a, b); CREATE INDEX i ON t(b);"
        "WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i<300)"
        "INSERT INTO t SELECT i, hex(randomblob(200)) FROM n; DELETE FROM t WHERE a % 3 = 0;"
    )
    make(path, "delete", script, page_size)
    mode, digest, header = copied(path)
    assert mode == "delete"
    assert header[:4] == (page_size, path.stat().st_size // page_size, -7, 77)
    assert header.auto_vacuum == auto_vacuum
    with contextlib.closing(connect(path)) as db, contextlib.closing(connect(other)) as target:
        db.backup(target)
        # more changes and schema changes than the original has seen
        target.executescript("CREATE TABLE gone(a); DROP TABLE gone; PRAGMA user_version=1; PRAGMA user_version=-7")
        db.backup(target)
    assert copied(other)[1] == digest
    with contextlib.closing(connect(path)) as db:
        assert db.execute("PRAGMA journal_mode=wal").fetchone() == ("wal",)
        db.execute("PRAGMA user_version=1")
        db.execute("PRAGMA user_version=-7")
        assert (tmp_path / "x.db-wal").stat().st_size
        assert copied(path)[:2] == ("wal", digest)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert copied(path)[:2] == ("wal", digest)
    with contextlib.closing(connect(tmp_path / "copy.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA user_version").fetchall() == [(-7,)]


def test_what_lies_behind_the_last_page_is_not_content(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make(path, "delete")
    _mode, digest, header = copied(path)
    with path.open("ab") as handle:
        handle.write(b"\1" * 3 * 4096)
    assert copied(path) == ("delete", digest, header)


def test_a_database_of_an_old_sqlite_that_kept_no_page_count(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make(path, "delete")
    _mode, digest, header = copied(path)
    with path.open("r+b") as handle:
        handle.seek(28)
        handle.write(bytes(4))
        handle.seek(92)
        handle.write(bytes(8))
    assert copied(path) == ("delete", digest, header)


def test_the_page_of_the_locks_is_not_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "copy.db"
    page_size, at = 65536, 0x40000000
    make(path, "delete", page_size=page_size)
    with path.open("r+b") as handle:  # sparse
        handle.seek(28)
        handle.write((at // page_size + 1).to_bytes(4, "big"))
        handle.seek(at - 1)
        handle.write(b"\1" * (page_size + 1))
    normalise_file(str(path), "x.db")
    with path.open("rb") as handle:
        handle.seek(at - 1)
        assert handle.read() == b"\1" + bytes(page_size)


def test_a_closed_wal_database_is_copied_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make(path, "wal")
    assert names(tmp_path) == {"x.db"}
    time.sleep(SETTLED)
    before = path.stat()
    assert copied(path)[0] == "wal"
    assert names(tmp_path) == {"x.db", "copy.db"}
    assert path.stat().st_ctime_ns == before.st_ctime_ns


def test_who_comes_while_it_is_copied_at_rest_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    make(path, "wal")
    time.sleep(SETTLED)
    copy_bytes, came = sqlite_copy._Copier._copy_bytes, []

    def late(self: sqlite_copy._Copier, source: int, name: str) -> None:
        copy_bytes(self, source, name)
        if not came:
            came.append(1)
            with contextlib.closing(connect(path)) as db:
                db.execute("INSERT INTO t VALUES(2)")

    monkeypatch.setattr(sqlite_copy._Copier, "_copy_bytes", late)
    assert copied(path)[0] == "wal"
    assert rows(tmp_path / "copy.db") == [1, 2]


def test_what_a_killed_writer_left_in_the_wal_is_in_the_copy(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make(path, "wal")
    code = """
        import sqlite3, sys
        db = sqlite3.connect(sys.argv[1], isolation_level=None)
        db.execute("INSERT INTO t VALUES(2)")
        db.execute("BEGIN"); db.execute("INSERT INTO t VALUES(3)")
        print("ready", flush=True); sys.stdin.read()
    """
    with running(code, path):
        pass
    assert (tmp_path / "x.db-wal").stat().st_size
    assert copied(path)[0] == "wal"
    assert rows(tmp_path / "copy.db") == [1, 2]
    # also without the shared memory, as after a reboot with /tmp in memory, and then nothing is made at the source
    (tmp_path / "x.db-shm").unlink()
    time.sleep(SETTLED)
    assert copied(path)[0] == "wal"
    assert rows(tmp_path / "copy.db") == [1, 2]
    assert names(tmp_path) == {"x.db", "x.db-wal", "copy.db"}


def test_what_a_killed_writer_left_in_the_journal_is_rolled_back_in_the_copy_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make(path, "delete", "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, zeroblob(200000))")
    digest = copied(path)[1]
    code = """
        import sqlite3, sys
        db = sqlite3.connect(sys.argv[1], isolation_level=None)
        db.execute("PRAGMA cache_size=2"); db.execute("PRAGMA cache_spill=1")
        db.execute("BEGIN"); db.execute("UPDATE t SET b = randomblob(300000)")
        db.execute("INSERT INTO t VALUES(2, randomblob(100000))")
        print("ready", flush=True); sys.stdin.read()
    """
    with running(code, path):
        pass
    journal, damaged = (tmp_path / "x.db-journal").read_bytes(), path.read_bytes()
    assert journal.startswith(b"\xd9\xd5\x05\xf9")
    time.sleep(SETTLED)
    assert fingerprint(str(path)) is None
    assert copied(path)[:2] == ("delete", digest)
    assert ((tmp_path / "x.db-journal").read_bytes(), path.read_bytes()) == (journal, damaged)
    assert rows(tmp_path / "copy.db") == [1]
    assert rows(path) == [1]


LOCKER = """
    import sqlite3, sys
    db = sqlite3.connect(sys.argv[1], isolation_level=None)
    for statement in sys.argv[2:]:
        db.execute(statement).fetchall()
    print("ready", flush=True); sys.stdin.read()
"""


def test_a_database_that_stays_locked_is_an_error_that_names_the_process(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make(path, "delete")
    with running(LOCKER, path, "BEGIN EXCLUSIVE") as process:
        with pytest.raises(SourceError, match="locked") as caught:
            copied(path, 0.3)
        assert f"{process.pid} (" in str(caught.value)
        assert caught.value.details["holders"][0].startswith(str(process.pid))
    assert copied(path)[0] == "delete"


def test_a_writer_in_the_middle_of_its_transaction_does_not_disturb(tmp_path: Path) -> None:
    for mode in ("delete", "wal"):
        path = tmp_path / (mode + ".db")
        make(path, mode)
        with running(LOCKER, path, "BEGIN IMMEDIATE", "INSERT INTO t VALUES(2)"):
            copied(path)
            assert rows(tmp_path / "copy.db") == [1]


def test_a_wal_database_of_one_application_alone_is_copied_at_rest(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make(path, "wal")
    with running(LOCKER, path, "PRAGMA locking_mode=EXCLUSIVE", "INSERT INTO t VALUES(2)"):
        assert names(tmp_path) == {"x.db", "x.db-wal"}
        assert copied(path)[0] == "wal"
        assert rows(tmp_path / "copy.db") == [1, 2]
        assert names(tmp_path) == {"x.db", "x.db-wal", "copy.db"}


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_side_files_are_left_as_they_are(tmp_path: Path, journal_mode: str) -> None:
    path = tmp_path / "x.db"
    make(path, journal_mode)
    with contextlib.closing(connect(path)) as db:
        db.execute("INSERT INTO t VALUES(2)")
        db.execute("SELECT * FROM t").fetchall()
        before = names(tmp_path)
        copied(path)
        assert names(tmp_path) == before | {"copy.db"}
        # and its locks still hold: the descriptors that were closed meanwhile were of another kind
        db.execute("BEGIN IMMEDIATE")
        with contextlib.closing(sqlite3.connect(path, timeout=0)) as other, pytest.raises(sqlite3.OperationalError):
            other.execute("BEGIN IMMEDIATE")
        db.execute("COMMIT")
    assert names(tmp_path) == {"x.db", "copy.db"}


READER = """
    import os, sys
    sys.path[:0] = sys.argv[3].split(os.pathsep)
    from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
    from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.file_copy import copy_database
    if os.geteuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    print("ready", flush=True)
    print(copy_database(sys.argv[1], sys.argv[2], Progress(), 2), flush=True)
"""


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_as_somebody_who_may_read_and_no_more(journal_mode: str) -> None:
    with tempfile.TemporaryDirectory() as directory:  # pytest's own is closed to others
        home, reader = Path(directory, "home"), Path(directory, "reader")
        home.mkdir()
        reader.mkdir()
        reader.chmod(0o777)
        os.chmod(directory, 0o755)
        path = home / "x.db"
        make(path, journal_mode)

        def read() -> list[object]:
            home.chmod(0o555)
            time.sleep(SETTLED)
            (reader / "copy.db").unlink(missing_ok=True)
            with running(READER, path, reader / "copy.db", os.pathsep.join(sys.path)) as process:
                assert process.stdout is not None
                assert process.stdout.read().decode().strip() == journal_mode
            home.chmod(0o755)
            return rows(reader / "copy.db")

        assert read() == [1]
        with contextlib.closing(connect(path)) as db:
            db.execute("INSERT INTO t VALUES(2)")
            assert read() == [1, 2]


def test_what_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    for content, words in [
        (b"", "is empty"),
        (b"{}", "not an SQLite database, or it is encrypted"),
        (os.urandom(8192), "not an SQLite database, or it is encrypted"),
        (b"SQLite format 3\0" + b"\1" * 20, "is truncated"),
        (b"SQLite format 3\0" + b"\1" * 8000, "Can't read the database"),
    ]:
        path.write_bytes(content)
        with pytest.raises(Unreadable, match=words):
            copied(path)
    with pytest.raises(SourceError, match="No such file"):
        copied(tmp_path / "missing.db")
    with pytest.raises(SourceError, match="not a regular file"):
        copied(tmp_path)
    fifo = tmp_path / "fifo.db"
    os.mkfifo(fifo)
    with pytest.raises(SourceError, match="not a regular file"):
        copied(fifo)


def test_a_database_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make(path, "delete", "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(50000))")
    os.truncate(path, path.stat().st_size - 4096)
    with pytest.raises(Unreadable, match="malformed|cut off"):
        copied(path)


def test_a_side_file_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make(path, "wal")
    secret = tmp_path / "secret"
    secret.write_bytes(b"x" * 100)
    (tmp_path / "x.db-wal").symlink_to(secret)
    time.sleep(SETTLED)
    with pytest.raises(SourceError):
        copied(path, 0.2)


def test_a_full_disk_is_said_before_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.db"
    make(path, "delete")
    monkeypatch.setattr(sqlite_copy.files, "free_bytes", lambda directory: 100)
    with pytest.raises(NoSpace, match="free"):
        copied(path)


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
def test_the_fingerprint_changes_with_the_content_and_not_by_reading(
    tmp_path: Path, journal_mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    make(path, journal_mode)
    with contextlib.closing(connect(path)) as db:
        db.execute("SELECT * FROM t").fetchall()
        seen = []
        for statement in ("INSERT INTO t VALUES(2)", "UPDATE t SET a = 3 WHERE a = 2"):
            db.execute(statement)
            with monkeypatch.context() as patch:  # however long this machine took
                for module in (sqlite_copy, fingerprints):
                    patch.setattr(module, "SETTLED_NS", 3600 * 10**9)
                assert fingerprint(str(path)) is None  # the next change might have the same time
            time.sleep(SETTLED)
            one = fingerprint(str(path))
            assert one is not None
            copied(path)
            assert fingerprint(str(path)) == one
            seen.append(one)
        assert len(set(seen)) == 2
    assert fingerprint(str(tmp_path / "missing.db")) is None


def test_an_edit_that_keeps_size_and_mtime_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    make(path, "delete")
    time.sleep(SETTLED)
    before, info = fingerprint(str(path)), path.stat()
    with path.open("r+b") as handle:
        handle.seek(-1, os.SEEK_END)
        handle.write(b"\7")
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))
    time.sleep(SETTLED)
    assert before is not None
    assert fingerprint(str(path)) not in (before, None)


def transfers(path: Path) -> int:
    with contextlib.closing(connect(path)) as db:
        count: int = db.execute("SELECT n FROM counter").fetchone()[0]
        return count


def test_a_killed_copy_leaves_the_source_alone(tmp_path: Path) -> None:
    bank = tmp_path / "bank.db"
    make_bank(bank, "wal")
    code = """
        import os, sys
        sys.path[:0] = sys.argv[3].split(os.pathsep)
        from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
        from ansible_collections.day2.ops.plugins.module_utils._stores.sqlite.file_copy import copy_database
        print("ready", flush=True)
        while True:
            copy_database(sys.argv[1], sys.argv[2], Progress())
    """
    with running(WRITER, bank, 1), running(code, bank, tmp_path / "copy.db", os.pathsep.join(sys.path)) as process:
        wait_for((tmp_path / "copy.db").exists)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = transfers(bank)
        wait_for(lambda: transfers(bank) > done)
    assert audit(bank) > done


def test_holes_are_not_copied(tmp_path: Path) -> None:
    """A file that was made larger than any disk has room for, behind its last page."""
    path = tmp_path / "x.db"
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript("CREATE TABLE t(a); INSERT INTO t VALUES('row')")
    os.truncate(path, 10 << 40)
    copied_to = tmp_path / "copy.db"
    copy_database(str(path), str(copied_to), Progress(), 5)
    assert (copied_to.stat().st_size, copied_to.stat().st_blocks) == (10 << 40, path.stat().st_blocks)
    normalise_file(str(copied_to), str(path))
    with contextlib.closing(sqlite3.connect(copied_to)) as db:
        assert db.execute("SELECT * FROM t").fetchall() == [("row",)]
    assert copied_to.stat().st_size < 100_000
