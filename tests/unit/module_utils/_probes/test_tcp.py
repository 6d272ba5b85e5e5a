# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tcp against nginx, and against servers that nobody would wish for."""

from __future__ import annotations

import socket
import time
from typing import Any, Callable

from tests.services.nginx import Nginx

Check = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[socket.socket], None]], int]


def test_a_port(check: Check, web: Nginx) -> None:
    result = check("tcp", host="127.0.0.1", port=web.http)
    assert (result["status"], result["message"]) == ("ok", f"127.0.0.1:{web.http} accepts connections")
    assert 0 < result["value"] < 5


def test_send_and_expect(check: Check, web: Nginx) -> None:
    options = {"host": "localhost", "port": web.http, "send": "GET /healthz HTTP/1.0\r\n\r\n"}
    assert check("tcp", expect='"status": "ok"', **options)["status"] == "ok"
    result = check("tcp", expect="bad", **options)
    assert result["status"] == "critical"
    assert "did not send bad: it sent 'HTTP/1.1 200 OK" in result["message"]


def test_tls(check: Check, web: Nginx) -> None:
    options = {
        "host": "localhost",
        "port": web.tls,
        "tls": True,
        "send": "GET /healthz HTTP/1.0\r\n\r\n",
        "expect": "ok",
    }
    assert check("tcp", ca=web.ca, **options)["status"] == "ok"
    assert "not trusted" in check("tcp", **options)["message"]


def test_a_server_that_says_nothing(check: Check, serve: Serve) -> None:
    result = check("tcp", host="127.0.0.1", port=serve(lambda _connection: time.sleep(600)), expect="x", timeout="1s")
    assert result["status"] == "critical"
    assert "no answer within 1s while waiting for" in result["message"]


def test_a_server_that_drips_something_else(check: Check, serve: Serve) -> None:
    def drip(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"y")
            time.sleep(0.05)

    result = check("tcp", host="127.0.0.1", port=serve(drip), expect="x", timeout="3s")
    assert result["status"] == "critical"
    assert "it sent 'y" in result["message"]


def test_a_server_that_never_takes_the_connection(check: Check) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        others = [socket.socket() for dummy in range(4)]
        for other in others:
            other.setblocking(False)
            other.connect_ex(address)
        result = check("tcp", host="127.0.0.1", port=address[1], timeout="500ms")
        for other in others:
            other.close()
    assert result["message"] == f"no answer within 500ms while connecting to 127.0.0.1:{address[1]}"
