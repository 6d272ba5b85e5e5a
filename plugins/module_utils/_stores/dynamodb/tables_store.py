# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DynamoDB as a store of records: each table is a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.aws import Connection
from ..._core.errors import InvalidRequest, SourceError, TargetError
from ..._core.record_batches import digest_sum, layouts
from ..._core.records import CollectionDigest
from ..._core.units import parse_duration
from . import read as dynamodb_read
from . import tables as dynamodb_tables
from .checkpoints import TABLE as CHECKPOINTS
from .checkpoints import Checkpoints
from .client import Client
from .definition import Definition, definition_of
from .read import Page
from .tables import Table
from .values import KeyField, KeyValue
from .write import Reject, Request, Writer

# A call waits for the network most of its time: more threads than processors.
_WORKERS = 8
_PATIENCE = "5m"


class TableInfo(NamedTuple):
    """A collection. `records` was counted (the figure of the table is hours old); `indexes` are not migrated."""

    name: str
    table: str
    key: tuple[KeyField, ...]
    indexes: tuple[str, ...]
    records: int


class DynamodbTables:
    """The tables whose names start with `prefix`, or those to which `tables` maps collections (neither: all tables).

    There are no snapshots: a migration from here compares the digest with that of a second reading.
    """

    def __init__(self, options: Mapping[str, Any], workers: int = _WORKERS) -> None:
        """:param options: those of OPTIONS. Nothing is connected yet.
        :raises InvalidRequest: the options contradict each other.
        """
        self._prefix: str = options.get("prefix") or ""
        self._mapping: Optional[dict[str, str]] = options.get("tables")
        if self._prefix and self._mapping:
            raise InvalidRequest("prefix and tables are mutually exclusive.", "Set only one of them.")
        named = list((self._mapping or {}).values())
        for name in named:
            if named.count(name) > 1:
                raise InvalidRequest(f"The option tables maps two collections to the table {name}.")
        # an empty text, such as an answer of a survey, is not set
        self._connection = Connection(**{name: options.get(name) or None for name in Connection._fields})
        self._patience = parse_duration(options.get("throttle_timeout") or _PATIENCE)
        self._workers = workers
        self._client: Optional[Client] = None
        self._tables: dict[str, Table] = {}

    @property
    def client(self) -> Client:
        """The client, connected at the first use.

        :raises MissingDependency: boto3 is not installed.
        :raises InvalidRequest: there is no region, or there are no credentials.
        """
        if self._client is None:
            # One more for the checkpoint that is written while the writers wait.
            self._client = Client(self._connection, self._workers + 1, self._patience)
        return self._client

    def close(self) -> None:
        """Close all connections. Another call opens new ones."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def table_name(self, collection: str) -> str:
        """The table of a collection.

        :raises InvalidRequest: `tables` does not name the collection.
        """
        if self._mapping is None:
            return self._prefix + collection
        if collection not in self._mapping:
            raise InvalidRequest(f"The option tables does not contain the collection {collection}.")
        return self._mapping[collection]

    def collections(self) -> list[str]:
        """The names of the existing collections, in order.

        :raises SourceError: the tables cannot be listed.
        """
        own = self._prefix + CHECKPOINTS
        names = [name for name in dynamodb_tables.table_names(self.client, self._prefix) if name != own]
        if self._mapping is None:
            return [name[len(self._prefix) :] for name in names if name != self._prefix]
        return sorted(collection for collection, table in self._mapping.items() if table in names)

    def has_checkpoints(self) -> bool:
        """Whether our own table exists.

        :raises SourceError: the tables cannot be listed.
        """
        own = self._prefix + CHECKPOINTS
        return own in dynamodb_tables.table_names(self.client, own)

    def key(self, collection: str) -> tuple[KeyField, ...]:
        """The key of the table of a collection.

        :raises SourceError: there is no such table.
        """
        return self._table(collection).key

    def describe(self) -> list[TableInfo]:
        """Every collection with its key and its counted number of records.

        :raises SourceError: they cannot be read.
        """
        return [self._info(name) for name in self.collections()]

    def _info(self, collection: str) -> TableInfo:
        table = self._table(collection)
        count = dynamodb_read.count(self.client, table)
        return TableInfo(collection, table.name, table.key, table.indexes, count)

    def read(self, collection: str) -> Iterator[Page]:
        """All records, page by page.

        :raises SourceError: the table does not exist, cannot be read, or is throttled for too long.
        """
        return dynamodb_read.scan(self.client, self._table(collection), self._workers)

    def digest(self, collection: str) -> CollectionDigest:
        """Count and digest of the records, in one reading.

        :raises SourceError: as for `read`.
        """
        found = CollectionDigest()
        for page in self.read(collection):
            found.add_sum(len(page), digest_sum(layouts(page)))
        return found

    def size(self, collection: str) -> int:
        """The size of the records in bytes, according to the table, whose figure is hours old.

        :raises SourceError: as for `key`.
        """
        return self._table(collection).size

    def definition(self, collection: str, notes: list[str]) -> Definition:
        """The definition of the table of a collection.

        :param notes: receives sentences on what the user has no permission to see.
        :raises SourceError: as for `key`.
        """
        return definition_of(self.client, self._table(collection).described, notes)

    def create_collection(
        self, collection: str, key: Sequence[KeyField], definition: Optional[Definition] = None
    ) -> None:
        """Create the table of a collection with that key, or as it is defined, unless it exists.

        :raises TargetError: it exists with another key, or cannot be created.
        """
        if len(key) not in (1, 2):
            raise TargetError(
                f"The key of the collection {collection} has {len(key)} fields, but DynamoDB supports one or two."
            )
        name = self.table_name(collection)
        self._tables[collection] = dynamodb_tables.ensure_table(self.client, name, key, definition)

    def drop(self, collection: str) -> None:
        """Remove the table of a collection with everything in it.

        :raises TargetError: it cannot be removed.
        """
        self._tables.pop(collection, None)
        dynamodb_tables.drop_table(self.client, self.table_name(collection))

    def writer(self, collection: str) -> Writer:
        """A context manager that puts and deletes records (`write.Writer`).

        :raises SourceError: there is no such table.
        """
        return Writer(self.client, self._table(collection), self._workers)

    def write(self, collection: str, records: Sequence[Mapping[str, Any]]) -> list[Reject]:
        """Put records, and return once they are in the table. Returns those that it cannot store.

        :raises TargetError: writing has failed; with the table and a key.
        """
        with self.writer(collection) as writer:
            writer.put(records)
            writer.flush()
            return writer.rejects

    def write_prepared(self, collection: str, requests: Sequence[Request]) -> list[Reject]:
        """As `write`, for records that `write.prepared` has converted."""
        with self.writer(collection) as writer:
            writer.put_prepared(requests)
            writer.flush()
            return writer.rejects

    def delete(self, collection: str, keys: Sequence[tuple[KeyValue, ...]]) -> None:
        """Remove records by their keys, and return once they are gone.

        :raises TargetError: they cannot be removed.
        """
        with self.writer(collection) as writer:
            writer.delete(keys)
            writer.flush()
            if writer.rejects:
                raise TargetError(
                    f"The key of a record of the table {collection} is not valid: {writer.rejects[0].reason}."
                )

    def checkpoints(self, migration: str) -> Checkpoints:
        """The checkpoints of a migration to this store."""
        return Checkpoints(self.client, self._prefix, migration)

    def _table(self, collection: str) -> Table:
        table = self._tables.get(collection)
        if table is None:
            name = self.table_name(collection)
            table = dynamodb_tables.find_table(self.client, name)
            if table is None:
                raise SourceError(
                    f"The DynamoDB table {name} does not exist.", "Check prefix, tables, region and endpoint_url."
                )
            self._tables[collection] = table
        return table
