# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback that answers as AWS documents it, for what no server that runs here says; and in TLS."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, Optional

_ERROR = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>'


class Answer(NamedTuple):
    """An error of S3."""

    status: int
    code: str
    message: str = ""
    more: str = ""  # further elements
    headers: Mapping[str, str] = {}

    @property
    def body(self) -> bytes:
        """What it says in XML."""
        return _ERROR.format(code=self.code, message=self.message, more=self.more).encode()


@contextlib.contextmanager
def answering(
    answer: Optional[Answer], pause: float = 0, tls: Optional[Path] = None
) -> Iterator[tuple[str, list[tuple[str, Mapping[str, str]]]]]:
    """The URL of a server that gives this answer to every request, and the requests that it gets.

    :param answer: None: it says nothing for `pause` seconds, and closes the connection.
    :param tls: a directory in which its certificate and key are put.
    """
    requests: list[tuple[str, Mapping[str, str]]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def say(self) -> None:
            requests.append((f"{self.command} {self.path}", dict(self.headers)))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if answer is None:
                time.sleep(pause)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = say

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate(tls))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http{'s' * (tls is not None)}://127.0.0.1:{server.server_address[1]}", requests
        finally:
            server.shutdown()


def certificate(directory: Path) -> tuple[str, str]:
    """The files of a certificate for 127.0.0.1 that signs itself, and of its key."""
    files = str(directory / "certificate.pem"), str(directory / "key.pem")
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-out", files[0], "-keyout", files[1]]
    subprocess.run(["openssl", *words], check=True, capture_output=True)
    return files
