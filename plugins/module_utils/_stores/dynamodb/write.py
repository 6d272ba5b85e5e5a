# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes to a DynamoDB table: many batches at a time, each until all of its items are stored."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.aws import Exhausted, Refused
from ..._core.errors import TargetError
from .client import Cancelling, Client, describe_failure
from .tables import Table
from .values import KeyField, KeyValue, Unstorable, decode, encode, key_json, key_values

_ITEMS = 25  # a batch has at most
_BYTES = 1 << 20  # of JSON text, so that many batches fit into memory; DynamoDB takes 16 MB


class Reject(NamedTuple):
    """A record that the table cannot store. `key` and `record` are those that were passed in."""

    key: Optional[tuple[KeyValue, ...]]
    record: Optional[Mapping[str, Any]]
    reason: str


class Request(NamedTuple):
    """One record of a batch."""

    text: bytes  # of a PutRequest or DeleteRequest
    key: tuple[KeyValue, ...]
    record: Optional[Mapping[str, Any]]


def prepared(record: Mapping[str, Any], key: tuple[KeyField, ...]) -> Request:
    """The request to put a record.

    :raises Unstorable: the table cannot store it.
    """
    return _put_request(key_values(record, key), record)


def _put_request(key: tuple[KeyValue, ...], record: Mapping[str, Any]) -> Request:
    return Request(b'{"PutRequest":{"Item":%s}}' % encode(record), key, record)


class Writer:
    """Puts and deletes items with several threads. When `flush` returns, everything passed in is stored.

    It is idempotent: an item replaces the one with its key. Two records with one key between two calls of `flush` would
    be written in an unknown order, so the second one is rejected. It is a context manager for use in one thread.
    """

    def __init__(self, client: Client, table: Table, workers: int) -> None:
        self.rejects: list[Reject] = []
        self.written = 0  # records that are safe
        self._client = client
        self._table = table
        self._batch: list[Request] = []
        self._bytes = 0
        self._keys: set[tuple[KeyValue, ...]] = set()
        self._queue: queue.Queue[Optional[list[Request]]] = queue.Queue(maxsize=workers)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._error: Optional[Exception] = None
        self._threads = [
            threading.Thread(target=self._work, name="day2-dynamodb-write", daemon=True) for dummy in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def put(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Pass in records. Those that cannot be stored are added to `rejects`.

        :raises TargetError: writing has failed.
        """
        for record in records:
            key = None
            try:
                key = key_values(record, self._table.key)
                request = _put_request(key, record)
            except Unstorable as exc:
                self._reject(Reject(key, record, str(exc)))
            else:
                self._add(request)

    def put_prepared(self, requests: Sequence[Request]) -> None:
        """As `put`, for records that `prepared` has converted."""
        for request in requests:
            self._add(request)

    def put_texts(self, texts: Iterable[bytes]) -> None:
        """As `put`, of requests as JSON texts, which are stored as they are. Their keys differ from each other.

        :raises TargetError: writing has failed.
        """
        for text in texts:
            self._append(Request(text, (), None))

    def delete(self, keys: Sequence[tuple[KeyValue, ...]]) -> None:
        """Pass in keys (values in the order of the key of the table) of items to delete. A missing one is not an error.

        :raises TargetError: writing has failed.
        """
        for values in keys:
            record = {field.name: value for field, value in zip(self._table.key, values)}
            try:
                key = key_values(record, self._table.key)
                text = b'{"DeleteRequest":{"Key":%s}}' % key_json(key, self._table.key).encode()
            except Unstorable as exc:
                self._reject(Reject(None, record, str(exc)))
            else:
                self._add(Request(text, key, None))

    def flush(self) -> None:
        """Wait until everything that was passed in is stored (or rejected).

        :raises TargetError: this is not possible; with the table and a key.
        """
        self._send()
        self._queue.join()
        self._check()
        self._keys.clear()

    def close(self) -> None:
        """End the threads. What was not flushed may or may not be stored."""
        self._stop.set()
        for dummy in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _add(self, request: Request) -> None:
        if request.key in self._keys:
            self._reject(Reject(request.key, request.record, "another record has the same key"))
            return
        self._keys.add(request.key)
        self._append(request)

    def _append(self, request: Request) -> None:
        if self._bytes + len(request.text) > _BYTES:
            self._send()
        self._batch.append(request)
        self._bytes += len(request.text)
        if len(self._batch) == _ITEMS:
            self._send()

    def _send(self) -> None:
        self._check()
        if self._batch:
            self._queue.put(self._batch)
        self._batch, self._bytes = [], 0

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def _reject(self, reject: Reject) -> None:
        with self._lock:
            self.rejects.append(reject)

    def _work(self) -> None:
        while True:
            batch = self._queue.get()
            try:
                if batch is None:
                    return
                if not self._stop.is_set():
                    self._write(batch)
            except Cancelling:
                pass
            except Exception as exc:  # raised again by flush
                with self._lock:
                    self._error = self._error or exc
                self._stop.set()
            finally:
                self._queue.task_done()

    def _write(self, batch: list[Request]) -> None:
        left = [request.text for request in batch]
        since = time.monotonic()
        try:
            while left:
                answer = self._client.call("BatchWriteItem", self._body(left), self._stop)
                unprocessed = answer.get("UnprocessedItems", {}).get(self._table.name, [])
                if len(unprocessed) < len(left):
                    self._client.pace.progressed()
                    since = time.monotonic()
                left = [json.dumps(one, ensure_ascii=False).encode() for one in unprocessed]
                if left:
                    self._client.pace.refused("the server does not process all items", since, self._stop)
        except Refused as exc:
            if exc.code != "ValidationException":
                raise self._failure(left, exc) from None
            self._narrow(batch, exc)
        except Exhausted as exc:
            raise self._failure(left, exc) from None
        else:
            with self._lock:
                self.written += len(batch)

    def _narrow(self, batch: list[Request], exc: Refused) -> None:
        """One bad item fails its whole batch: find it. Writing the others again does not change them."""
        if len(batch) == 1:
            record = batch[0].record or _record_in(batch[0].text)
            key = batch[0].key or tuple(record[field.name] for field in self._table.key)
            self._reject(Reject(key, record, f"DynamoDB rejects it: {exc.message}"))
            return
        middle = len(batch) // 2
        self._write(batch[:middle])
        self._write(batch[middle:])

    def _body(self, requests: Sequence[bytes]) -> bytes:
        # The names of tables are letters, digits and "_-.".
        return b'{"RequestItems":{"%s":[%s]}}' % (self._table.name.encode(), b",".join(requests))

    def _failure(self, left: Sequence[bytes], exc: Exception) -> TargetError:
        first = _record_in(left[0])
        key = ", ".join(f"{field.name}={first[field.name]}" for field in self._table.key)
        what = f"Writing to the DynamoDB table {self._table.name} ({len(left)} records from the key {key})"
        error = describe_failure(TargetError, what, exc)
        return TargetError(error.message, error.hint, {"table": self._table.name, "key": key})


def _record_in(request: bytes) -> Mapping[str, Any]:
    """The record, or only its key, of the JSON text of a request."""
    ((_kind, body),) = json.loads(request).items()
    return decode(body.get("Item") or body["Key"])
