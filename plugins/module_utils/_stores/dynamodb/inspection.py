# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tables of DynamoDB say of themselves: figures that are hours old, unless the items are counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._core.errors import SourceError
from ..._core.progress import Progress
from ..records.inspection import OF_COLLECTION, OF_INDEX, Figures
from .read import count
from .source import DynamodbSource
from .tables import find_table
from .tables_store import DynamodbTables

_HOURS = "DescribeTable, which is up to six hours old"
_NONE = "DynamoDB has none"


class DynamodbInspection:
    """The tables that the options name."""

    type = "dynamodb"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._tables = DynamodbTables(options)
        self.location = DynamodbSource(options).location

    def __enter__(self) -> DynamodbInspection:
        return self

    def __exit__(self, *exc: object) -> None:
        self._tables.close()

    def figures(self, deep: bool, progress: Progress) -> Figures:
        names = self._tables.collections()
        figures = Figures()
        collections: list[Figures] = []
        indexes: list[Figures] = []
        progress.start(f"Reading {self.location}", len(names), "tables")
        for name in names:
            self._collection(name, deep, collections, indexes)
            progress.advance(1)
        figures.know("collections", collections, "ListTables")
        figures.know("indexes", indexes, "DescribeTable")
        size = sum(one.get("bytes") + one.get("index_bytes") for one in collections)
        figures.know("bytes", size, f"sum of the tables and their indexes: {_HOURS}", estimated=True)
        figures.unknown("databases", "DynamoDB has tables only")
        return figures

    def _collection(self, name: str, deep: bool, collections: list[Figures], indexes: list[Figures]) -> None:
        table = find_table(self._tables.client, self._tables.table_name(name))
        if table is None:  # removed meanwhile
            return
        described = table.described
        entry = Figures(name=name, table=table.name)
        entry.know("status", table.status, "DescribeTable")
        if deep:
            try:
                entry.know("records", count(self._tables.client, table), "Scan with Select=COUNT")
            except SourceError as exc:
                entry.unknown("records", exc.message)
        elif "ItemCount" in described:
            entry.know("records", int(described["ItemCount"]), _HOURS, estimated=True)
        entry.know("bytes", table.size, _HOURS, estimated=True)
        index_bytes = 0
        for one in [*described.get("GlobalSecondaryIndexes", ()), *described.get("LocalSecondaryIndexes", ())]:
            found = Figures(name=one["IndexName"], collection=name)
            size = int(one.get("IndexSizeBytes") or 0)
            index_bytes += size
            found.know("bytes", size, _HOURS, estimated=True)
            found.complete(OF_INDEX, "DynamoDB does not report it")
            indexes.append(found)
        entry.know("index_bytes", index_bytes, _HOURS, estimated=True)
        entry.complete(OF_COLLECTION, _NONE)
        collections.append(entry)
