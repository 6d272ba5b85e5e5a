# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How calls reach DynamoDB: signed, by TLS, with the user's own certificates, through a proxy."""

from __future__ import annotations

import calendar
import contextlib
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.aws import Connection, Exhausted, Refused
from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.client import Client
from ansible_collections.day2.ops.plugins.module_utils._stores.dynamodb.transport import Signer


class Server(ThreadingHTTPServer):
    """Answers every call. `seen` has the path, the host and the proxy's credentials of each."""

    daemon_threads = True

    def __init__(self, context: Optional[ssl.SSLContext] = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: list[tuple[str, str, Optional[str]]] = []
        self.connections = 0
        self.ends = False  # connections, after each response, without a word
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers["Host"], self.headers["Proxy-Authorization"]))
        self.send_response(200)
        self.send_header("Content-Length", "12")
        self.end_headers()
        self.wfile.write(b'{"Count": 1}')
        self.close_connection = self.server.ends

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def serving(server: Server) -> Iterator[int]:
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
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


@pytest.mark.parametrize(("content", "said"), [(None, "No such file"), ("no certificate", "")])
def test_certificates_that_can_not_be_read(
    content: Optional[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "authority.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(path))
    with pytest.raises(InvalidRequest, match=f"certificates in {path} can't be used: {said}"):
        call("https://127.0.0.1:1")


def test_calls_go_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Server()
    with serving(proxy) as port:
        monkeypatch.setenv("http_proxy", f"http://me:s%40c@127.0.0.1:{port}")
        monkeypatch.delenv("no_proxy", raising=False)
        assert call("http://dynamodb.example:8000") == {"Count": 1}
    assert proxy.seen == [("http://dynamodb.example:8000", "dynamodb.example:8000", "Basic bWU6c0Bj")]


@pytest.mark.parametrize("token", [None, "a/b+c="])
@pytest.mark.parametrize(
    "url",
    [
        "https://dynamodb.eu-central-1.amazonaws.com",
        "http://localhost:8000",
        "https://[::1]:443/a b/%7Ec/",
        "http://127.0.0.1:80/",
    ],
)
def test_calls_are_signed_as_botocore_signs_them(url: str, token: Optional[str]) -> None:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    credentials = Credentials("key", "sec/ret+", token).get_frozen_credentials()
    signer = Signer(url, "eu-central-1")
    for body in (b"{}", '{"\u00e4": 1}'.encode()):
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "DynamoDB_20120810.Scan"}
        request = AWSRequest("POST", url, headers, body)
        SigV4Auth(credentials, "dynamodb", "eu-central-1").add_auth(request)
        now = calendar.timegm(time.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ"))
        ours = signer.headers("DynamoDB_20120810.Scan", body, credentials, now)
        assert ours["authorization"] == request.headers["Authorization"]
        assert ours.get("x-amz-security-token") == token
        # of another day, and of another key
        assert signer.headers("a", b"", credentials, now - 86400) == Signer(url, "eu-central-1").headers(
            "a", b"", credentials, now - 86400
        )
    other = Credentials("key", "other", token).get_frozen_credentials()
    assert signer.headers("a", b"", other, now) == Signer(url, "eu-central-1").headers("a", b"", other, now)


@pytest.mark.parametrize("ends", [False, True])
def test_connections_are_kept_and_replaced_once_the_server_has_ended_them(ends: bool) -> None:
    server = Server()
    server.ends = ends
    with (
        serving(server) as port,
        contextlib.closing(
            Client(Connection("us-east-1", f"http://127.0.0.1:{port}", None, "key", "secret"), 2, 0.0)
        ) as client,
    ):
        for dummy in range(3):  # without patience: a connection that was ended is no failure
            assert client.call("Scan", b"{}", threading.Event()) == {"Count": 1}
        client.close()
    assert server.connections == (3 if ends else 1)


def _refused_role() -> Exception:
    import botocore.exceptions

    return botocore.exceptions.ClientError(
        {"Error": {"Code": "AccessDenied", "Message": "not your role"}}, "AssumeRole"
    )


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (_refused_role, "AccessDenied: not your role"),
        (lambda: RuntimeError("the refreshed credentials are still expired"), "ExpiredToken: .*still expired"),
    ],
)
def test_credentials_that_can_not_be_renewed(failure: Any, said: str) -> None:
    client = Client(Connection("us-east-1", "http://127.0.0.1:1", None, "key", "secret"), 2, 1.0)

    class Expired:
        def get_frozen_credentials(self) -> Any:
            raise failure()

    with contextlib.closing(client):
        client._credentials = Expired()
        with pytest.raises(Refused, match=said):
            client.call("Scan", b"{}", threading.Event())


def test_nobody_at_the_address() -> None:
    server = Server()
    server.server_close()
    client = Client(Connection("us-east-1", f"http://127.0.0.1:{server.server_address[1]}", None, "k", "s"), 2, 0.0)
    with contextlib.closing(client), pytest.raises(Exhausted, match="no connection .*refused"):
        client.call("Scan", b"{}", threading.Event())
