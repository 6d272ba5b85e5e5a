# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of PostgreSQL that are killed at each step, without space, two at once; a standby as the source."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._repository.directory_staging import DirectoryStaging
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster import dump, follow
from ansible_collections.day2.ops.tests.faults.support import backups, run
from tests.services.postgresql import as_postgres, binaries, cluster
from tests.services.postgresql_databases import Database
from tests.services.postgresql_fixtures import postgresql

__all__ = ["postgresql"]

pytest.importorskip("psycopg")
ROWS = 60_000


@pytest.fixture
def database(postgresql: dict[str, Any]) -> Iterator[Database]:
    with Database.new(postgresql) as made:
        made.do(f"CREATE TABLE a AS SELECT repeat(md5(g::text), 15) AS x FROM generate_series(1, {ROWS}) g")
        made.do(f"CREATE TABLE b AS SELECT repeat(md5(g::text), 15) AS x FROM generate_series(1, {ROWS}) g")
        made.do("CREATE TABLE c AS SELECT 1 AS x")
        yield made


@pytest.fixture
def params(database: Database, tmp_path: Path) -> dict[str, Any]:
    source = dict(database.server, database=database.name, jobs=2)
    return {"name": "app", "source": source, "repository": str(tmp_path / "repository"), "lock_timeout": "0"}


# Where the process dies: when the function is called, or has returned, for the n-th time.
STEPS: dict[str, tuple[Any, str, int, bool]] = {
    "before the locks": (dump, "hold", 1, False),
    "locked": (dump, "hold", 1, True),
    "pg_dump started": (follow.Follower, "take", 1, False),
    "a file followed": (follow._Growing, "advance", 2, True),
    "dumped": (dump, "_identity", 1, False),
    "packed": (follow.Follower, "finish", 1, True),
    "read back": (DirectoryStaging, "reopen", 2, True),
    "published": (DirectoryStaging, "publish", 1, True),
}


def die_at(where: Any, name: str, calls: int, after: bool) -> None:
    original: Callable[..., Any] = getattr(where, name)
    count = iter(range(1, 1_000_000))

    def dying(*args: Any, **kwargs: Any) -> Any:
        last = next(count) == calls
        if last and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(where, name, dying)


@pytest.mark.parametrize("step", STEPS)
def test_killed_and_run_again(database: Database, params: dict[str, Any], step: str) -> None:
    repository = Path(params["repository"])
    child = os.fork()
    if child == 0:
        try:
            dump._SMALL_DATABASE = 0  # two workers
            die_at(*STEPS[step])
            run("backup", params)
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert programs(repository) == []
    assert sessions(database) == 0
    assert len(backups(repository)) == (step == "published")
    again = run("backup", params)
    assert (again.status, again.error) == (0, "")
    assert again.result["changed"] is (step != "published")
    assert [one.name for one in (repository / "app").iterdir() if one.name.startswith(".staging")] == []
    assert run("backup_info", {"repository": str(repository), "verify": "full"}).result["ok"]
    assert run("backup", params).result["changed"] is False


def programs(repository: Path) -> list[bytes]:
    """What still runs for this repository; the programs end a moment after their parent."""
    found: list[bytes] = []
    for _time in range(1000):
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.fsencode(repository) in (words := (entry / "cmdline").read_bytes()):
                    found.append(words)
            except OSError:
                continue
        if not found:
            break
        time.sleep(0.01)
    return found


def sessions(database: Database) -> int:
    number = -1
    with database.connect("postgres") as connection:
        for _time in range(1500):
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'day2.ops'"
            (number,) = connection.execute(query, [database.name]).fetchone()
            if not number:
                break
            time.sleep(0.01)
    return number


def test_two_runs_at_once(params: dict[str, Any]) -> None:
    params["lock_timeout"] = "60s"
    done: list[Any] = []
    threads = [threading.Thread(target=lambda: done.append(run("backup", params))) for _time in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one.result["changed"] for one in done) == [False, True]


def test_a_full_disk(params: dict[str, Any], tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], check=True)
    try:
        params["repository"] = str(disk / "repository")
        done = run("backup", params)
        assert done.status == 3
        assert "No space left on device" in done.error
        assert [one.name for one in (disk / "repository").glob("app/*")] == []
        subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
        assert run("backup", params).result["changed"]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_scratch_is_a_part_of_the_dump(
    database: Database, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of a file that still grows is given back: the tables are never there as a whole."""
    monkeypatch.setattr(dump, "_SMALL_DATABASE", 0)
    database.do("INSERT INTO a SELECT x FROM a; INSERT INTO b SELECT x FROM b; INSERT INTO a SELECT x FROM a")
    peak = 0
    real = follow.Follower.take

    def take(self: Any, process: Any, ended: bool) -> int:
        nonlocal peak
        if os.path.isdir(self.directory):
            peak = max(peak, sum(one.stat().st_blocks * 512 for one in os.scandir(self.directory)))
        return real(self, process, ended)

    monkeypatch.setattr(follow.Follower, "take", take)
    made = run("backup", params)
    assert (made.status, made.error) == (0, "")
    assert made.result["backup"]["bytes"] > 150 << 20
    assert 0 < peak < 0.6 * made.result["backup"]["bytes"]


@pytest.fixture
def standby() -> Iterator[tuple[Database, dict[str, Any]]]:
    with cluster("wal_level=replica", "max_wal_senders=3") as primary:
        with Database.new(primary) as database:
            database.do("CREATE TABLE t AS SELECT 1 AS a; CREATE UNLOGGED TABLE u AS SELECT 1 AS a")
            directory = Path(primary["host"]) / "standby"
            command = [binaries() / "pg_basebackup", "-h", primary["host"], "-U", "postgres", "-D", directory, "-R"]
            subprocess.run([*command, "-c", "fast"], check=True, cwd="/", **as_postgres())
            settings = ["-c", f"unix_socket_directories={directory}", "-c", "listen_addresses="]
            with open(directory / "log", "wb") as log:
                server = subprocess.Popen(
                    [binaries() / "postgres", "-D", directory, *settings], stderr=log, cwd="/", **as_postgres()
                )
            try:
                ready = [binaries() / "pg_isready", "-q", "-h", directory]
                while subprocess.run(ready, check=False).returncode and server.poll() is None:
                    time.sleep(0.02)
                yield database, dict(database.server, host=str(directory), database=database.name)
            finally:
                server.send_signal(signal.SIGINT)
                server.wait(20)


def test_a_standby(standby: tuple[Database, dict[str, Any]], tmp_path: Path) -> None:
    database, source = standby
    params = {"name": "app", "source": source, "repository": str(tmp_path / "repository")}
    made = run("backup", params)
    assert (made.status, made.error) == (0, "")
    counts = {one["name"][-1]: one["records"] for one in made.result["backup"]["sources"][0]["collections"]}
    assert counts == {"t": 1}
    assert "no rows of unlogged tables" in " ".join(made.result["warnings"])
    assert run("backup", params).result["changed"] is False
    database.do("INSERT INTO t VALUES (2)")
    for _time in range(500):
        again = run("backup", params)
        if again.result["changed"]:
            break
        time.sleep(0.02)
    assert again.result["backup"]["sources"][0]["collections"][0]["records"] == 2
