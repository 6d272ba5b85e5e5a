# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tls against nginx."""

from __future__ import annotations

import socket
import ssl
from typing import Any, Callable

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
