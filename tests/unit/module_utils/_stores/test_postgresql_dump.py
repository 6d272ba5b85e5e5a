# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What others do while a database is dumped: writers, TRUNCATE and other rewrites, ends of programs and sessions."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, SourceError
from ansible_collections.day2.ops.plugins.module_utils._core.processes import Process
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster import dump, follow
from tests.services.postgresql_databases import Database, killed, rows_of
from tests.services.waiting import wait_for

pytestmark = pytest.mark.once  # the same driver and the same server for every Python

psycopg = pytest.importorskip("psycopg")
ROWS = 20000


@pytest.fixture
def database(postgresql: dict[str, Any]) -> Iterator[Database]:
    with Database.new(postgresql) as made:
        made.do(
            f"CREATE TABLE a AS SELECT g AS id, 10 AS n FROM generate_series(1, {ROWS}) g;"
            f"CREATE TABLE b AS SELECT g AS id, 10 AS n FROM generate_series(1, {ROWS}) g"
        )
        yield made


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], None]], None]:
    """`once(action)`: when a dump has its first data, the action gets the program that dumps."""

    def plan(action: Callable[[Any], None]) -> None:
        done = threading.Event()
        real = follow.Follower.take

        def take(self: Any, process: Any, ended: bool) -> int:
            started = os.path.isdir(self.directory) and any(one.endswith(".dat") for one in os.listdir(self.directory))
            if not done.is_set() and started:
                done.set()
                action(process)
            return real(self, process, ended)

        monkeypatch.setattr(follow.Follower, "take", take)

    return plan


def waiting(database: Database, statement: str) -> threading.Thread:
    """Run a statement that has to wait for our locks."""

    def work() -> None:
        with database.connect() as connection:
            connection.execute(statement)

    thread = threading.Thread(target=work)
    thread.start()
    with contextlib.closing(database.connect()) as connection:
        while thread.is_alive() and not connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            time.sleep(0.005)
    return thread


@pytest.mark.parametrize("statement", ["TRUNCATE a", "ALTER TABLE a ADD z int DEFAULT 3", "VACUUM FULL a"])
def test_who_wants_a_table_for_himself_gets_it_and_the_backup_is_whole(
    database: Database,
    new_sink: Callable[[], Any],
    once: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    statement: str,
) -> None:
    """Without the locks before the snapshot, a TRUNCATE here leaves an empty table, with exit status 0."""
    monkeypatch.setattr(dump, "_LOCK_WAIT", "100ms")
    threads: list[threading.Thread] = []
    real = dump.hold

    def hold(server: Any, name: str) -> Any:
        held = real(server, name)
        if not threads:
            threads.append(waiting(database, statement))
        return held

    monkeypatch.setattr(dump, "hold", hold)
    sink = new_sink()
    found = database.store().snapshot(sink)
    threads[0].join()
    assert rows_of(sink.files, "a") == {one.name[-1]: one.records for one in found.collections}["a"]
    assert {one.name[-1]: one.records for one in found.collections} == {
        "a": 0 if statement == "TRUNCATE a" else ROWS,
        "b": ROWS,
    }


def test_one_who_waits_each_time_is_named(
    database: Database, new_sink: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "_LOCK_WAIT", "50ms")
    threads: list[threading.Thread] = []
    real = dump.hold

    def hold(server: Any, name: str) -> Any:
        for one in threads:
            one.join()
        held = real(server, name)
        threads.append(waiting(database, "VACUUM FULL a"))
        return held

    monkeypatch.setattr(dump, "hold", hold)
    sink = new_sink()
    with pytest.raises(SourceError, match=r"is locked: pid \d+, user postgres, active: VACUUM FULL a"):
        database.store().snapshot(sink)
    for one in threads:
        one.join()
    assert len(threads) == 3


def test_a_worker_that_is_refused_a_lock(
    database: Database, new_sink: Callable[[], Any], once: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each worker asks for the locks that pg_dump has already, and takes no for an answer."""
    monkeypatch.setattr(dump, "_SMALL_DATABASE", 0)
    monkeypatch.setattr(follow, "SMALL", 10)
    database.do("CREATE TABLE c AS SELECT repeat('x', 900) FROM generate_series(1, 60000)")
    database.do("CREATE TABLE d AS SELECT repeat('x', 900) FROM generate_series(1, 60000)")
    database.do("ANALYZE")  # the largest come first
    threads: list[threading.Thread] = []
    once(lambda process: threads.append(waiting(database, "TRUNCATE a")))
    sink = new_sink()
    found = database.store().snapshot(sink)
    threads[0].join()
    assert {one.name[-1]: one.records for one in found.collections} == {"a": 0, "b": ROWS, "c": 60000, "d": 60000}
    assert rows_of(sink.files, "a") == 0


def test_a_writer_keeps_its_invariant(database: Database, new_sink: Callable[[], Any]) -> None:
    stop, written = threading.Event(), []

    def write() -> None:
        with database.connect() as connection:
            for number in range(10**9):
                if stop.is_set():
                    return
                with connection.transaction():
                    connection.execute(f"UPDATE a SET n = n - 1 WHERE id = {number % ROWS}")
                    connection.execute(f"UPDATE b SET n = n + 1 WHERE id = {number % ROWS}")
                written.append(number)

    database.do("CREATE INDEX ON a (id); CREATE INDEX ON b (id)")
    writer = threading.Thread(target=write)
    writer.start()
    try:
        digests = set()
        for _time in range(2):
            before = len(written)
            wait_for(lambda: len(written) > before + 1)  # noqa: B023
            sink = new_sink()
            digests.add(database.store().snapshot(sink).content_digest)
            assert rows_of(sink.files, "a", total=1) + rows_of(sink.files, "b", total=1) == 20 * ROWS
        assert len(digests) == 2
    finally:
        stop.set()
        writer.join()


def end_session(database: Database, ours: bool) -> None:
    """End the session that reads the digests, or that of pg_dump."""
    query = (  # ours is the first
        "SELECT pg_terminate_backend(pid) FROM (SELECT pid, query, state,"
        " backend_start = min(backend_start) OVER () AS ours"
        " FROM pg_stat_activity WHERE datname = %s AND application_name = 'day2.ops'"
        " AND backend_type = 'client backend') a WHERE ours = %s AND (ours OR query LIKE 'COPY%%' AND state = 'active')"
    )
    with contextlib.closing(database.connect("postgres")) as connection:
        wait_for(lambda: connection.execute(query, [database.name, ours]).fetchall())


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (lambda database, process: os.kill(process.pid, signal.SIGKILL), "pg_dump was ended by signal 9"),
        (lambda database, process: end_session(database, ours=False), "pg_dump failed with exit status 1"),
        (lambda database, process: end_session(database, ours=True), "terminating connection"),
    ],
    ids=["the program", "its session", "our session"],
)
def test_what_ends_early_fails_the_backup(
    database: Database, new_sink: Callable[[], Any], once: Callable[..., None], action: Any, said: str
) -> None:
    for name in ("c", "d"):
        database.do(f"CREATE TABLE {name} AS SELECT repeat('x', 900) FROM generate_series(1, 100000)")
    # once there is data, pg_dump has its locks: before that, it would be started again
    once(lambda process: action(database, process))
    sink = new_sink()
    with pytest.raises(SourceError, match=said):
        database.store().snapshot(sink)
    wait_until_gone(database)


def test_each_program_is_killed(database: Database, new_sink: Callable[[], Any]) -> None:
    for at in itertools.count(1):
        sink = new_sink()
        with killed(at) as started:
            problem = ""
            try:
                database.store().snapshot(sink)
            except SourceError as exc:
                problem = exc.message
        harmless = len(started) < at or started[at - 1] == "psql"  # that tells whether anything was written
        assert ("was ended by signal 9" in problem) is not harmless, problem
        assert [one for one in os.listdir(sink.scratch) if one != "pgpass"] == []
        if len(started) < at:
            break
    assert {"pg_dump", "pg_dumpall", "pg_restore"} < set(started)


def test_a_worker_that_is_killed(
    database: Database, new_sink: Callable[[], Any], once: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump, "_SMALL_DATABASE", 0)
    database.do("CREATE TABLE c AS SELECT repeat('x', 900) FROM generate_series(1, 50000)")

    def kill(process: Any) -> None:
        workers = wait_for(lambda: Process(process.pid).read(f"task/{process.pid}/children").split())
        os.kill(int(workers[0]), signal.SIGKILL)

    once(kill)
    with pytest.raises(SourceError, match="pg_dump failed with exit status 1"):
        database.store().snapshot(new_sink())
    wait_until_gone(database)


def test_a_cancelled_run_leaves_no_program_and_no_session(
    database: Database, new_sink: Callable[[], Any], once: Callable[..., None]
) -> None:
    database.do("CREATE TABLE c AS SELECT repeat('x', 900) FROM generate_series(1, 50000)")
    programs = []

    def cancel(process: Any) -> None:
        programs.append(process)
        raise Cancelled("The task was cancelled.")

    once(cancel)
    sink = new_sink()
    with pytest.raises(Cancelled):
        database.store().snapshot(sink)
    assert programs[0].poll() is not None
    wait_until_gone(database)
    assert os.listdir(sink.scratch) == []


def wait_until_gone(database: Database) -> None:
    """Our sessions end a moment after their programs."""
    query = "SELECT query FROM pg_stat_activity WHERE datname = %s AND application_name = 'day2.ops'"
    with contextlib.closing(database.connect("postgres")) as connection:
        wait_for(lambda: not connection.execute(query, [database.name]).fetchall())
