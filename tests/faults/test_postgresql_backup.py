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
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._repository.directory_staging import DirectoryStaging
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster import dump, follow
from ansible_collections.day2.ops.tests.faults.support import backups, run, unmount
from tests.services import postgresql as postgresql_services
from tests.services.postgresql import cluster
from tests.services.postgresql_databases import Database

pytest.importorskip("psycopg")
ROWS = 20_000  # more than is passed on as a whole


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
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.fsencode(repository) in (words := (entry / "cmdline").read_bytes()):
                    found.append(words)
            except OSError:
                continue
        if not found:
            break
        time.sleep(0.05)
    return found


def sessions(database: Database) -> int:
    number, until = -1, time.monotonic() + 60
    with database.connect("postgres") as connection:
        while time.monotonic() < until:
            query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'day2.ops'"
            (number,) = connection.execute(query, [database.name]).fetchone()
            if not number:
                break
            time.sleep(0.05)
    return number


def test_two_runs_at_once(params: dict[str, Any]) -> None:
    params["lock_timeout"] = "10m"
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
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    try:
        params["repository"] = str(disk / "repository")
        done = run("backup", params)
        assert done.status == 3
        assert "No space left on device" in done.error
        assert [one.name for one in (disk / "repository").glob("app/*")] == []
        subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
        assert run("backup", params).result["changed"]
    finally:
        unmount(disk)


def test_scratch_is_a_part_of_the_dump(
    database: Database, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read of a file that still grows is given back: the tables are never there as a whole."""
    monkeypatch.setattr(dump, "_SMALL_DATABASE", 0)
    database.do("INSERT INTO a SELECT x FROM a; INSERT INTO b SELECT x FROM b; INSERT INTO a SELECT x FROM a")
    kept: list[int] = []  # of what was read, after each look
    given_back: Counter[str] = Counter()
    real = follow._Growing.advance

    def advance(self: Any) -> int:
        moved = real(self)
        info = os.fstat(self._handle.fileno())
        there = info.st_blocks * 512
        kept.append(there - (info.st_size - self._read))
        given_back[self._path] = info.st_size - there
        return moved

    monkeypatch.setattr(follow._Growing, "advance", advance)
    made = run("backup", params)
    assert (made.status, made.error) == (0, "")
    assert made.result["backup"]["bytes"] > 6 * follow._LARGE
    assert max(kept) < 2 * follow._LARGE
    assert sum(given_back.values()) > 0.6 * made.result["backup"]["bytes"]


@pytest.fixture
def standby() -> Iterator[tuple[Database, dict[str, Any]]]:
    with cluster() as primary, Database.new(primary) as database:
        database.do("CREATE TABLE t AS SELECT 1 AS a; CREATE UNLOGGED TABLE u AS SELECT 1 AS a")
        with postgresql_services.standby(primary, 5499) as options:
            yield database, dict(database.server, port=options["port"], database=database.name)


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
    until = time.monotonic() + 60
    while time.monotonic() < until:
        again = run("backup", params)
        if again.result["changed"]:
            break
        time.sleep(0.05)
    assert again.result["backup"]["sources"][0]["collections"][0]["records"] == 2
    restore = {"name": "app", "target": source, "repository": params["repository"], "on_existing": "replace"}
    restore["backup"] = made.result["backup"]["id"]
    for check in (True, False):
        for only in (None, ["public.t"]):
            done = run("restore", {**restore, "only": only, "check": check, "safety_backup": False})
            assert (done.status, "standby" in done.error) == (3, True), done.error
