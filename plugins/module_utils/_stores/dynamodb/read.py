# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a table of DynamoDB by parallel scans that can be taken up where they were left.

There is no snapshot: what is written during a scan may be in it or not. Who needs to know compares the digest of what
was read with that of a second reading.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

from ..._core.errors import Day2Error, InvalidRequest, SourceError
from .client import Cancelling, Client, Exhausted, Refused, describe_failure
from .tables import Table
from .values import decode

# Records of a page: pages of all segments wait in memory, as Python objects some ten times as large as on the wire.
_PAGE = 2500
# Of each segment: None before its first page, then the last key that was read, False after its last page.
_After = Union[None, bool, Mapping[str, Any]]


class Page(NamedTuple):
    """Some records, and where to go on once they and those of all pages before are safe.

    `position` is JSON: {"segments": how many, "after": [of each None, the last key in low-level form, or False]}.
    """

    records: list[dict[str, Any]]
    position: dict[str, Any]


def scan(client: Client, table: Table, segments: int, after: Optional[Mapping[str, Any]] = None) -> Iterator[Page]:
    """All records of a table, page by page (of at most 2500 records and 1 MB), from a position on or from the start.

    Strongly consistent. The segments are read at the same time and handed out in turns, so that the order is always the
    same while the content and the number of segments are. A position keeps that number.

    :raises SourceError: the table can't be read, or is throttled for too long.
    """
    state = _state(after, segments)
    readers = _Readers(client, table, state)
    try:
        while any(one is not False for one in state):
            for number in [number for number, one in enumerate(state) if one is not False]:
                records, state[number] = readers.pages[number].get()
                if isinstance(records, Exception):
                    raise _failure(table, records)
                yield Page(records, {"segments": len(state), "after": list(state)})
    finally:
        readers.close()


class _Readers:
    """A thread for each segment that is not done; its queue gets (records or an exception, where they end)."""

    def __init__(self, client: Client, table: Table, state: Sequence[_After]) -> None:
        # One page waits and one is being fetched: the segments are about equally large.
        self.pages: list[queue.Queue[tuple[Any, _After]]] = [queue.Queue(maxsize=1) for dummy in state]
        self._client = client
        self._table = table
        self._total = len(state)
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(number, after), daemon=True)
            for number, after in enumerate(state)
            if after is not False
        ]
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

    def _read(self, number: int, after: _After) -> None:
        try:
            while after is not False:
                answer = self._client.call(
                    "Scan", _request(self._table, number, self._total, after, Limit=_PAGE), self._stop
                )
                self._client.pace.progressed()
                after = answer.get("LastEvaluatedKey") or False
                self.pages[number].put(([decode(item) for item in answer["Items"]], after))
        except Cancelling:
            pass
        except Exception as exc:  # raised again by who waits for the page
            self.pages[number].put((exc, after))


def _state(after: Optional[Mapping[str, Any]], segments: int) -> list[_After]:
    if after is None:
        return [None] * segments
    state = list(after.get("after", ()))
    if not state or len(state) != after.get("segments"):
        raise InvalidRequest("This is not a position in a DynamoDB table: %s." % json.dumps(after))
    return state


def _request(table: Table, number: int, total: int, after: _After, **more: Any) -> bytes:
    request: dict[str, Any] = {
        "TableName": table.name,
        "Segment": number,
        "TotalSegments": total,
        "ConsistentRead": True,
    }
    request.update(more)
    if after:
        request["ExclusiveStartKey"] = after
    return json.dumps(request, ensure_ascii=False).encode()


def _failure(table: Table, exc: Exception) -> Exception:
    if isinstance(exc, Day2Error):
        return type(exc)("Reading the DynamoDB table %s: %s" % (table.name, exc.message), exc.hint)
    if isinstance(exc, (Refused, Exhausted)):
        return describe_failure(SourceError, "Reading the DynamoDB table %s" % table.name, exc)
    return exc


def count(client: Client, table: Table) -> int:
    """How many items there are, by counting them; the table's own figure is hours old.

    :raises SourceError: as for `scan`.
    """
    total, after = 0, None
    try:
        while after is not False:
            answer = client.call("Scan", _request(table, 0, 1, after, Select="COUNT"), threading.Event())
            client.pace.progressed()
            total += int(answer["Count"])
            after = answer.get("LastEvaluatedKey") or False
    except (Refused, Exhausted) as exc:
        raise _failure(table, exc) from None
    return total
