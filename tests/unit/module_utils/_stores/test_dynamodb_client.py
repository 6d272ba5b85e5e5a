# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How calls reach DynamoDB: by TLS, with the user's own certificates, through a proxy."""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.aws import Connection, Refused
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.client import Client


class Server(ThreadingHTTPServer):
    """Answers every call. `seen` has the path, the host and the proxy's credentials of each."""

    daemon_threads = True

    def __init__(self, context: Optional[ssl.SSLContext] = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, str, Optional[str]]] = []
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers["Host"], self.headers["Proxy-Authorization"]))
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b'{"Count": 1}')

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def serving(server: Server) -> Iterator[int]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def call(url: str) -> dict[str, Any]:
    client = Client(Connection("us-east-1", url, None, "key", "secret"), 2, 1.0)
    with contextlib.closing(client):
        return client.call("Scan", b"{}", threading.Event())


def test_a_certificate_that_is_not_trusted_is_refused_unless_the_user_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(context)
    with serving(server) as port:
        with pytest.raises(Refused, match="SSLError: .*CERTIFICATE_VERIFY_FAILED"):
            call(f"https://localhost:{port}")
        monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
        assert call(f"https://localhost:{port}") == {"Count": 1}
    assert server.seen == [("/", f"localhost:{port}", None)]


def test_calls_go_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Server()
    with serving(proxy) as port:
        monkeypatch.setenv("http_proxy", f"http://me:s%40c@127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert call("http://dynamodb.example:8000") == {"Count": 1}
    assert proxy.seen == [("http://dynamodb.example:8000", "dynamodb.example:8000", "Basic bWU6c0Bj")]
