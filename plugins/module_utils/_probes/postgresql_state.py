# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a PostgreSQL server: replication, sessions, replication slots, age.

PostgreSQL shows NULL for other roles to a role without pg_monitor. Hidden values are unknown, never 0: each function
then adds a problem with the required GRANT.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.units import plural
from .base import CRITICAL, UNKNOWN, WARNING, Finding

# A standby that has replayed everything it has received lags only if it is not connected.
_STANDBY = """
SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()
                 AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0
            ELSE EXTRACT(EPOCH FROM clock_timestamp() -
                         COALESCE(pg_last_xact_replay_timestamp(), pg_postmaster_start_time())) END::float,
       pg_is_wal_replay_paused()"""
_PRIMARY = """
SELECT count(*), COALESCE(max(EXTRACT(EPOCH FROM replay_lag)), 0)::float,
       COALESCE(max(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), 0)::bigint,
       count(*) FILTER (WHERE state IS NULL)
FROM pg_stat_replication"""
# The role of the application may have set this for itself; the setting of the server or database applies to all.
_READ_ONLY = """
SELECT reset_val = 'on' AND NOT EXISTS (
         SELECT FROM pg_db_role_setting AS s JOIN pg_roles AS r ON r.oid = s.setrole
         WHERE r.rolname = session_user AND EXISTS (
           SELECT FROM unnest(setconfig) AS one WHERE one LIKE 'default_transaction_read_only=%%'))
FROM pg_settings WHERE name = 'default_transaction_read_only'"""
_SLOTS = """
SELECT slot_name, pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                                       ELSE pg_current_wal_lsn() END, restart_lsn)::bigint
FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL ORDER BY 2 DESC LIMIT 1"""
_LOST_SLOTS = "SELECT slot_name FROM pg_replication_slots WHERE wal_status = 'lost' ORDER BY 1"
_HIDDEN = """
SELECT count(*) FROM pg_stat_activity
WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND NOT pg_has_role(usesysid, 'USAGE')
      AND NOT pg_has_role('pg_read_all_stats', 'USAGE')"""
_SESSIONS = """
SELECT COALESCE(max(EXTRACT(EPOCH FROM clock_timestamp() - xact_start)), 0)::float,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND xact_start IS NOT NULL"""
# Visible to everybody. It also counts workers, such as those of logical replication.
_BACKENDS = "SELECT sum(numbackends)::int FROM pg_stat_database"
_MOST = """
SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
       - COALESCE(current_setting('reserved_connections', true), '0')::int"""
_AGE = """
SELECT (SELECT max(age(datfrozenxid)) FROM pg_database)::bigint, pg_database_size(current_database())"""
_DEAD = """
SELECT schemaname || '.' || relname, n_dead_tup, round(100.0 * n_dead_tup / (n_live_tup + n_dead_tup), 2)::float
FROM pg_stat_user_tables WHERE n_dead_tup >= 1000 ORDER BY 3 DESC LIMIT 1"""


def row(connection: Any, query: str) -> Any:
    """The first row of a query, or None."""
    return connection.execute(query).fetchone()


def replication(connection: Any, standby: bool, options: Mapping[str, Any], finding: Finding) -> None:
    """Lag, standbys, and replication slots."""
    if standby:
        lag, paused = row(connection, _STANDBY)
        if paused:
            finding.problem("replay is paused: SELECT pg_wal_replay_resume() resumes it", WARNING)
        finding.measure(lag, "lag", "the replication lag")
    else:
        _primary(connection, options, finding)
    _slots(connection, finding)


def _primary(connection: Any, options: Mapping[str, Any], finding: Finding) -> None:
    if row(connection, _READ_ONLY)[0]:
        finding.problem("it is read-only: default_transaction_read_only is on", CRITICAL)
    replicas, lag, behind, hidden = row(connection, _PRIMARY)
    ranges = options["replicas"]
    if ranges is not None and not any(low <= replicas <= high for low, high in ranges):
        finding.problem(f"the number of standbys is {replicas}")
    finding.metric("replicas", replicas, "count")
    if hidden:
        _not_seen(connection, f"the replication lag of {plural(hidden, 'standby', 'standbys')}", finding)
    elif replicas:
        finding.measure(lag, "lag", "the replication lag of the worst standby")
        finding.measure(behind, "lag_bytes", "the WAL that the worst standby has not replayed")


def _slots(connection: Any, finding: Finding) -> None:
    worst = row(connection, _SLOTS)
    if worst:
        what = f"the WAL that the inactive replication slot {worst[0]} retains"
        finding.measure(max(0, worst[1] or 0), "slot_wal", what)
    if connection.info.server_version >= 130000:
        for (name,) in connection.execute(_LOST_SLOTS).fetchall():
            finding.problem(f"the replication slot {name} has lost WAL that it requires: drop and recreate it")


def sessions(connection: Any, finding: Finding) -> None:
    """Transactions and connections."""
    (hidden,) = row(connection, _HIDDEN)
    oldest, clients = row(connection, _SESSIONS)
    if hidden:
        _not_seen(connection, f"the transactions of {plural(hidden, 'session')}", finding)
        (clients,) = row(connection, _BACKENDS)
    else:
        finding.measure(round(oldest, 3), "transaction", "the age of the oldest transaction")
    (most,) = row(connection, _MOST)
    finding.measure(round(100.0 * clients / max(1, most), 2), "connections", "the share of used connections")


def _not_seen(connection: Any, what: str, finding: Finding) -> None:
    user = connection.info.user
    quoted = user if user.isidentifier() and user.islower() else '"{}"'.format(user.replace('"', '""'))
    finding.problem(f"{what} can't be seen: GRANT pg_monitor TO {quoted}", UNKNOWN)


def age(connection: Any, finding: Finding) -> None:
    """Transaction IDs, size, and dead rows."""
    used, size = row(connection, _AGE)
    finding.measure(round(100.0 * used / 2**31, 2), "wraparound", "the share of used transaction IDs")
    finding.metric("size", size, "bytes")
    worst = row(connection, _DEAD)
    if worst:
        finding.measure(worst[2], "dead_rows", f"the share of dead rows in {worst[0]} ({worst[1]})")
