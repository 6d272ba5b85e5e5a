# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads tables completely: into a file of lines, or only for their digest.

There are no snapshots, so what is read of a table that is written to meanwhile is of no point in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, NamedTuple, Optional

from ...._core.unordered import hexdigest, total
from ..client import Client
from ..read import ReadUnits, pages
from ..tables import Table
from .items import Line, line_of, line_with, text_of


class Tally(NamedTuple):
    """The number of items, and the sum of their SHA-256 modulo 2^256 in hex."""

    items: int
    sum: str


class Reader(NamedTuple):
    """How tables are read: by so many calls at a time, within so much read capacity."""

    client: Client
    jobs: int
    units: Optional[ReadUnits] = None

    def export(self, table: Table, write: Callable[[bytes], object]) -> Tally:
        """Write all items as lines. Raises SourceError."""
        count = amount = 0
        for lines, items, digests in pages(self.client, table, self.jobs, _lines, self.units):
            write(lines)
            count += items
            amount += digests
        return Tally(count, hexdigest(amount))

    def tally(self, table: Table) -> Tally:
        """As `export`, without writing."""
        count = amount = 0
        for items, digests in pages(self.client, table, self.jobs, _digests, self.units):
            count += items
            amount += digests
        return Tally(count, hexdigest(amount))

    def lines(self, table: Table) -> Iterator[Line]:
        """All items with the digests of their keys. Raises SourceError."""

        def convert(items: list[dict[str, Any]]) -> list[Line]:
            return [line_of(text_of(item), item, table.key) for item in items]

        for page in pages(self.client, table, self.jobs, convert, self.units):
            yield from page


def _lines(items: list[dict[str, Any]]) -> tuple[bytes, int, int]:
    texts = [text_of(item) for item in items]
    return b"".join(map(line_with, texts)), len(texts), total(texts)


def _digests(items: list[dict[str, Any]]) -> tuple[int, int]:
    return len(items), total([text_of(item) for item in items])
