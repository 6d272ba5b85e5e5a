# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tls against nginx."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.day2.ops.plugins.module_utils._probes.certificates import parse_certificate
from tests.services.nginx import Nginx

Check = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[socket.socket], None]], int]


def test_a_good_certificate(check: Check, web: Nginx) -> None:
    result = check("tls", host="localhost", port=web.tls, ca=web.ca)
    assert result["status"] == "ok"
    assert (result["unit"], result["warn"], result["crit"]) == ("days", 21, 7)
    assert 49 < result["value"] < 50.1


def test_days_left(check: Check, web: Nginx) -> None:
    options = {"host": "localhost", "port": web.tls, "ca": web.ca}
    assert check("tls", warn="60d", **options)["status"] == "warning"
    result = check("tls", warn=80, crit=60, **options)
    assert result["status"] == "critical"
    assert "days, critical below 60 days" in result["message"]


def test_an_expired_certificate(check: Check, web: Nginx) -> None:
    result = check("tls", host="localhost", port=web.expired, ca=web.ca)
    assert result["status"] == "critical"
    assert "its certificate has expired: renew it" in result["message"]


def test_another_name(check: Check, web: Nginx) -> None:
    assert check("tls", host="127.0.0.1", port=web.tls, ca=web.ca, server_name="good.test")["status"] == "ok"
    result = check("tls", host="127.0.0.1", port=web.tls, ca=web.ca, server_name="bad.test")
    assert result["status"] == "critical"
    assert "its certificate is not for bad.test" in result["message"]


def test_a_chain_that_nobody_trusts(check: Check, web: Nginx) -> None:
    result = check("tls", host="localhost", port=web.tls)
    assert result["status"] == "critical"
    assert "its certificate is not trusted" in result["message"]


def test_a_port_without_tls(check: Check, web: Nginx) -> None:
    assert "TLS failed" in check("tls", host="localhost", port=web.http)["message"]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with root.pem (100 days), an intermediate of 3 days, and chain.pem of a server (50 days)."""
    directory = tmp_path_factory.mktemp("chain")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=directory)

    (directory / "ca").write_text("basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n")
    (directory / "leaf").write_text("subjectAltName=DNS:localhost\n")
    new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    usage = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    openssl("req", "-x509", *new, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=root", "-days", "99", *usage)
    for name, issuer, days, extensions in (("middle", "root", "3", "ca"), ("server", "middle", "50", "leaf")):
        openssl("req", *new, "-keyout", name + ".key", "-out", name + ".csr", "-subj", f"/O=test/CN={name}")
        openssl(
            *("x509", "-req", "-in", name + ".csr", "-CA", issuer + ".pem", "-CAkey", issuer + ".key"),
            *("-CAcreateserial", "-out", name + ".pem", "-days", days, "-extfile", extensions),
        )
    parts = [(directory / name).read_text() for name in ("server.pem", "middle.pem")]
    (directory / "chain.pem").write_text("".join(parts))
    return directory


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_an_intermediate_certificate_that_expires_first(
    check: Check, serve: Serve, chain: Path, version: ssl.TLSVersion
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain / "chain.pem", chain / "server.key")
    context.minimum_version = context.maximum_version = version

    def handler(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    port = serve(handler)
    result = check("tls", host="localhost", port=port, ca=str(chain / "root.pem"))
    assert result["status"] == "critical"
    assert 2.9 < result["value"] < 3.01
    assert f"the intermediate certificate middle that localhost:{port} sends is" in result["message"]
    assert check("tls", host="localhost", port=port, ca=str(chain / "root.pem"), warn=4, crit=2)["status"] == "warning"


def test_days_of_a_certificate_that_nobody_trusts(check: Check, web: Nginx) -> None:
    result = check("tls", host="127.0.0.1", port=web.tls, validate_certs=False)
    assert result["status"] == "ok", result["message"]
    assert 49 < result["value"] < 50.1
    result = check("tls", host="127.0.0.1", port=web.expired, validate_certs=False)
    assert result["status"] == "critical"
    assert result["value"] < -1000


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_whatever_is_no_certificate_is_an_error(data: bytes) -> None:
    with contextlib.suppress(ValueError, IndexError):
        parse_certificate(data)


def test_starttls(check: Check, serve: Serve, web: Nginx) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(web.directory / "server.pem", web.directory / "server.key")

    def smtp(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.test ESMTP\r\n")
        connection.recv(1000)
        connection.sendall(b"250-mail.test\r\n250 STARTTLS\r\n")
        connection.recv(1000)
        connection.sendall(b"220 go ahead\r\n")
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    port = serve(smtp)
    assert check("tls", host="localhost", port=port, ca=web.ca, starttls="smtp")["status"] == "ok"
    refusing = serve(lambda connection: connection.sendall(b"554 no service\r\n"))
    result = check("tls", host="localhost", port=refusing, starttls="smtp")
    assert "refuses to start TLS: 554 no service" in result["message"]
