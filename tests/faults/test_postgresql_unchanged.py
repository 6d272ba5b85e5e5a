# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that has changed without a start or a new transaction of its own is not taken for unchanged."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.fingerprint import fingerprint
from ansible_collections.day2.ops.plugins.module_utils._stores.postgresql.cluster.server import Server
from tests.services.postgresql import cluster, standby

pytestmark = pytest.mark.once
psycopg = pytest.importorskip("psycopg")


def identity(options: dict[str, Any]) -> Any:
    found = fingerprint(Server(options), ["postgres"])
    assert found is not None
    return found


def connect(options: dict[str, Any]) -> Any:
    """As soon as the server accepts connections."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(psycopg.Error):
            return psycopg.connect(
                host=options["host"], port=options.get("port"), user="postgres", dbname="postgres", autocommit=True
            )
        time.sleep(0.05)
    raise AssertionError("the server is not back")


def rows_after_the_crash(options: dict[str, Any]) -> int:
    """The rows of the unlogged table. For a moment, the server does not notice the crash and accepts connections."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(psycopg.Error), connect(options) as after:
            (rows,) = after.execute("SELECT count(*) FROM u").fetchone()
            if rows == 0:
                return 0
        time.sleep(0.05)
    raise AssertionError("the table still has its row")


def test_a_crash_that_empties_unlogged_tables() -> None:
    with cluster("autovacuum=off") as options, connect(options) as before:
        before.execute("CREATE UNLOGGED TABLE u AS SELECT 1")
        before.execute("CHECKPOINT")
        known = identity(options)
        assert identity(options) == known
        os.kill(before.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.Error):
            before.execute("SELECT 1")
        assert rows_after_the_crash(options) == 0
        assert identity(options) != known


def test_a_transaction_that_ends_on_a_standby_while_an_older_one_is_under_way() -> None:
    with cluster("autovacuum=off") as primary, connect(primary) as watch:
        watch.execute("CREATE TABLE t (i int)")
        with standby(primary, 5499) as options, connect(options) as there:
            oldest, older, newest = (connect(primary) for _number in range(3))
            for one in (oldest, older, newest):
                one.execute("BEGIN")
                one.execute("INSERT INTO t VALUES (1)")
            seen = []
            for one in (newest, older):
                one.execute("COMMIT")
                (place,) = watch.execute("SELECT pg_current_wal_lsn()::text").fetchone()
                while there.execute("SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", (place,)).fetchone()[0]:
                    time.sleep(0.02)
                seen.append(identity(options))
            assert there.execute("SELECT count(*) FROM t").fetchone() == (2,)
            assert seen[0] != seen[1]
            for one in (oldest, older, newest):
                one.close()
