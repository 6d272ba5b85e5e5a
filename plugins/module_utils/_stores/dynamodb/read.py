# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a DynamoDB table by parallel scans.

There are no snapshots: items written during a scan may or may not be included. Callers that must know compare the
digest with that of a second reading.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Union

from ..._core.errors import Day2Error, SourceError
from .client import Cancelling, Client, Exhausted, Refused, describe_failure
from .tables import Table
from .values import decode

# Records of a page: pages of all segments wait in memory, as Python objects some ten times as large as on the wire.
_PAGE = 2500

Page = list[dict[str, Any]]  # some records


def scan(client: Client, table: Table, segments: int) -> Iterator[Page]:
    """All records of a table, page by page (each with at most 2500 records and 1 MB).

    The reads are strongly consistent. The segments are read at the same time and returned in turns, so that the order
    does not change as long as the content and the number of segments do not.

    :raises SourceError: the table cannot be read, or is throttled for too long.
    """
    readers = _Readers(client, table, segments)
    going = list(range(segments))
    try:
        while going:
            for number in list(going):
                records = readers.pages[number].get()
                if isinstance(records, Exception):
                    raise _failure(table, records)
                if records is None:
                    going.remove(number)
                else:
                    yield records
    finally:
        readers.close()


class _Readers:
    """A thread for each segment. Its queue receives pages, then None, or an exception."""

    def __init__(self, client: Client, table: Table, segments: int) -> None:
        # One page waits and one is being fetched: the segments are about equally large.
        self.pages: list[queue.Queue[Union[Page, Exception, None]]] = [
            queue.Queue(maxsize=1) for dummy in range(segments)
        ]
        self._client = client
        self._table = table
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(one,), daemon=True) for one in range(segments)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        while any(thread.is_alive() for thread in self._threads):
            # A thread may be waiting for room.
            for pages in self.pages:
                while not pages.empty():
                    pages.get_nowait()
            for thread in self._threads:
                thread.join(0.01)

    def _read(self, number: int) -> None:
        pages = self.pages[number]
        try:
            for answer in _answers(self._client, self._table, (number, len(self.pages)), self._stop, Limit=_PAGE):
                pages.put([decode(item) for item in answer["Items"]])
            pages.put(None)
        except Cancelling:
            pass
        except Exception as exc:  # raised again by who waits for the page
            pages.put(exc)


def _answers(
    client: Client, table: Table, segment: tuple[int, int], stop: threading.Event, **more: Any
) -> Iterator[Mapping[str, Any]]:
    """The responses of one scan, to its end.

    :param segment: its number, and the number of segments.
    """
    request: dict[str, Any] = {
        "TableName": table.name,
        "Segment": segment[0],
        "TotalSegments": segment[1],
        "ConsistentRead": True,
        **more,
    }
    while True:
        answer = client.call("Scan", json.dumps(request, ensure_ascii=False).encode(), stop)
        client.pace.progressed()
        yield answer
        if not answer.get("LastEvaluatedKey"):
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _failure(table: Table, exc: Exception) -> Exception:
    if isinstance(exc, Day2Error):
        return type(exc)(f"Reading the DynamoDB table {table.name}: {exc.message}", exc.hint)
    if isinstance(exc, (Refused, Exhausted)):
        return describe_failure(SourceError, f"Reading the DynamoDB table {table.name}", exc)
    return exc


def count(client: Client, table: Table) -> int:
    """The number of items, by counting them; the figure of the table itself is hours old.

    :raises SourceError: as for `scan`.
    """
    try:
        return sum(int(one["Count"]) for one in _answers(client, table, (0, 1), threading.Event(), Select="COUNT"))
    except (Refused, Exhausted) as exc:
        raise _failure(table, exc) from None
