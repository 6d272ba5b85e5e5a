# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""postgresql: whether a server responds, and signs of imminent problems."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from .._core.errors import MissingDependency
from .base import CRITICAL, UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed, TimeUp
from .postgresql_state import age, replication, row, sessions

# Connection options; libpq takes others from its environment.
CONNECTION: Mapping[str, Option] = {
    "host": Option("text", ("Host name or address, or the directory of a Unix socket. The default is that of libpq.")),
    "port": Option("port", "Port. The default is that of libpq."),
    "database": Option("text", "Database. The default is that of libpq."),
    "username": Option("text", "User. The default is that of libpq."),
    "password": Option("text", "Password.", secret=True),
    "sslmode": Option(
        "text",
        "TLS mode, as in libpq.",
        choices=("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    ),
    "ca": Option("path", "File with the certificates of trusted CAs (sslrootcert in libpq)."),
}
_LIBPQ = {"database": "dbname", "username": "user", "ca": "sslrootcert"}


class PostgresqlProbe(BaseProbe):
    SUMMARY = (
        "Connects to a PostgreSQL database and checks replication, replication slots, transactions, dead "
        "rows and connections. A primary that is read-only is critical. Values that the user has no "
        "permission to see are unknown, and the message contains the required GRANT (pg_monitor). "
        "Requires psycopg 3.1 or later."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = dict(
        CONNECTION,
        role=Option("text", "Required role of the server.", choices=("primary", "standby")),
        replicas=Option("ranges", "For a primary: number of connected standbys that is ok."),
        query=Option(
            "text",
            ("A SELECT that returns one number, which is used as the value. It runs in a read-only transaction."),
        ),
    )
    LIMITS: ClassVar[tuple[Limit, ...]] = (
        Limit("", "The number returned by `query`."),
        Limit("s", "Time to connect.", name="connect"),
        Limit(
            "s",
            "Replication lag of the standby or, for a primary, of its worst standby.",
            warn=30,
            crit=300,
            name="lag",
        ),
        Limit("bytes", "For a primary: WAL that its worst standby has not replayed.", name="lag_bytes"),
        Limit("bytes", "WAL that an inactive replication slot retains.", warn=2**30, crit=10 * 2**30, name="slot_wal"),
        Limit("s", "Age of the oldest client transaction.", warn=600, crit=3600, name="transaction"),
        Limit(
            "percent",
            "Dead rows in the worst table that has at least 1000 of them.",
            warn=30,
            crit=60,
            name="dead_rows",
        ),
        Limit(
            "percent",
            (
                "Used connections, as a percentage of those available to clients (`max_connections` minus "
                "reserved connections)."
            ),
            warn=80,
            crit=95,
            name="connections",
        ),
        Limit(
            "percent",
            "Used transaction IDs, as a percentage of those available before wraparound.",
            warn=50,
            crit=80,
            name="wraparound",
        ),
    )

    def paths(self) -> Sequence[str]:
        return [*super().paths(), *socket_directory(self.options)]

    def run(self, deadline: Deadline) -> Finding:
        finding = self.finding()
        with opened(self.options, deadline) as connection:
            finding.measure(round(deadline.elapsed(), 6), "connect", "the connection time")
            deadline.doing = "querying the database"
            version = connection.info.server_version
            standby = bool(row(connection, "SELECT pg_is_in_recovery()")[0])
            role = "standby" if standby else "primary"
            finding.good = f"{_where(connection)} responds (PostgreSQL {version // 10000}, {role})"
            if self.options["role"] and self.options["role"] != role:
                finding.problem(f"{_where(connection)} is a {role}")
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
            finding.problem(f"the query fails: {_first_line(exc)}", UNKNOWN)
            return
        if not math.isfinite(value):
            finding.problem("the query does not return a number", UNKNOWN)
            return
        finding.good += f", the query returned {value:g}"
        finding.measure(value, what="the result of the query")


def socket_directory(options: Mapping[str, Any]) -> list[str]:
    """The directory of the Unix socket, if there is one: libpq holds the interpreter while it looks there."""
    host = options["host"] or ""
    return [host] if host.startswith("/") else []


@contextlib.contextmanager
def opened(options: Mapping[str, Any], deadline: Deadline) -> Iterator[Any]:
    """A read-only connection that ends with the time of the check. Raises ProbeFailed or TimeUp when there is none,
    MissingDependency when psycopg is missing.
    """
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
        # A server that does not respond is abandoned by the supervisor: cancelling would require a response.
        with contextlib.closing(connection):
            connection.execute("SET default_transaction_read_only = on")
            # the server then refuses to read a table instead of omitting rows that a policy hides
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
        raise ProbeFailed(f"PostgreSQL: {_first_line(exc)}", CRITICAL) from None
    except psycopg.Error as exc:
        raise ProbeFailed(f"PostgreSQL: {_first_line(exc)}", UNKNOWN) from None


def _where(connection: Any) -> str:
    info = connection.info
    return f"{info.dbname} on {info.host or 'the local socket'}"


def _first_line(exc: BaseException) -> str:
    text = str(exc).strip().splitlines()
    return text[0] if text else type(exc).__name__
