# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster of PostgreSQL, or some of its databases, as a store of backups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Optional

from ...._core.errors import InvalidRequest
from ...base import Copy, Reader, Restoration, Sink, Snapshot
from .server import Server

_JOBS = 2
_NO_FINGERPRINT = (
    "Every run must read all data to find out whether it has changed: psql is missing, or the role may not query the "
    "state of the server or of a sequence."
)


class PostgresqlStore:
    """Collections are tables, records are rows.

    `path` is the address of the server, for people, with the database if it is only one.
    """

    type = "postgresql"
    local_path: Optional[str] = None

    def __init__(self, _path: str, options: Mapping[str, Any]) -> None:
        if options.get("database") and options.get("databases"):
            raise InvalidRequest("database and databases are mutually exclusive.", "Set only one of them.")
        self.options = options
        self.server = Server(options)
        one = options.get("database")
        self.databases: Optional[list[str]] = sorted({one} if one else set(options.get("databases") or ())) or None
        self.path = f"{self.server.shown}/{self.databases[0] if self.databases and len(self.databases) == 1 else ''}"
        self._missing: list[str] = []
        tables = options.get("tables") or {}
        self._tables = {name: sorted(set(tables.get(name) or ())) for name in ("include", "exclude")}
        self._globals = options.get("globals") is not False
        self._jobs: int = _JOBS if options.get("jobs") is None else options["jobs"]
        if self._jobs < 1:
            raise InvalidRequest(f"jobs is {self._jobs}; it must be at least 1.")
        self._passwords = bool(options.get("role_passwords"))
        if self._passwords and not self._globals:
            raise InvalidRequest("role_passwords requires globals.", "Omit globals=false, or role_passwords.")

    def exists(self) -> bool:
        """Whether one of the databases exists. Raises SourceError if the server can't be reached."""
        from .databases import existing  # only here: see registry.py

        return bool(existing(self.server, self.databases))

    def parameters(self) -> dict[str, Any]:
        return {
            "databases": self.databases,
            "tables": self._tables,
            "globals": self._globals,
            "role_passwords": self._passwords,
        }

    def fingerprint(self) -> Optional[str]:
        from .fingerprint import fingerprint  # only here: see registry.py

        return fingerprint(self.server, self.databases)

    def snapshot(self, sink: Sink) -> Snapshot:
        from .databases import chosen  # only here: see registry.py
        from .dump import dump
        from .globals import write_globals
        from .selection import Selection

        before = self.fingerprint()
        names = chosen(self.server, self.databases, self._missing)
        selection = Selection(self._tables)
        selection.check(self.server, names)
        shared = write_globals(self.server, sink, self._passwords) if self._globals else None
        dumped = {name: dump(self.server, name, sink, selection, self._jobs) for name in names}
        notes = () if before is not None else (_NO_FINGERPRINT,)
        return self._snapshot(dumped, shared, notes)._replace(fingerprint=before)

    def _snapshot(self, dumped: Mapping[str, Any], shared: Optional[str], notes: tuple[str, ...]) -> Snapshot:
        """
        :param dumped: results by name of the database.
        :param shared: digest of what all databases share.
        """
        details: dict[str, Any] = {
            "server_version": self.server.version,
            "globals": shared is not None,
            "missing": self._missing,
            "databases": {name: one.details for name, one in dumped.items()},
        }
        collections = tuple(table for one in dumped.values() for table in one.collections)
        notes += tuple(note for one in dumped.values() for note in one.notes)
        return Snapshot(_content_digest(details["databases"], shared), collections, details, None, notes)

    def convert(self, reader: Reader, filename: str, sink: Sink) -> Snapshot:
        from .import_dump import load_stream  # only here: see registry.py

        return self._imported(sink, lambda database: load_stream(self.server, database, reader, filename, sink))

    def convert_directory(self, path: str, sink: Sink) -> Snapshot:
        """As `convert`, of a dump that is a directory."""
        from .import_dump import load_directory  # only here: see registry.py

        return self._imported(sink, lambda database: load_directory(self.server, database, path, self._jobs, sink))

    def _imported(self, sink: Sink, load: Callable[[str], None]) -> Snapshot:
        from .dump import dump  # only here: see registry.py
        from .import_dump import NOTE, RenamedSink, throw_away
        from .selection import Selection

        if not self.databases or len(self.databases) != 1:
            raise InvalidRequest("A dump is imported for one database.", "Set database to its name.")
        (name,) = self.databases
        with throw_away(self.server, name) as database:
            sink.progress.start(f"Loading the dump of {name}", unit="bytes")
            load(database)
            dumped = dump(self.server, database, RenamedSink(sink, database, name), Selection({}), self._jobs)
        collections = tuple(
            one._replace(name=name + one.name[len(database) :]) if one.name.startswith(database) else one
            for one in dumped.collections
        )
        notes = tuple(note.replace(database, name) for note in dumped.notes)
        return self._snapshot({name: dumped._replace(collections=collections, notes=notes)}, None, (NOTE,))

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        from .databases import existing  # only here: see registry.py
        from .restore_plan import prepare

        ready = prepare(self.server, self.options, copy, only, scratch=scratch, dry=dry)
        if self.databases:  # a backup of what the restore replaces is of those that exist
            self._missing = sorted(set(self.databases) - set(existing(self.server, self.databases)))
        return ready


def _content_digest(databases: Mapping[str, Any], shared: Optional[str]) -> str:
    value = [
        shared,
        [[name, *(one[key] for key in _IDENTITY)] for name, one in sorted(databases.items())],
    ]
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


_IDENTITY = ("schema_sha256", "data_digest", "properties")
