# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql, and references in it, against a real cluster with a standby."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, NamedTuple

import psycopg
import pytest

from tests.services.waiting import wait_for

Check = Callable[..., dict[str, Any]]


class Servers(NamedTuple):
    """Directories of the Unix sockets."""

    primary: str
    standby: str


def as_postgres(*command: str) -> None:
    """PostgreSQL refuses to be root."""
    prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run([*prefix, *command], check=False, capture_output=True, text=True, cwd="/")
    assert done.returncode == 0, (command, done.stdout, done.stderr)


@contextlib.contextmanager
def started(binaries: str, directory: str) -> Iterator[str]:
    options = f"-c listen_addresses='' -c unix_socket_directories={directory} -c fsync=off"
    log = f"{directory}/log"
    as_postgres(f"{binaries}/pg_ctl", "start", "-w", "-t", "30", "-D", f"{directory}/data", "-l", log, "-o", options)
    try:
        yield directory
    finally:
        as_postgres(f"{binaries}/pg_ctl", "stop", "-m", "immediate", "-D", f"{directory}/data")


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    # Unix sockets have short names, and pytest's directories are nobody else's.
    with tempfile.TemporaryDirectory(prefix="day2-pg-") as root, contextlib.ExitStack() as stack:
        Path(root).chmod(0o755)
        places = []
        for name in ("primary", "standby"):
            place = os.path.join(root, name)
            os.mkdir(place)
            if os.geteuid() == 0:
                shutil.chown(place, "postgres", "postgres")
            places.append(place)
        primary, standby = places
        as_postgres(f"{binaries}/initdb", "-D", f"{primary}/data", "-A", "trust", "-U", "day2", "--no-sync")
        stack.enter_context(started(binaries, primary))
        as_postgres(
            f"{binaries}/pg_basebackup", "-h", primary, "-U", "day2", "-D", f"{standby}/data", "-R", "-c", "fast"
        )
        stack.enter_context(started(binaries, standby))
        yield Servers(primary, standby)


@pytest.fixture
def there(servers: Servers) -> dict[str, Any]:
    return {"host": servers.primary, "username": "day2", "database": "postgres"}


def execute(servers: Servers, *statements: str) -> None:
    with psycopg.connect(host=servers.primary, user="day2", dbname="postgres", autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def metric(result: dict[str, Any], name: str) -> float:
    value: float = next(one["value"] for one in result["metrics"] if one["name"] == name)
    return value


def test_a_primary(check: Check, there: dict[str, Any]) -> None:
    wait_for(lambda: metric(check("postgresql", **there), "replicas") == 1, 0.2)
    result = check("postgresql", role="primary", replicas=1, query="SELECT 41 + 1", warn=42, **there)
    assert result["status"] == "ok", result["message"]
    assert result["message"].endswith(", primary), the query returned 42")
    assert result["value"] == 42
    assert {one["name"] for one in result["metrics"]} == {
        "connect", "replicas", "lag", "lag_bytes", "transaction", "connections", "wraparound", "size",
    }  # fmt: skip
    assert 0 < metric(result, "connections") < 50
    assert check("postgresql", query="SELECT 1", crit=0, **there)["status"] == "critical"
    assert "the number of standbys is 1" in check("postgresql", replicas=2, **there)["message"]
    assert check("postgresql", connections_crit=0, **there)["status"] == "critical"


def test_a_standby(check: Check, servers: Servers, there: dict[str, Any]) -> None:
    result = check("postgresql", role="standby", **dict(there, host=servers.standby))
    assert result["status"] == "ok", result["message"]
    assert metric(result, "lag") < 30
    assert "is a standby" in check("postgresql", role="primary", **dict(there, host=servers.standby))["message"]


def test_a_standby_that_lags(check: Check, servers: Servers, there: dict[str, Any]) -> None:
    standby = dict(there, host=servers.standby)
    with psycopg.connect(host=servers.standby, user="day2", dbname="postgres", autocommit=True) as connection:
        connection.execute("SELECT pg_wal_replay_pause()")
        execute(servers, "CREATE TABLE lagging (id int)", "INSERT INTO lagging VALUES (1)")
        time.sleep(1)
        execute(servers, "INSERT INTO lagging VALUES (2)")  # the standby answers to what it receives

        def lagging(*checks: dict[str, Any]) -> Any:
            return all(one["status"] == "critical" for one in checks) and checks

        result, primary = wait_for(
            lambda: lagging(
                check("postgresql", lag_crit="500ms", **standby),
                check("postgresql", lag_crit="500ms", lag_bytes_warn=1, **there),
            ),
            0.2,
        )
        connection.execute("SELECT pg_wal_replay_resume()")
    assert "the replication lag is" in result["message"]
    assert "replay is paused" in result["message"]
    assert "the replication lag of the worst standby is" in primary["message"]
    assert "the WAL that the worst standby has not replayed is" in primary["message"]


@pytest.fixture
def watcher(servers: Servers) -> Iterator[dict[str, Any]]:
    """A role that may connect, and nothing else."""
    execute(servers, "CREATE ROLE watcher LOGIN")
    yield {"host": servers.primary, "username": "watcher", "database": "postgres"}
    execute(servers, "DROP OWNED BY watcher", "DROP ROLE watcher")


def test_what_a_role_may_not_see_is_unknown(check: Check, servers: Servers, watcher: dict[str, Any]) -> None:
    with psycopg.connect(host=servers.primary, user="day2", dbname="postgres") as session:
        session.execute("SELECT 1")
        result = check("postgresql", connections_crit="1%", transaction_crit="1ms", **watcher)
        assert result["status"] == "critical"
        assert "the share of used connections is" in result["message"]
        result = check("postgresql", transaction_crit="1ms", lag_crit="1ms", **watcher)
    assert result["status"] == "unknown"
    assert "the transactions of 1 session can't be seen: GRANT pg_monitor TO watcher" in result["message"]
    assert "the replication lag of 1 standby can't be seen" in result["message"]
    assert not {"lag", "lag_bytes", "transaction"} & {one["name"] for one in result["metrics"]}
    execute(servers, "GRANT pg_monitor TO watcher")
    result = check("postgresql", **watcher)
    assert result["status"] == "ok", result["message"]
    assert {"lag", "lag_bytes", "transaction"} <= {one["name"] for one in result["metrics"]}


def test_connections_are_counted_against_those_that_are_not_reserved(
    check: Check, servers: Servers, there: dict[str, Any], watcher: dict[str, Any]
) -> None:
    with contextlib.ExitStack() as stack:
        for dummy in range(19):
            stack.enter_context(psycopg.connect(host=servers.primary, user="day2", dbname="postgres"))
        for who in (there, watcher):
            found = metric(check("postgresql", **who), "connections")
            assert found == pytest.approx(100 * 20 / 97, abs=3), who


def test_an_inactive_slot_that_retains_wal(check: Check, servers: Servers, there: dict[str, Any]) -> None:
    execute(servers, "SELECT pg_create_physical_replication_slot('orphan', true)", "SELECT pg_switch_wal()")
    try:
        execute(servers, "CREATE TABLE retained AS SELECT generate_series(1, 1000)")
        assert check("postgresql", **there)["status"] == "ok"
        result = check("postgresql", slot_wal_warn="1K", **there)
        assert result["status"] == "warning"
        assert "the WAL that the inactive replication slot orphan retains is" in result["message"]
    finally:
        execute(servers, "SELECT pg_drop_replication_slot('orphan')", "DROP TABLE retained")


def test_a_primary_that_is_read_only(check: Check, servers: Servers, there: dict[str, Any]) -> None:
    execute(servers, "CREATE ROLE reader LOGIN IN ROLE pg_monitor")
    reader = dict(there, username="reader")
    execute(servers, "ALTER ROLE reader SET default_transaction_read_only = on")
    assert check("postgresql", **reader)["status"] == "ok"  # its own business
    execute(servers, "ALTER ROLE reader RESET ALL", "ALTER DATABASE postgres SET default_transaction_read_only = on")
    result = check("postgresql", **reader)
    execute(servers, "SET default_transaction_read_only = off", "ALTER DATABASE postgres RESET ALL", "DROP ROLE reader")
    assert result["status"] == "critical"
    assert "it is read-only" in result["message"]
    assert check("postgresql", **there)["status"] == "ok"


def test_an_old_transaction(check: Check, there: dict[str, Any]) -> None:
    with psycopg.connect(host=there["host"], user="day2", dbname="postgres") as connection:
        connection.execute("SELECT 1")
        time.sleep(0.6)
        result = check("postgresql", transaction_warn="500ms", **there)
    assert result["status"] == "warning"
    assert "the age of the oldest transaction is" in result["message"]


def test_dead_rows(check: Check, servers: Servers, there: dict[str, Any]) -> None:
    execute(
        servers,
        "CREATE TABLE dead (id int) WITH (autovacuum_enabled = off)",
        "INSERT INTO dead SELECT generate_series(1, 4000)",
        "DELETE FROM dead WHERE id > 1000",
        "SELECT pg_stat_force_next_flush()",
    )
    wait_for(lambda: "dead" in check("postgresql", **there)["message"], 0.2)
    result = check("postgresql", **there)
    assert result["status"] == "critical"
    assert "the share of dead rows in public.dead (3000) is 75%" in result["message"]
    execute(servers, "DROP TABLE dead")


def test_queries_that_do_not_work(check: Check, servers: Servers, there: dict[str, Any]) -> None:
    execute(servers, "CREATE TABLE IF NOT EXISTS kept (id int)", "INSERT INTO kept VALUES (1)")
    result = check("postgresql", query="DELETE FROM kept RETURNING id", **there)
    assert result["status"] == "unknown"
    assert "read-only transaction" in result["message"]
    assert check("postgresql", query="SELECT count(*) FROM kept", **there)["value"] == 1
    assert check("postgresql", query="SELECT 'text'", **there)["status"] == "unknown"
    assert check("postgresql", query="SELECT nothing", **there)["status"] == "unknown"
    result = check("postgresql", query="SELECT count(*) FROM pg_sleep(600)", timeout="5s", **there)
    assert (result["status"], result["message"]) == ("critical", "no answer within 5s while querying the database")


def test_no_connection(check: Check, there: dict[str, Any], tmp_path: Path) -> None:
    result = check("postgresql", **dict(there, host=str(tmp_path)))
    assert result["status"] == "critical"
    assert "No such file or directory" in result["message"]
    assert "does not exist" in check("postgresql", **dict(there, database="none"))["message"]


def test_without_psycopg(check: Check, there: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    result = check("postgresql", **there)
    assert result["status"] == "unknown"
    assert "psycopg is required to look at PostgreSQL" in result["message"]


def test_references(check: Check, servers: Servers, there: dict[str, Any]) -> None:
    execute(
        servers,
        "CREATE TABLE requests (request_id text)",
        "CREATE TABLE machines (name text, request_id text)",
        "INSERT INTO requests VALUES ('req-1')",
        "INSERT INTO machines VALUES ('a', 'req-1'), ('b', 'req-9'), ('c', NULL)",
    )
    references = [{"from": "public.machines.request_id", "to": "requests.request_id"}]
    result = check("references", store="postgresql", references=references, **there)
    assert (result["status"], result["value"]) == ("critical", 1)
    assert "1 record of public.machines with a request_id that does not exist in requests: 'req-9'" in result["message"]
    execute(servers, "INSERT INTO requests VALUES ('req-9')")
    assert check("references", store="postgresql", references=references, **there)["status"] == "ok"
    missing = [{"from": "nothing.a", "to": "requests.request_id"}]
    assert check("references", store="postgresql", references=missing, **there)["status"] == "unknown"


def test_references_that_a_policy_hides_are_unknown(check: Check, servers: Servers, there: dict[str, Any]) -> None:
    execute(
        servers,
        "CREATE TABLE secret (id int, of int)",
        "INSERT INTO secret VALUES (1, 2)",
        "ALTER TABLE secret ENABLE ROW LEVEL SECURITY",
        "CREATE ROLE policed LOGIN",
        "GRANT SELECT ON secret TO policed",
    )
    references = [{"from": "secret.of", "to": "secret.id"}]
    assert check("references", store="postgresql", references=references, **there)["value"] == 1
    result = check("references", store="postgresql", references=references, **{**there, "username": "policed"})
    assert result["status"] == "unknown"
    assert "row-level security policy" in result["message"]
