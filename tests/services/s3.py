# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A real server that speaks S3 and checks checksums, on loopback, and a proxy that damages what passes."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Callable, Union
from urllib.parse import urlsplit

from .answers import Answer
from .local import free_ports, running, wait_for_port

REGION = "eu-central-1"
CREDENTIALS = {"access_key_id": "test", "secret_access_key": "test"}
CUT = Answer(0, "")  # of damaging_proxy


@contextlib.contextmanager
def ministack(directory: Path, services: str = "s3") -> Iterator[str]:
    """The URL of a server while the block runs; its data is in memory. It has other services of AWS too."""
    (port,) = free_ports(1)
    settings = [
        f"GATEWAY_PORT={port}",
        "BIND_HOST=127.0.0.1",
        f"SERVICES={services}",
        f"MINISTACK_REGION={REGION}",
        "MINISTACK_DDB_EXPORT_COMPLETE_AFTER_SEC=0.05",
    ]
    with running(["env", *settings, str(_program())], directory) as process:
        wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}"


def _program() -> Path:
    """Where dev/lib.sh (need_s3_server) has put it. Copies of the tree lie somewhere below the clone's .cache."""
    for parent in Path(__file__).resolve().parents:
        found = parent / ".venv" / "s3-server" / "bin" / "ministack"
        if found.exists():
            return found
    raise RuntimeError("The S3 server is missing. Install it with: dev/run setup")


@contextlib.contextmanager
def damaging_proxy(
    url: str,
    method: str = "",
    first: Callable[[str, Mapping[str, str]], Union[int, Answer, None]] = lambda method, headers: None,
    lost: Callable[[str, str], bool] = lambda method, path: False,
) -> Iterator[str]:
    """The URL of a proxy that flips a bit in the bodies of requests ("PUT") or of answers to them ("GET").

    :param first: called with each request's method and headers before it is passed on; what it returns is the answer
        instead: a status, or an error of S3. CUT ends the connection.
    :param lost: called with each request's method and path once the server has answered; True: the connection ends
        before the answer.
    """
    target = urlsplit(url)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            instead = first(self.command, self.headers)
            if instead is not None:
                _answer(self, instead if isinstance(instead, Answer) else Answer(instead, ""))
                return
            if self.command == method == "PUT":
                body = _flipped(body)
            upstream = http.client.HTTPConnection(str(target.hostname), target.port or 80, timeout=120)
            with contextlib.closing(upstream):
                upstream.request(self.command, self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                data = answer.read()
            if lost(self.command, self.path):
                self.close_connection = True
                return
            kept_back = ["transfer-encoding", "connection"]
            if self.command == method == "GET" and answer.status == 200:
                data = _flipped(data)
                kept_back.append("x-amz-checksum-sha256")
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in kept_back:
                    self.send_header(name, value)
            if answer.getheader("Content-Length") is None:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = pass_on

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def _answer(handler: BaseHTTPRequestHandler, instead: Answer) -> None:
    if instead == CUT:
        handler.close_connection = True
        return
    data = instead.body if instead.code and handler.command != "HEAD" else b""
    handler.send_response(instead.status)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data)


def _flipped(data: bytes) -> bytes:
    if not data:
        return data
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
