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
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, Generic, NamedTuple, Optional, TypeVar, Union

from ..._core.aws import Exhausted, Refused
from ..._core.errors import Day2Error, SourceError
from .client import Cancelling, Client, describe_failure
from .tables import Table
from .values import decode_page

# Records of a page: pages of all segments wait in memory, as Python objects some ten times as large as on the wire.
_PAGE = 2500
_UNIT = 4096  # bytes that a unit of read capacity pays for

Page = Sequence[dict[str, Any]]  # some records
T = TypeVar("T")


class Grant(NamedTuple):
    """A call that may be made: for so many items, and the units that it is expected to consume."""

    items: int
    units: float


class ReadUnits:
    """The read capacity that scans may consume, shared by their threads.

    :param rate: units per second.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._due = 0.0  # when all calls so far may have been made
        self._next = Grant(min(rate, _PAGE), float(rate))

    def take(self, stop: threading.Event) -> Grant:
        """Wait until the next call may be made."""
        with self._lock:
            grant = self._next
            start = max(self._due, time.monotonic())
            self._due = start + grant.units / self._rate
        if stop.wait(max(0.0, start - time.monotonic())):
            raise Cancelling
        return grant

    def took(self, grant: Grant, units: float, items: int) -> None:
        """What a call has consumed. The next ones ask for what may be consumed in a second."""
        with self._lock:
            self._due += (units - grant.units) / self._rate
            fitting = int(self._rate * max(items, 1) / max(units, 0.5))
            self._next = Grant(max(1, min(_PAGE, fitting)), units)


def scan(client: Client, table: Table, segments: int) -> Iterator[Page]:
    """All records of a table, page by page (each with at most 2500 records and 1 MB).

    The reads are strongly consistent. The segments are read at the same time and returned in turns, so that the order
    does not change as long as the content and the number of segments do not.

    :raises SourceError: the table cannot be read, or is throttled for too long.
    """
    return pages(client, table, segments, decode_page)


def pages(
    client: Client,
    table: Table,
    segments: int,
    convert: Callable[[list[dict[str, Any]]], T],
    units: Optional[ReadUnits] = None,
) -> Iterator[T]:
    """As `scan`, with each page converted from the items of the low-level API.

    A page is parsed and converted alone, so that only one takes the memory of its objects at a time.
    """
    readers = _Readers(client, table, segments, convert, units)
    going = list(range(segments))
    try:
        while going:
            for number in list(going):
                page = readers.pages[number].get()
                if isinstance(page, _Failed):
                    raise _failure(table, page.reason)
                if page is None:
                    going.remove(number)
                else:
                    yield page.content
    finally:
        readers.close()


class _Read(Generic[T]):
    def __init__(self, content: T) -> None:
        self.content = content


class _Failed(NamedTuple):
    reason: Exception


class _Readers(Generic[T]):
    """A thread for each segment. Its queue receives pages, then None, or a failure."""

    def __init__(
        self,
        client: Client,
        table: Table,
        segments: int,
        convert: Callable[[list[dict[str, Any]]], T],
        units: Optional[ReadUnits],
    ) -> None:
        # One page waits and one is being fetched: the segments are about equally large.
        self.pages: list[queue.Queue[Union[_Read[T], _Failed, None]]] = [
            queue.Queue(maxsize=1) for dummy in range(segments)
        ]
        self._client = client
        self._table = table
        self._convert = convert
        self._units = units
        self._parsing = threading.Lock()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(one,), name="day2-dynamodb-read", daemon=True)
            for one in range(segments)
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

    def _work(self, number: int) -> None:
        pages = self.pages[number]
        try:
            for content in self._contents(number):
                pages.put(_Read(content))
            pages.put(None)
        except Cancelling:
            pass
        except Exception as exc:  # raised again by who waits for the page
            pages.put(_Failed(exc))

    def _contents(self, number: int) -> Iterator[T]:
        position: Any = None
        while True:
            grant = self._units.take(self._stop) if self._units else Grant(_PAGE, 0.0)
            more = {"Limit": grant.items, **({"ReturnConsumedCapacity": "TOTAL"} if self._units else {})}
            body = _request(self._table, (number, len(self.pages)), position, more)
            content, position, count, used = self._client.call("Scan", body, self._stop, self._parse)
            self._client.pace.progressed()
            if self._units:
                self._units.took(grant, used, count)
            yield content
            if not position:
                return

    def _parse(self, text: bytes) -> tuple[T, Any, int, float]:
        with self._parsing:
            answer = json.loads(text)
            items = answer["Items"]
            count = len(items)
            consumed = (answer.get("ConsumedCapacity") or {}).get("CapacityUnits") or max(0.5, len(text) / _UNIT)
            return self._convert(items), answer.get("LastEvaluatedKey"), count, float(consumed)


def _request(table: Table, segment: tuple[int, int], position: Any, more: Mapping[str, Any]) -> bytes:
    """The body of a call.

    :param segment: its number, and the number of segments.
    :param position: where the call before it ended; None at the beginning.
    """
    request: dict[str, Any] = {
        "TableName": table.name,
        "Segment": segment[0],
        "TotalSegments": segment[1],
        "ConsistentRead": True,
        **more,
    }
    if position:
        request["ExclusiveStartKey"] = position
    return json.dumps(request, ensure_ascii=False).encode()


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
    total, position, stop = 0, None, threading.Event()
    try:
        while True:
            answer = client.call("Scan", _request(table, (0, 1), position, {"Select": "COUNT"}), stop)
            client.pace.progressed()
            total += int(answer["Count"])
            position = answer.get("LastEvaluatedKey")
            if not position:
                return total
    except (Refused, Exhausted) as exc:
        raise _failure(table, exc) from None
