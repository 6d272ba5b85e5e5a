# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB tables as a store of backups: exported item by item."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional
from urllib.parse import urlsplit

from ...._core.collection import Collection
from ...._core.errors import InvalidRequest, SourceError
from ...._core.selection import Selection
from ...._core.units import parse_duration, parse_time
from ...base import Copy, Restoration, Sink, Snapshot
from ...base import Reader as Stream

if TYPE_CHECKING:
    from ..client import Client
    from .native import Reference
    from .reading import Reader, Tally
    from .settings import Settings

_JOBS = 8
_PATIENCE = "5m"
_LONGEST_PERIOD = 35  # days of point-in-time recovery
_NAME = re.compile(r"[A-Za-z0-9_.-]*").fullmatch


class DynamodbStore:
    """Collections are tables, named without the prefix; records are items.

    `path` is an address for people, of the region or of the endpoint, with the prefix.
    """

    type = "dynamodb"
    local_path: Optional[str] = None

    def __init__(self, _path: str, options: Mapping[str, Any]) -> None:
        self.prefix: str = options.get("prefix") or ""
        if not _NAME(self.prefix):
            raise InvalidRequest(
                f"prefix is {self.prefix!r}, but names of tables can only contain letters, digits and _-."
            )
        self._options = options
        self.method: str = options.get("method") or "export"
        self.refers = self.method != "export"
        self.recovery_period = _positive(options, "recovery_period")
        self.export_to: Mapping[str, Any] = options.get("export_to") or {}
        every = options.get("full_every")
        self.full_every = parse_duration(every) if every else None  # seconds
        self._check_method()
        self.restore_time = parse_time(options["restore_time"]) if options.get("restore_time") else None
        self.overrides: Mapping[str, Any] = options.get("overrides") or {}
        self.selection = Selection(options.get("tables") or {})
        self.jobs = _positive(options, "jobs") or _JOBS
        self._max_units = _positive(options, "max_read_units")
        self._twice = options.get("read_twice") is not False
        self._patience = parse_duration(options.get("throttle_timeout") or _PATIENCE)
        self._reader: Optional[Reader] = None
        self.path = f"dynamodb://{self._place()}/{self.prefix}"
        # By a restore: the collections that it replaces, so that only these are backed up before.
        self.replaced: Optional[Sequence[str]] = None
        self._made: list[Reference] = []  # in AWS, by this run
        self.earlier: Mapping[str, Any] = {}  # details of the backup that the next one may continue

    def _check_method(self) -> None:
        days = self.recovery_period
        if days is not None and (days > _LONGEST_PERIOD or not self.refers):
            raise InvalidRequest(
                f"recovery_period is {days}, with method={self.method}.",
                f"Set it to 1 to {_LONGEST_PERIOD} days with method=native or s3_export, or omit it.",
            )
        if self.full_every is not None and self.method != "s3_export":
            raise InvalidRequest(f"full_every is set, with method={self.method}.", "Omit it, or set method=s3_export.")
        if self.method == "s3_export" and not self.export_to.get("bucket"):
            raise InvalidRequest("method=s3_export requires export_to.bucket.", "Set it to the bucket to export to.")

    @property
    def connection(self) -> dict[str, Any]:
        """The options that say how to reach AWS."""
        from ...._core.aws import Connection  # only here: see registry.py

        return {name: self._options.get(name) or None for name in Connection._fields}

    def exists(self) -> bool:
        """Is there one of the tables? Raises SourceError when they can't be listed."""
        return bool(self.names())

    def parameters(self) -> dict[str, Any]:
        method: dict[str, Any] = {"method": self.method} if self.refers else {}
        if self.method == "s3_export":
            method["export_to"] = {name: self.export_to.get(name) for name in ("bucket", "prefix")}
        return {"prefix": self.prefix, "tables": self.selection.to_json(), **method}

    def fingerprint(self) -> Optional[str]:
        """None: no cheap figure of a table is of now."""
        return None

    def snapshot(self, sink: Sink) -> Snapshot:
        from ..tables import Table  # only here: see registry.py
        from .items import SUFFIX
        from .settings import check_readable, read_settings

        if self.refers and self.replaced is None:
            from .references import take

            return take(self, sink, self._made)
        names = self.selected() if self.replaced is None else list(self.replaced)
        if not names:
            raise self._nothing()
        tables: dict[str, Table] = {name: self.described(name) for name in names}
        for table in tables.values():
            check_readable(table)
        sink.progress.start(f"Reading {len(tables)} DynamoDB tables", sum(one.size for one in tables.values()), "bytes")
        settings = {name: read_settings(self.client, table) for name, table in tables.items()}
        tallies: dict[str, Tally] = {}
        for name, table in tables.items():
            with sink.file(name + SUFFIX) as target:
                tallies[name] = self.reader.export(table, target.write)
        moved = self._moved(sink, tables, tallies)
        return self._snapshot(tables, settings, tallies, moved, sink.strict)

    def _moved(self, sink: Sink, tables: Mapping[str, Any], tallies: Mapping[str, Tally]) -> Optional[list[str]]:
        """The collections that differ in a second reading; None without one."""
        if not self._twice:
            return None
        sink.progress.start(f"Reading {len(tables)} DynamoDB tables again")
        return [name for name, table in tables.items() if self.reader.tally(table) != tallies[name]]

    def _snapshot(
        self,
        tables: Mapping[str, Any],
        settings: Mapping[str, Settings],
        tallies: Mapping[str, Tally],
        moved: Optional[list[str]],
        strict: bool,
    ) -> Snapshot:
        notes = [note for one in settings.values() for note in one.notes]
        if moved:
            notes.append(
                f"The DynamoDB tables {', '.join(tables[name].name for name in moved)} were written to while they were "
                "read: the backup of them is not of a single point in time."
            )
        if strict and notes:
            raise SourceError(" ".join(notes), "Nothing was published. Run again, or omit strict.")
        details = {
            "method": "export",
            "point_in_time": False,
            "moved": moved,
            "tables": {
                name: {"table": tables[name].name, **tallies[name]._asdict(), "settings": settings[name].to_json()}
                for name in tables
            },
        }
        content = [[name, *tallies[name], settings[name].identity] for name in sorted(tables)]
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        collections = tuple(Collection(name, tallies[name].items) for name in sorted(tables))
        return Snapshot(digest, collections, details, None, tuple(notes))

    def convert(self, reader: Stream, filename: str, sink: Sink) -> Snapshot:
        raise InvalidRequest(
            "import is not possible for a store of type dynamodb.",
            "Import the file into a table with ImportTable of DynamoDB, then back up the table.",
        )

    def outdated(self, details: Mapping[str, Any]) -> str:
        from .references import outdated  # only here: see registry.py

        return outdated(self, details)

    def build_on(self, details: Mapping[str, Any]) -> None:
        self.earlier = details

    def forget(self, details: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> None:
        from .references import remove, unshared  # only here: see registry.py

        remove(self, unshared(details, others), str(details["method"]))

    def abandon(self) -> str:
        if not self._made:
            return ""
        from .references import remove  # only here: see registry.py

        problem = ""
        try:
            remove(self, self._made, self.method)
        except SourceError as exc:
            problem = f"Remove the backups or exports of this run in AWS manually: {exc}"
        self._made = []
        return problem

    def prepare(self, copy: Copy, only: Sequence[str], scratch: str, dry: bool) -> Restoration:
        if copy.details.get("references"):
            from .restore_reference import ReferenceRestoration  # only here: see registry.py

            return ReferenceRestoration(self, copy, only)
        if self.restore_time is not None or self.overrides:
            raise InvalidRequest(
                "restore_time and overrides are not possible for this backup, as its items are stored here.",
                "Omit them, or choose a backup that was made with method=native.",
            )
        from .restore import TablesRestoration  # only here: see registry.py

        return TablesRestoration(self, copy, only, scratch, dry)

    @property
    def client(self) -> Client:
        """The connection, opened at the first use. Raises MissingDependency or InvalidRequest."""
        return self.reader.client

    @property
    def reader(self) -> Reader:
        """How the tables are read."""
        if self._reader is None:
            from ...._core.aws import Connection  # only here: see registry.py
            from ..client import Client
            from ..read import ReadUnits
            from .reading import Reader

            connection = Connection(**self.connection)
            units = ReadUnits(self._max_units) if self._max_units else None
            # one more, for what is asked while all of them write
            self._reader = Reader(Client(connection, self.jobs + 1, self._patience), self.jobs, units)
        return self._reader

    def names(self) -> list[str]:
        """The collections that exist and are selected, in order. Raises SourceError."""
        from ..checkpoints import TABLE  # only here: see registry.py
        from ..tables import table_names

        found = [one for one in table_names(self.client, self.prefix) if one != self.prefix + TABLE]
        names = self.selection.of([one[len(self.prefix) :] for one in found])
        if "" in names:
            raise InvalidRequest(
                f"The whole name of the DynamoDB table {self.prefix} is the prefix.", "Choose a shorter prefix."
            )
        return names

    def selected(self) -> list[str]:
        """The same; at least one. Raises SourceError, or InvalidRequest for a glob that matches none."""
        names = self.names()
        self.selection.check(names, "tables.include", "table")
        if not names:
            raise self._nothing()
        return names

    def table_of(self, name: str) -> str:
        """The table of a collection."""
        return self.prefix + name

    def described(self, name: str) -> Any:
        """The existing table of a collection. Raises SourceError."""
        from ..tables import find_table  # only here: see registry.py

        table = find_table(self.client, self.table_of(name))
        if table is None:
            raise SourceError(f"The DynamoDB table {self.table_of(name)} was removed during the run.", "Run again.")
        return table

    def _nothing(self) -> SourceError:
        of = f" whose name starts with {self.prefix}" if self.prefix else ""
        return SourceError(
            f"{self.path}: there is no DynamoDB table{of}.",
            "Check prefix, tables, region, endpoint_url and the account.",
        )

    def _place(self) -> str:
        url: Optional[str] = self._options.get("endpoint_url")
        if url:
            return urlsplit(url).netloc or url
        region = self._options.get("region") or os.environ.get("AWS_DEFAULT_REGION")
        return str(region or self._options.get("profile") or "default")


def _positive(options: Mapping[str, Any], name: str) -> Optional[int]:
    value: Optional[int] = options.get(name)
    if value is not None and value < 1:
        raise InvalidRequest(f"{name} is {value}; it must be at least 1.")
    return value
