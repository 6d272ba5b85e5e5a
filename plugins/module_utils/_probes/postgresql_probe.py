# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql: does it answer, and is anything about to go wrong in it?"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from .._core.errors import MissingDependency
from .base import CRITICAL, UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed, TimeUp
from .postgresql_state import age, replication, row, sessions

# Where and as whom to connect; what is not given, libpq takes from its environment.
CONNECTION: Mapping[str, Option] = {
    "host": Option("text", "Name or address, or the directory of a Unix socket. The default is libpq's."),
    "port": Option("port", "Port. The default is libpq's."),
    "database": Option("text", "Database. The default is libpq's."),
    "username": Option("text", "User. The default is libpq's."),
    "password": Option("text", "Password.", secret=True),
    "sslmode": Option(
        "text",
        "Whether to speak TLS, in libpq's words.",
        choices=("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    ),
    "ca": Option("path", "Who may have signed the server's certificate (libpq's sslrootcert)."),
}
_LIBPQ = {"database": "dbname", "username": "user", "ca": "sslrootcert"}


class PostgresqlProbe(BaseProbe):
    SUMMARY = (
        "Connects to a PostgreSQL database, and looks at replication, replication slots, transactions, dead rows and"
        " connections. A primary that is read-only is critical. What the user may not see is unknown, and the message"
        " has the GRANT that helps (pg_monitor). Requires psycopg 3.1 or later."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = dict(
        CONNECTION,
        role=Option("text", "What it must be.", choices=("primary", "standby")),
        replicas=Option("ranges", "Of a primary: how many connected standbys are good."),
        query=Option("text", "A SELECT of one number, which is the value. It runs in a transaction that only reads."),
    )
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("", "The number that `query` selects."),
        Limit("s", "Time of connecting.", name="connect"),
        Limit(
            "s",
            "Replication lag: of a standby its own, of a primary that of the worst standby.",
            warn=30,
            crit=300,
            name="lag",
        ),
        Limit("bytes", "Of a primary: WAL that the worst standby has not replayed.", name="lag_bytes"),
        Limit("bytes", "WAL that an inactive replication slot retains.", warn=2**30, crit=10 * 2**30, name="slot_wal"),
        Limit("s", "Age of the oldest transaction of a client.", warn=600, crit=3600, name="transaction"),
        Limit("percent", "Dead rows of the worst table that has at least 1000.", warn=30, crit=60, name="dead_rows"),
        Limit(
            "percent",
            "Used connections of those that are not reserved (`max_connections` less the reserved ones).",
            warn=80,
            crit=95,
            name="connections",
        ),
        Limit(
            "percent",
            "Used transaction ids of those that are left before wraparound.",
            warn=50,
            crit=80,
            name="wraparound",
        ),
    )

    def run(self, deadline: Deadline) -> Finding:
        finding = self.finding()
        with opened(self.options, deadline) as connection:
            finding.measure(round(deadline.elapsed(), 6), "connect", "the time of connecting")
            deadline.doing = "asking the database"
            version = connection.info.server_version
            standby = bool(row(connection, "SELECT pg_is_in_recovery()")[0])
            role = "standby" if standby else "primary"
            finding.good = "%s answers (PostgreSQL %d, %s)" % (_where(connection), version // 10000, role)
            if self.options["role"] and self.options["role"] != role:
                finding.problem("%s is a %s" % (_where(connection), role))
            replication(connection, standby, self.options, finding)
            sessions(connection, finding)
            age(connection, finding)
            if self.options["query"]:
                self._query(connection, finding)
        return finding

    def _query(self, connection: Any, finding: Finding) -> None:
        import psycopg

        try:
            found = row(connection, self.options["query"])
            value = float(found[0]) if found else math.nan
        except (psycopg.errors.QueryCanceled, psycopg.OperationalError):
            raise
        except (psycopg.Error, TypeError, ValueError) as exc:
            finding.problem("the query fails: %s" % _first_line(exc), UNKNOWN)
            return
        if not math.isfinite(value):
            finding.problem("the query selects no number", UNKNOWN)
            return
        finding.good += ", the query says %g" % value
        finding.measure(value, what="what the query selects")


@contextlib.contextmanager
def opened(options: Mapping[str, Any], deadline: Deadline) -> Iterator[Any]:
    """A connection that only reads, and ends with the check's time. Raises ProbeFailed, TimeUp, MissingDependency."""
    try:
        import psycopg
    except ImportError:
        raise MissingDependency("psycopg", "to look at PostgreSQL", "Install it with: pip install psycopg") from None
    given = {_LIBPQ.get(name, name): options[name] for name in CONNECTION if options[name] is not None}
    deadline.doing = "connecting to PostgreSQL"
    try:
        connection = psycopg.connect(
            **given,
            autocommit=True,
            connect_timeout=max(1, math.ceil(deadline.left())),
            application_name="day2.ops health_check",
        )
        # A server that goes silent is left behind by whoever supervises: to cancel would be to talk to it.
        with contextlib.closing(connection):
            connection.execute("SET default_transaction_read_only = on")
            # the server refuses to read a table rather than leave rows out that a policy hides
            connection.execute("SET row_security = off")
            connection.execute(
                "SELECT set_config('statement_timeout', %s, false)", [str(int(deadline.left() * 1000) + 1)]
            )
            yield connection
    except psycopg.errors.ConnectionTimeout:
        raise TimeUp from None
    except psycopg.errors.QueryCanceled:
        raise TimeUp from None
    except psycopg.OperationalError as exc:
        raise ProbeFailed("PostgreSQL: %s" % _first_line(exc), CRITICAL) from None
    except psycopg.Error as exc:
        raise ProbeFailed("PostgreSQL: %s" % _first_line(exc), UNKNOWN) from None


def _where(connection: Any) -> str:
    info = connection.info
    return "%s on %s" % (info.dbname, info.host or "the local socket")


def _first_line(exc: BaseException) -> str:
    text = str(exc).strip().splitlines()
    return text[0] if text else type(exc).__name__
