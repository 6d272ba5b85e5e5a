# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""references: finds records that refer to missing records."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, ClassVar, NamedTuple

from .._core.errors import InvalidRequest, SourceError
from .._core.units import plural
from .._stores.documents.document import Document, Member
from .._stores.documents.parts import parts_of
from .._stores.documents.stream import scan
from .._stores.sqlite.file import connect, is_busy, sqlite3
from .._stores.sqlite.schema import identifier
from .base import UNKNOWN, BaseProbe, Deadline, Finding, Limit, Option, ProbeFailed, check_file
from .json_path import brief
from .options import parse
from .postgresql_probe import CONNECTION, opened, socket_directory

_SHOWN = 5
_REFERENCE = {"from": Option("text", "", required=True), "to": Option("text", "", required=True)}


class Reference(NamedTuple):
    """`field` of the records of `collection` names the `target_field` of a record of `target`."""

    collection: str
    field: str
    target: str
    target_field: str


class ReferencesProbe(BaseProbe):
    SUMMARY = (
        "Finds dangling references between records in a JSON document, an SQLite database or a PostgreSQL"
        " database. Empty references are ignored."
    )
    OPTIONS: ClassVar[Mapping[str, Option]] = dict(
        {
            "store": Option("text", "Type of the store.", required=True, choices=("json", "postgresql", "sqlite")),
            "path": Option("path", "For json and sqlite: path of the file."),
            "references": Option(
                "list of mappings",
                (
                    "List of mappings with `from` and `to`, both as `COLLECTION.FIELD`, for example `{from: "
                    "machines.request_id, to: requests.request_id}`. In a JSON mapping, `_key` is the key."
                ),
                required=True,
            ),
        },
        **CONNECTION,
    )
    LIMITS: ClassVar[tuple[Limit, ...]] = (Limit("count", "Records with a dangling reference.", crit=0),)
    ON_TIMEOUT = UNKNOWN

    def __init__(self, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
        super().__init__(options, limits)
        if (options["store"] == "postgresql") == bool(options["path"]):
            raise InvalidRequest("path is required for json and sqlite, and not allowed for postgresql.")
        if options["store"] != "postgresql" and any(options[name] is not None for name in CONNECTION):
            raise InvalidRequest("connection options such as host require postgresql.")
        self._references = [_reference(one, number) for number, one in enumerate(options["references"])]

    def paths(self) -> Sequence[str]:
        return [*super().paths(), *socket_directory(self.options)]

    def run(self, deadline: Deadline) -> Finding:
        where = self.options["path"] or "the database"
        deadline.doing = f"reading {where}"
        look = {"json": self._json, "sqlite": self._sqlite, "postgresql": self._postgresql}[self.options["store"]]
        finding = self.finding()
        finding.good = f"all references of {where} have their targets"
        total, texts = 0, []
        for reference, (count, examples) in zip(self._references, look(deadline)):
            total += count
            if count:
                shown = ", ".join(brief(one) for one in examples[:_SHOWN])
                texts.append(
                    f"{plural(count, 'record')} of {reference.collection} with a {reference.field} that does not "
                    f"exist in {reference.target}: {shown}"
                )
        finding.measure(total, what=f"{'; '.join(texts)}; their number" if texts else "the number of such records")
        return finding

    def _sqlite(self, deadline: Deadline) -> Iterator[tuple[int, Sequence[Any]]]:
        path = self.options["path"]
        check_file(path)
        try:
            connection = connect(path, "ro")
            with contextlib.closing(connection), deadline.stop_with(connection.interrupt):
                connection.execute("BEGIN")  # a consistent view of all tables
                for reference in self._references:
                    for table in (reference.collection, reference.target):
                        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone()
                        if not known:
                            raise ProbeFailed(f"{path} has no table {table}")
                    yield _dangling(connection.execute, reference, identifier)
        except sqlite3.Error as exc:
            deadline.left()
            raise ProbeFailed(f"{path}: {exc}", UNKNOWN if is_busy(exc) else "critical") from None

    def _postgresql(self, deadline: Deadline) -> Iterator[tuple[int, Sequence[Any]]]:
        with opened(self.options, deadline) as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for reference in self._references:
                yield _dangling(connection.execute, reference, _with_schema)

    def _json(self, deadline: Deadline) -> Iterator[tuple[int, Sequence[Any]]]:
        path = self.options["path"]
        try:
            with open(path, "rb") as handle:

                def read(size: int) -> bytes:
                    deadline.left()
                    return handle.read(size)

                document = scan(read, path, os.path.splitext(os.path.basename(path))[0])
                for reference in self._references:
                    for name in (reference.collection, reference.target):
                        _member(document, path, name)
                    targets = set(_values(handle, document, path, reference.target, reference.target_field))
                    examples: list[Any] = []
                    count = 0
                    for value in _values(handle, document, path, reference.collection, reference.field):
                        if value not in targets:
                            deadline.left()
                            count += 1
                            if len(examples) < _SHOWN:
                                examples.append(json.loads(value))
                    yield count, examples
        except OSError as exc:
            missing = isinstance(exc, FileNotFoundError)
            raise ProbeFailed(f"{path}: {exc.strerror}", "critical" if missing else UNKNOWN) from None
        except SourceError as exc:
            raise ProbeFailed(exc.message) from None


def _reference(given: Mapping[str, Any], number: int) -> Reference:
    problems: list[str] = []
    where = f"references[{number}]."
    problems.extend(f"{where}{name} is not an option" for name in given if name not in _REFERENCE)
    values = parse(_REFERENCE, given, problems, where)
    ends = [(values[name] or "").rpartition(".") for name in ("from", "to")]
    if not problems and not all(collection and field for collection, _dot, field in ends):
        problems.append(f"{where}from and to must be COLLECTION.FIELD")
    if problems:
        raise InvalidRequest("; ".join(problems) + ".")
    return Reference(ends[0][0], ends[0][2], ends[1][0], ends[1][2])


def _with_schema(name: str) -> str:
    return ".".join(identifier(part) for part in name.split(".", 1))


def _dangling(execute: Any, reference: Reference, quoted: Callable[[str], str]) -> tuple[int, Sequence[Any]]:
    collection, target = quoted(reference.collection), quoted(reference.target)
    field, target_field = identifier(reference.field), identifier(reference.target_field)
    missing = (
        f"FROM {collection} AS a WHERE a.{field} IS NOT NULL"  # noqa: S608 names are quoted
        f" AND NOT EXISTS (SELECT 1 FROM {target} AS b WHERE b.{target_field} = a.{field})"
    )
    (count,) = execute("SELECT count(*) " + missing).fetchone()
    examples = execute(f"SELECT DISTINCT a.{field} {missing} LIMIT {_SHOWN}").fetchall() if count else []
    return count, [row[0] for row in examples]


def _member(document: Document, path: str, collection: str) -> Member:
    member = document.find(collection)
    if member is None or member.kind == "value":
        raise ProbeFailed(f"{path} has no collection {collection}")
    return member


def _values(handle: Any, document: Document, path: str, collection: str, field: str) -> Iterator[str]:
    """The field of each record that has it, as JSON. A field that no record has, not even empty, is an error."""
    parts = parts_of(handle.fileno(), path, _member(document, path, collection))
    empty, known = True, field == "_key"
    for key, record in itertools.chain.from_iterable(zip(*found) for part in parts for found in part()):
        empty, known = False, known or (isinstance(record, Mapping) and field in record)
        value = record.get(field) if isinstance(record, Mapping) else None
        if field == "_key" and value is None:
            value = key
        if value is not None:
            yield json.dumps(value, sort_keys=True, default=str)
    if not (known or empty):
        raise ProbeFailed(f"{path}: no record of {collection} has a field {field}")
