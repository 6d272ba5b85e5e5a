# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What no DynamoDB-compatible server does by itself: throttle, fail, cut connections and be far away.

In a test: `with proxy(url) as one: one.fault = ...`. As a program, for measurements that must not share a process:
throttle_proxy.py PORT UPSTREAM-PORT SECONDS-OF-DELAY.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

# What can be done to a call, apart from the names of other exceptions:
NOTHING = ""
THROTTLE = "ProvisionedThroughputExceededException"
SERVER_ERROR = "InternalServerError"
CUT = "cut"  # the connection ends before the server has seen the call
CUT_AFTER = "cut after"  # the server has done it, and the answer is lost
UNPROCESSED = "unprocessed"  # of a batch all but the first request
ALL_UNPROCESSED = "all unprocessed"

_DROP = ("host", "content-length", "connection", "transfer-encoding", "x-amz-crc32")  # botocore checks the CRC


class Proxy(ThreadingHTTPServer):
    """`fault(operation, number)` says what is done to the number-th call (from 1) of that operation."""

    daemon_threads = True

    def __init__(self, port: int, upstream: int, delay: float = 0.0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.upstream = upstream
        self.delay = delay
        self.fault: Callable[[str, int], str] = lambda operation, number: NOTHING
        self.calls: Counter[str] = Counter()
        self.bodies: list[tuple[str, bytes]] = []  # of all calls, by operation
        self.faults = 0  # how many calls met one
        self._lock = threading.Lock()
        self._idle = threading.Condition()
        self._under_way = 0

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        with self._idle:
            self._under_way += 1
        try:
            yield
        finally:
            with self._idle:
                self._under_way -= 1
                self._idle.notify_all()

    def wait(self) -> None:
        """Until all calls are answered, also those of clients that have gone away."""
        with self._idle:
            assert self._idle.wait_for(lambda: not self._under_way, 120)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_fault(self, operation: str) -> str:
        with self._lock:
            self.calls[operation] += 1
            fault = self.fault(operation, self.calls[operation])
            self.faults += fault != NOTHING
            return fault

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Proxy

    def setup(self) -> None:
        super().setup()
        self._up = http.client.HTTPConnection("127.0.0.1", self.server.upstream)

    def finish(self) -> None:
        self._up.close()
        with contextlib.suppress(OSError):
            super().finish()

    def do_POST(self) -> None:
        with self.server.under_way():
            self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        operation = self.headers["X-Amz-Target"].rpartition(".")[2]
        self.server.bodies.append((operation, body))
        if self.server.delay:
            time.sleep(self.server.delay)
        fault = self.server.next_fault(operation)
        if fault == CUT:
            return self._cut()
        if fault.endswith("Exception"):
            return self._error(400, fault)
        if fault == SERVER_ERROR:
            return self._error(500, fault)
        kept: dict[str, Any] = {}
        if fault in (UNPROCESSED, ALL_UNPROCESSED):
            body, kept = _hold_back(body, 1 if fault == UNPROCESSED else 0)
            if not body:
                return self._answer(200, json.dumps({"UnprocessedItems": kept}).encode())
        status, answer = self._forward(body)
        if fault == CUT_AFTER:
            return self._cut()
        if kept and status == 200:
            answer = json.dumps({**json.loads(answer), "UnprocessedItems": kept}).encode()
        return self._answer(status, answer)

    def _forward(self, body: bytes) -> tuple[int, bytes]:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _DROP}
        try:
            if self._up.sock is None:
                self._up.connect()
                self._up.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._up.request("POST", "/", body, headers)
            response = self._up.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._up.close()
            return 503, b'{"__type":"ServiceUnavailable","message":"the server behind the proxy is gone"}'

    def _error(self, status: int, name: str) -> None:
        kind = "com.amazonaws.dynamodb.v20120810#" + name
        self._answer(status, json.dumps({"__type": kind, "message": "injected"}).encode())

    def _answer(self, status: int, body: bytes) -> None:
        head = "HTTP/1.1 %d x\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: %d\r\n\r\n"
        self.wfile.write((head % (status, len(body))).encode() + body)

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _hold_back(body: bytes, keep: int) -> tuple[bytes, dict[str, Any]]:
    """The batch with its first `keep` requests (b"" when none is left), and the others."""
    document = json.loads(body)
    going: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    for table, requests in document["RequestItems"].items():
        if requests[:keep]:
            going[table] = requests[:keep]
        if requests[keep:]:
            kept[table] = requests[keep:]
    document["RequestItems"] = going
    return (json.dumps(document).encode() if going else b""), kept


@contextlib.contextmanager
def proxy(url: str, delay: float = 0.0) -> Iterator[Proxy]:
    """A proxy in front of the server at that URL, while the block runs."""
    with Proxy(0, int(url.rpartition(":")[2]), delay) as one:
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield one
        finally:
            one.shutdown()
            thread.join()


def killed_at_call(server: Proxy, at: int, action: Callable[[], object]) -> bool:
    """Do this in a process that is killed at its at-th call, which the server gets or not. False: it made fewer."""
    child = os.fork()
    if child == 0:
        try:
            action()
        finally:
            os._exit(0)
    calls = itertools.count(1)

    def fault(_operation: str, _number: int) -> str:
        if next(calls) != at:
            return NOTHING
        os.kill(child, signal.SIGKILL)
        return CUT if at % 2 else NOTHING

    server.fault = fault
    _pid, status = os.waitpid(child, 0)
    server.wait()
    server.fault = lambda _operation, _number: NOTHING
    return os.WIFSIGNALED(status)


if __name__ == "__main__":
    Proxy(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])).serve_forever()
