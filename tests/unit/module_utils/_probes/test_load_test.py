# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""load_test against nginx, and against servers that stall."""

from __future__ import annotations

import socket
import time
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from tests.services.nginx import Nginx

Check = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[socket.socket], None]], int]


def metric(result: dict[str, Any], name: str) -> float:
    value: float = next(one["value"] for one in result["metrics"] if one["name"] == name)
    return value


def test_a_server_that_keeps_up(check: Check, web: Nginx) -> None:
    began = time.monotonic()
    result = check("load_test", url=web.url + "/n/1", rate=20, duration="1s", crit="10s", rate_warn=1)
    assert time.monotonic() - began > 0.9
    assert result["status"] == "ok", result["message"]
    assert metric(result, "requests") == 20
    assert metric(result, "rate") <= 22
    assert 0 < metric(result, "p50") <= result["value"] <= metric(result, "p99")
    assert check("load_test", url=web.url + "/n/1", rate=50, duration="400ms", crit="0.001ms")["status"] == "critical"


def test_a_tls_server(check: Check, web: Nginx) -> None:
    url = f"https://localhost:{web.tls}/n/1"
    assert check("load_test", url=url, ca=web.ca, rate=10, duration="1s", crit="10s", rate_warn=1)["status"] == "ok"


def test_errors(check: Check, web: Nginx) -> None:
    result = check("load_test", url=web.url + "/down", rate=50, duration="200ms")
    assert result["status"] == "critical"
    assert "no request succeeded: it returned 503" in result["message"]
    assert (
        check("load_test", url=web.url + "/down", rate=50, duration="200ms", status=503, rate_warn=1)["status"] == "ok"
    )


def test_some_errors(check: Check, serve: Serve) -> None:
    count = [0]

    def every_fifth_fails(connection: socket.socket) -> None:
        while connection.recv(65536):
            count[0] += 1
            status = b"500 Oops" if count[0] % 5 == 0 else b"200 OK"
            connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok" % status)

    port = serve(every_fifth_fails)
    result = check("load_test", url=f"http://127.0.0.1:{port}/", rate=100, duration="1s", connections=1, rate_warn=1)
    assert metric(result, "errors") == 20
    assert result["status"] == "critical"
    assert "(it returned 500) is 20%, critical above 5%" in result["message"]


def test_a_server_that_stalls_is_seen_by_all_that_had_to_wait(check: Check, serve: Serve) -> None:
    def slow(connection: socket.socket) -> None:
        while connection.recv(65536):
            time.sleep(0.1)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    result = check("load_test", url=f"http://127.0.0.1:{serve(slow)}/", rate=20, duration="1s", connections=1)
    assert result["status"] == "warning"
    assert metric(result, "rate") < 11
    assert result["value"] > 0.7  # not the 0.1 s that each answer takes
    assert "the achieved rate of" in result["message"]


def test_a_server_that_never_answers(check: Check, serve: Serve) -> None:
    port = serve(lambda _connection: time.sleep(600))
    result = check("load_test", url=f"http://127.0.0.1:{port}/", rate=50, duration="300ms", timeout="500ms")
    assert result["status"] == "critical"
    assert "no request succeeded" in result["message"]


@pytest.mark.parametrize("options", [{"rate": 0}, {"rate": 1001}, {"duration": "61s"}, {"connections": 65}])
def test_it_is_bounded(check: Check, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=next(iter(options))):
        check("load_test", url="http://127.0.0.1/", **options)


def test_requests_that_belong_to_it_are_not_taken_for_the_load_average(check: Check) -> None:
    with pytest.raises(InvalidRequest, match="use type load_test"):
        check("load", url="http://127.0.0.1/")
