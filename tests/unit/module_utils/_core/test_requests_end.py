# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that is to stop while it waits for a server of AWS."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.aws import Connection, Exhausted, Service
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._core.s3 import S3Client
from tests.services.waiting import PATIENCE


class _Silent(BaseHTTPRequestHandler):
    """Has the task stopped at the first request, which it does not answer, and answers the others."""

    server: Any

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.do_GET()

    def do_GET(self) -> None:
        self.server.requests += 1
        if self.server.requests == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            self.server.over.wait(PATIENCE)
            return
        content = json.dumps({"TableNames": []}).encode() if self.command == "POST" else b"<ListBucketResult/>"
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_words: Any) -> None:
        """Tests print nothing."""


@pytest.fixture
def silent() -> Iterator[Any]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Silent) as server:
        told: Any = server
        told.requests, told.over, server.daemon_threads = 0, threading.Event(), True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield told
        finally:
            told.over.set()
            server.shutdown()
            thread.join()


def _s3(url: str) -> Callable[[], object]:
    options = {"endpoint_url": url, "access_key_id": "a", "secret_access_key": "b", "region": "us-east-1"}
    client = S3Client("s3://bucket", options, "for a test")
    return lambda: client.api.list_objects_v2(Bucket="bucket")


def _service(mode: str) -> Callable[[str], Callable[[], object]]:
    def connected(url: str) -> Callable[[], object]:
        connection = Connection("us-east-1", url, None, "a", "b")
        return lambda: Service("dynamodb", "DynamoDB", connection, {"mode": mode, "max_attempts": 3}).ask("list_tables")

    return connected


@pytest.mark.parametrize(
    "connected", [_s3, _service("standard"), _service("legacy")], ids=["s3", "service", "service-legacy"]
)
def test_a_signal_ends_a_request_that_nobody_answers(silent: Any, connected: Callable[[str], Any]) -> None:
    progress = Progress()
    try:
        ask = connected(f"http://127.0.0.1:{silent.server_address[1]}")
        with pytest.raises(Cancelled, match="SIGTERM"):
            ask()
        assert silent.requests == 1
    finally:
        progress.close()


def test_a_server_that_is_not_there_is_still_an_error() -> None:
    with pytest.raises(Exhausted):
        _service("standard")("http://127.0.0.1:1")()
