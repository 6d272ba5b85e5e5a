# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server of PostgreSQL: sessions on it, and its client programs.

Sessions are psycopg's: its errors have codes, a query can be cancelled from another thread, and a COPY can be aborted.
psycopg is imported when a session is wanted, as that takes longer than a task with nothing to do may.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

from ...._core.errors import Day2Error, InvalidRequest, NoSpace, SourceError, TargetError
from ...._core.files import os_errors
from ...._core.programs import environment
from .programs import find

# What decides how values look as text, and limits that would end a session that only holds a snapshot. A role or a
# database can have its own; those that came after version 13 are set once the version is known.
PINS = {
    # first of all: what others have created must not be called by a name of ours, which a superuser may use
    "search_path": "",
    "TimeZone": "UTC",
    "DateStyle": "ISO,YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "extra_float_digits": "1",
    "xmlbinary": "base64",
    "xmloption": "content",
    "standard_conforming_strings": "on",
    "row_security": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "synchronize_seqscans": "off",
    "jit": "off",
    "default_transaction_read_only": "off",
    "quote_all_identifiers": "off",
}
_LATER = {"idle_session_timeout": "0", "transaction_timeout": "0", "client_connection_check_interval": "5s"}

_LOGIN_TRIGGERS = 170_000
_IS_SUPERUSER = "SELECT rolsuper FROM pg_roles WHERE rolname = session_user"

_KEYWORDS = ("host", "port", "username", "sslmode", "sslrootcert", "sslcert", "sslkey", "service", "passfile")
# A peer that is gone without a word is noticed in two minutes, not in hours.
_ALIVE = {
    "keepalives_idle": 60,
    "keepalives_interval": 10,
    "keepalives_count": 6,
    "tcp_user_timeout": 120_000,
}
_TOO_MANY = (
    "The limit of connections of the server, the database or the role is reached. Raise it, or run when fewer are in "
    "use: a backup needs up to jobs + 2."
)
_HINTS = {
    r"too many clients|connection slots|too many connections": _TOO_MANY,
    r"password|authentication|pg_hba": "Check username, password and passfile, and pg_hba.conf on the server.",
    r"SSL|certificate|TLS": "Check sslmode, sslrootcert, sslcert and sslkey.",
    r"database .* does not exist": "Check database, databases and maintenance_database.",
    r"starting up|shutting down|recovery": "Run again once the server accepts connections.",
    r"service": "Check service and the service file (~/.pg_service.conf).",
}


class Server:
    """The server, as defined by the options of a store."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.options = options
        self.maintenance: str = options.get("maintenance_database") or "postgres"
        self._version = 0
        self._superuser: Optional[bool] = None  # known from the first session on, from version 17 on
        if re.search(r"[\r\n\0]", options.get("password") or ""):
            raise InvalidRequest(
                "password contains a line break, which no password file can hold.",
                "Remove it: in YAML, write it in quotes on one line.",
            )

    @property
    def shown(self) -> str:
        """The server's name in messages."""
        if self.options.get("service"):
            return f"postgresql://service={self.options['service']}"
        port = self.options.get("port")
        return f"postgresql://{self.options.get('host') or ''}{f':{port}' if port else ''}"

    @property
    def version(self) -> int:
        """Of the server, such as 150020."""
        if not self._version:
            self.connect().close()
        return self._version

    def connect(self, database: Optional[str] = None) -> Any:
        """A session without transactions of its own. Raises MissingDependency without psycopg, SourceError."""
        from ..client import check_installed, errors, psycopg

        check_installed()
        password = self.options.get("password")
        given = {**self._keywords(database), "client_encoding": "UTF8"}
        if password is not None:
            given["password"] = password
        try:
            connection = psycopg.connect(autocommit=True, **given)
        except psycopg.Error as exc:
            raise unreachable(self.shown, str(exc)) from exc
        self._version = connection.info.server_version
        with errors(SourceError, "Can't set up the connection"):
            connection.execute(
                "SELECT set_config(name, %s::jsonb ->> name, false) FROM pg_settings WHERE %s::jsonb ? name",
                [_json(_LATER)] * 2,
            )
            if self._superuser is None and self._version >= _LOGIN_TRIGGERS:
                # not is_superuser, which follows a role that the role sets
                (self._superuser,) = connection.execute(_IS_SUPERUSER).fetchone()
        return connection

    def conninfo(self, database: Optional[str], scratch: str) -> str:
        """The same for a client program, without secrets: it goes into its arguments. (Variables of the environment
        would count less than a service file.) pg_dump is to write in the encoding of the database, whatever is in it.

        :param scratch: a private directory, for a password file.
        """
        given = self._keywords(database)
        if self.options.get("password") is not None:
            given["passfile"] = self._passfile(scratch)
        return " ".join(f"{name}={quoted(str(value))}" for name, value in given.items())

    def program(self, name: str) -> str:
        """The path of a client program that knows this server. Raises MissingDependency."""
        return find(name, self.version // 10_000, self.options.get("bin"))

    def start(self, argv: Sequence[Union[str, bytes]], **streams: Any) -> subprocess.Popen[bytes]:
        """Start a program that receives a signal when the thread that started it ends."""
        leash = [shutil.which("setpriv") or "", "--pdeathsig", "TERM"]
        with os_errors(SourceError, "Can't start", str(argv[0])):
            # run_command is a module's, and does not stream
            return subprocess.Popen(  # pylint: disable=ansible-bad-function
                [*(leash if leash[0] else []), *argv], env=environment(), **streams
            )

    def run(self, argv: Sequence[str], kind: type[Day2Error] = SourceError) -> bytes:
        """The output of a program. Raises an error of that kind with the program's message."""
        process = self.start(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, said = process.communicate()
        except BaseException:
            process.kill()
            process.wait()
            raise
        if process.returncode:
            raise failed(argv[0], process.returncode, said, kind)
        return out

    def _keywords(self, database: Optional[str]) -> dict[str, Any]:
        given = {
            "user" if name == "username" else name: self.options[name]
            for name in _KEYWORDS
            if self.options.get(name) is not None
        }
        pins = " ".join(f"-c {name}={value}" for name, value in PINS.items())
        if self._superuser:  # a trigger ON login could write to the tables that are compared
            pins += " -c event_triggers=off"
        settings = f"{os.environ.get('PGOPTIONS', '')} {pins}".strip()
        return {
            **given,
            "dbname": database or self.maintenance,
            "application_name": "day2.ops",
            "connect_timeout": 20,
            **_ALIVE,
            "options": settings,
        }

    def _passfile(self, scratch: str) -> str:
        path = os.path.join(scratch, "pgpass")
        word = re.sub(r"([\\:])", r"\\\1", self.options["password"])
        with os_errors(TargetError, "Can't write", path):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "w", encoding="utf-8") as handle:
                handle.write(f"*:*:*:*:{word}\n")
        return path


def quoted(value: str) -> str:
    """A value in a connection string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def unreachable(server: str, said: str) -> SourceError:
    """A message for a refused or failed connection."""
    words = " ".join(said.split()).strip(".")
    hints = (hint for pattern, hint in _HINTS.items() if re.search(pattern, words))
    return SourceError(f"Can't connect to {server}: {words}.", next(hints, "Check host and port, and that it runs."))


def without_values(statement: str) -> str:
    """A statement for messages, without its string literals, which may be passwords or data."""
    return re.sub(r"'(?:[^']|'')*(?:'|$)", "'…'", statement)


# pg_dump's own, with a hundred lines after the reason
_QUERY = re.compile(r"^pg_\w+: \w+: query was: .*?(?=^pg_\w+: |\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)


def failed(program: str, status: int, said: bytes, kind: type[Day2Error]) -> Day2Error:
    """A message for a program that failed."""
    text, command, statement = _QUERY.sub("", said.decode(errors="replace")).partition("Command was: ")
    lines = (text + command + without_values(statement)).split("\n")
    words = "; ".join([line for line in lines if line.strip("; ")][-6:]).strip("; ")
    name = os.path.basename(program)
    if "No space left" in words or "Disk quota" in words:
        return NoSpace(f"{name} can't write: {words}.", "Free some space and run again.")
    how = f"was ended by signal {-status}" if status < 0 else f"failed with exit status {status}"
    return kind(f"{name} {how}: {words or 'it said nothing'}.")


def _json(value: Mapping[str, str]) -> str:
    import json

    return json.dumps(value)
