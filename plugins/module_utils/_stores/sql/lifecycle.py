# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of a state machine in a database, and beside them what happened to them, in the same transactions.

Three tables: the history, which is only appended to; attempts, one for each subject whose transition is under way or
whose hook failed; and the status of services.
"""

# ruff: noqa: S608 names are quoted by `identifier`
from __future__ import annotations

import abc
import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.errors import SourceError, TargetError, Violation
from ..._core.units import plural


class Event(NamedTuple):
    """`at`: ISO 8601 in UTC."""

    subject: str
    at: str
    transition: str
    from_state: Optional[str]
    to_state: str
    outcome: str
    reason: Optional[str]
    actor: Optional[str]


class Attempt(NamedTuple):
    """`phase`: see `_verbs/records/moves.py`. `began`: seconds since 1970, by the clock of the host that began."""

    subject: str
    transition: str
    from_state: Optional[str]
    to_state: str
    phase: str
    token: str
    began: float


class Service(NamedTuple):
    """The status of a service of a subject."""

    subject: str
    service: str
    status: str
    at: str


class LifecycleTables(abc.ABC):
    """A database with the records of a machine. Leaving the block closes the connection.

    :param history: the name of the table of events. The others have names that begin with it.
    """

    mark = "?"  # the placeholder of a value in SQL
    counter = "INTEGER PRIMARY KEY"
    abort = ""  # that a statement fails, whatever a constraint says of conflicts
    location: str

    def __init__(self, machine: str, history: str) -> None:
        self._machine = machine
        self._events, self._attempts = self.table(history), self.table(history + "_attempts")
        self._services = self.table(history + "_services")
        self._index = self.identifier(history + "_subject")
        self._names = (history, history + "_attempts", history + "_services")

    @abc.abstractmethod
    def __enter__(self) -> LifecycleTables: ...

    @abc.abstractmethod
    def __exit__(self, *exc: object) -> None: ...

    @abc.abstractmethod
    def identifier(self, name: str) -> str:
        """A quoted name."""

    @abc.abstractmethod
    def table(self, name: str) -> str:
        """A quoted name of a table."""

    @abc.abstractmethod
    def columns(self, table: str) -> Collection[str]:
        """The names of the columns of a table; none if there is no such table."""

    @abc.abstractmethod
    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of a statement.

        :raises TargetError: the database refuses it.
        """

    @abc.abstractmethod
    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> int:
        """Execute a statement for each of these rows of values. Returns how many records that has changed."""

    @abc.abstractmethod
    def transaction(self) -> contextlib.AbstractContextManager[None]:
        """All of what is written in the block, or nothing."""

    @abc.abstractmethod
    def found(self, table: str, key: str, columns: str, subjects: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """The rows of subjects: key and columns. In a transaction, nobody else changes them until it ends."""

    @abc.abstractmethod
    def stored_key(self, table: str, key: str, subject: str) -> str:
        """How the database would write the key of a new subject."""

    def spelled(self, table: str, key: str, subject: str) -> str:
        """The subject as the database writes its key: a uuid without capital letters, an integer without zeros."""
        names = [str(row[0]) for row in self.found(table, key, self.identifier(key), [subject])]
        if subject in names or len(names) > 1:
            return subject
        return names[0] if names else self.stored_key(table, key, subject)

    def check_columns(self, table: str, wanted: Collection[str]) -> None:
        """Raise SourceError when the table or one of these columns does not exist."""
        there = self.columns(table)
        if not there:
            raise SourceError(
                f"{self.location} has no table {table}.", "Check store and the collection of the machine."
            )
        missing = sorted(set(wanted) - set(there))
        if missing:
            raise SourceError(
                f"The table {table} has no column {', '.join(missing)}.", f"Its columns are {', '.join(sorted(there))}."
            )

    def is_ready(self) -> bool:
        """Whether the three tables exist.

        :raises TargetError: only some of them exist, or one is not ours.
        """
        there = {name: self.columns(name) for name in self._names}
        if not any(there.values()):
            return False
        for name, wanted in zip(self._names, (Event._fields, Attempt._fields, Service._fields)):
            missing = sorted({"machine", *wanted} - set(there[name]))
            if missing:
                raise TargetError(
                    f"The table {name} exists without the column {', '.join(missing)}, so it is not a history of "
                    "lifecycles."
                    if there[name]
                    else f"The table {self._names[0]} exists, but not {name}.",
                    "Set another history.collection.",
                )
        return True

    def create(self) -> None:
        """Create the three tables. In a transaction."""
        subject = "machine TEXT NOT NULL, subject TEXT NOT NULL"
        states = "transition TEXT NOT NULL, from_state TEXT, to_state TEXT NOT NULL"
        self.execute(
            f"CREATE TABLE {self._events} (id {self.counter}, {subject}, at TEXT NOT NULL, {states}, "
            "outcome TEXT NOT NULL, reason TEXT, actor TEXT)"
        )
        self.execute(f"CREATE INDEX {self._index} ON {self._events} (machine, subject, id)")
        self.execute(
            f"CREATE TABLE {self._attempts} ({subject}, {states}, phase TEXT NOT NULL, token TEXT NOT NULL, "
            "began DOUBLE PRECISION NOT NULL, PRIMARY KEY (machine, subject))"
        )
        self.execute(
            f"CREATE TABLE {self._services} ({subject}, service TEXT NOT NULL, status TEXT NOT NULL, at TEXT NOT NULL, "
            "PRIMARY KEY (machine, subject, service))"
        )

    def records(
        self, table: str, key: str, columns: Sequence[str], subjects: Sequence[str]
    ) -> dict[str, dict[str, Any]]:
        """These columns of subjects, by subject. Those that do not exist are missing.

        :raises TargetError: several records have the same key.
        """
        found: dict[str, dict[str, Any]] = {}
        quoted = ", ".join(map(self.identifier, (key, *columns)))
        for subject, *values in self.found(table, key, quoted, subjects):
            if str(subject) in found:
                raise TargetError(f"The table {table} has several records whose {key} is {subject}.")
            found[str(subject)] = dict(zip(columns, values))
        return found

    def insert(self, table: str, values: Mapping[str, Any]) -> None:
        """Add a record."""
        names = ", ".join(map(self.identifier, values))
        marks = ", ".join([self.mark] * len(values))
        statement = f"INSERT{self.abort} INTO {self.table(table)} ({names}) VALUES ({marks})"
        if self.execute_many(statement, [list(values.values())]) != 1:
            raise Violation(f"A trigger or rule of the table {table} has prevented the new record.")

    def assign(self, table: str, key: str, subjects: Sequence[str], values: Mapping[str, Any]) -> None:
        """Set fields of subjects."""
        setting = ", ".join(f"{self.identifier(name)} = {self.mark}" for name in values)
        statement = f"UPDATE{self.abort} {self.table(table)} SET {setting} WHERE {self.identifier(key)} = {self.mark}"
        count = self.execute_many(statement, [(*values.values(), subject) for subject in subjects])
        self.check_changed(table, key, len(subjects), count)

    def check_changed(self, table: str, key: str, wanted: int, count: int) -> None:
        """Raise Violation unless a statement has changed that many records."""
        if count > wanted:
            keys = plural(wanted, "value")
            raise Violation(
                f"{count} records of {table} match {keys} of {key}: the database considers some keys equal."
            )
        if count < wanted:
            raise Violation(f"A trigger or rule of the table {table} has prevented the change.")

    def add_events(self, events: Sequence[Event]) -> None:
        """Append to the history."""
        self.insert_rows(self._events, events, Event._fields)

    def set_service(self, service: Service) -> None:
        """Set the status of a service."""
        self._remove(self._services, service.subject, "service", service.service)
        self.insert_rows(self._services, [service], Service._fields)

    def set_attempt(self, attempt: Attempt) -> None:
        """Replace the attempt of a subject."""
        self.remove_attempt(attempt.subject)
        self.insert_rows(self._attempts, [attempt], Attempt._fields)

    def remove_attempt(self, subject: str) -> None:
        """Forget the attempt of a subject."""
        self._remove(self._attempts, subject)

    def attempts(self) -> dict[str, Attempt]:
        """The attempts of all subjects of the machine, by subject."""
        query = f"SELECT {', '.join(Attempt._fields)} FROM {self._attempts} WHERE machine = {self.mark}"
        return {row[0]: Attempt(*row) for row in self.execute(query, [self._machine])}

    def attempt(self, subject: str) -> Optional[Attempt]:
        """The attempt of a subject."""
        rows = self._of(subject, self._attempts, Attempt._fields, "subject")
        return Attempt(*rows[0]) if rows else None

    def history(self, subject: str) -> list[Event]:
        """What happened to a subject, oldest first."""
        return [Event(*row) for row in self._of(subject, self._events, Event._fields, "id")]

    def services(self, subject: str) -> list[Service]:
        """The services of a subject."""
        return [Service(*row) for row in self._of(subject, self._services, Service._fields, "service")]

    def counts(self, table: str, field: str) -> dict[Any, int]:
        """The number of records in each state."""
        name = self.identifier(field)
        return dict(self.execute(f"SELECT {name}, count(*) FROM {self.table(table)} GROUP BY {name}"))

    def _of(self, subject: str, table: str, fields: Sequence[str], order: str) -> list[tuple[Any, ...]]:
        query = f"SELECT {', '.join(fields)} FROM {table} WHERE machine = {self.mark} AND subject = {self.mark}"
        return self.execute(f"{query} ORDER BY {order}", [self._machine, subject])

    def insert_rows(self, table: str, rows: Sequence[tuple[Any, ...]], fields: Sequence[str]) -> None:
        """Add rows to one of the three tables."""
        if not rows:
            return
        marks = ", ".join([self.mark] * (len(fields) + 1))
        statement = f"INSERT INTO {table} (machine, {', '.join(fields)}) VALUES ({marks})"
        self.execute_many(statement, [(self._machine, *row) for row in rows])

    def _remove(self, table: str, subject: str, *also: str) -> None:
        """:param also: a column and its value."""
        condition = f"machine = {self.mark} AND subject = {self.mark}" + (
            f" AND {also[0]} = {self.mark}" if also else ""
        )
        self.execute(f"DELETE FROM {table} WHERE {condition}", [self._machine, subject, *also[1:]])
