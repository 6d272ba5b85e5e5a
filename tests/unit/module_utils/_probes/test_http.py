# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""http against nginx, and against servers that nobody would wish for."""

from __future__ import annotations

import socket
import time
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._probes.base import Deadline, TimeUp
from ansible_collections.day2.ops.plugins.module_utils._probes.http_client import parse_url
from ansible_collections.day2.ops.plugins.module_utils._verbs.health.specification import read_checks
from tests.services.nginx import Nginx

Check = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[socket.socket], None]], int]


def test_a_good_answer(check: Check, web: Nginx) -> None:
    result = check("http", url=web.url + "/healthz")
    assert result["status"] == "ok"
    assert result["message"] == f"{web.url}/healthz returned 200"
    assert result["unit"] == "s"
    assert 0 < result["value"] <= result["duration_s"] < 60
    assert {"name": "status", "value": 200, "unit": "", "warn": None, "crit": None} in result["metrics"]


def test_a_bad_status(check: Check, web: Nginx) -> None:
    result = check("http", url=web.url + "/down")
    assert (result["status"], result["message"]) == (
        "critical",
        f"{web.url}/down returned 503 Service Temporarily Unavailable",
    )
    assert check("http", url=web.url + "/down", status=[200, "500-599"])["status"] == "ok"


def test_thresholds_of_latency(check: Check, web: Nginx) -> None:
    result = check("http", url=web.url + "/healthz", warn="0.001ms", crit=10)
    assert result["status"] == "warning"
    assert "warning above" in result["message"]
    assert check("http", url=web.url + "/healthz", crit="0.001ms")["status"] == "critical"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"body_matches": '"version": "1\\.'}, ""),
        ({"body_matches": "2\\.0"}, "the body does not match 2\\.0"),
        ({"body_not_matches": "error"}, ""),
        ({"body_not_matches": "ok"}, "the body matches ok"),
        ({"json": [{"path": "$.status", "equals": "ok"}, {"path": "pools.*", "min": 1}]}, ""),
        ({"json": [{"path": "$.status", "equals": "bad"}]}, "$.status is 'ok', not 'bad'"),
        ({"json": [{"path": "$.version", "matches": "^2"}]}, "$.version is '1.0.0', which does not match ^2"),
        ({"json": [{"path": "$.missing"}]}, "$.missing does not exist"),
        ({"json": {"path": "$.pools.a", "max": 0}}, "$.pools.a is 1, more than 0"),
        ({"response_headers": {"Server": "nginx"}}, ""),
        ({"response_headers": {"X-Nothing": ".*"}}, "the header X-Nothing is missing"),
    ],
)
def test_what_the_answer_should_be(check: Check, web: Nginx, options: dict[str, Any], problem: str) -> None:
    result = check("http", url=web.url + "/healthz", **options)
    assert result["status"] == ("critical" if problem else "ok")
    assert problem in result["message"]


def test_a_body_that_is_not_json(check: Check, web: Nginx) -> None:
    result = check("http", url=web.url + "/header", json=[{"path": "$"}])
    assert (result["status"], result["message"]) == ("critical", "the body is not JSON")


def test_the_ratio_of_failures_to_checkouts(check: Check, web: Nginx) -> None:
    (web.www / "pool").write_text(
        '{"qemu:///a": {"failure_count": 11, "checkout_count": 100},'
        ' "qemu:///b": {"failure_count": 0, "checkout_count": 0}}'
    )
    ratio = {"part": "*.failure_count", "whole": "*.checkout_count"}
    result = check("http", url=web.url + "/pool", ratio=ratio)
    assert result["status"] == "critical"
    assert "qemu:///a.failure_count of *.checkout_count is 11%, critical above 10%" in result["message"]
    assert check("http", url=web.url + "/pool", ratio=ratio, ratio_crit="11%")["status"] == "ok"
    assert (
        check("http", url=web.url + "/pool", ratio={"part": "*.none", "whole": "*.checkout_count"})["status"]
        == "critical"
    )


def test_redirects(check: Check, web: Nginx) -> None:
    result = check("http", url=web.url + "/there", body_matches="ok")
    assert (result["status"], result["message"]) == ("ok", f"{web.url}/healthz returned 200")
    assert check("http", url=web.url + "/there", redirects=0, status=301)["status"] == "ok"
    loop = check("http", url=web.url + "/loop")
    assert loop["status"] == "critical"
    assert loop["message"] == f"redirect loop: {web.url}/loop → {web.url}/loop2 → {web.url}/loop"


def test_credentials_do_not_follow_to_another_host(check: Check, web: Nginx) -> None:
    secret = {"headers": {"X-Key": "k-123456"}, "token": "t-123456"}
    assert (
        check("http", url=web.url + "/whoami", body_matches="Bearer t-123456 .*x=k-123456", **secret)["status"] == "ok"
    )
    assert check("http", url=web.url + "/far", body_matches="authorization= cookie= x=\n", **secret)["status"] == "ok"


def test_basic_authentication(check: Check, web: Nginx) -> None:
    place = web.url + "/private"
    assert check("http", url=place)["status"] == "critical"
    assert check("http", url=place, username="bob", password="geheim")["status"] == "ok"
    assert check("http", url=place.replace("//", "//bob:geheim@"))["status"] == "ok"


def test_method_body_and_host(check: Check, web: Nginx) -> None:
    options = {"method": "POST", "body": "x", "headers": {"Host": "example.test"}}
    assert check("http", url=web.url + "/method", body_matches="^POST example.test", **options)["status"] == "ok"


@pytest.mark.parametrize("where", ["url", "query", "header", "token", "password"])
def test_secrets_never_show(run: Any, serve: Serve, where: str) -> None:
    def echo(connection: socket.socket) -> None:
        said = connection.recv(65536).decode()
        body = '{{"said": {}}}'.format(
            repr(said.replace('"', "")).replace("'", '"').replace("\\r", "").replace("\\n", " ")
        )
        connection.sendall(b"HTTP/1.1 500 S3cr3t-Word\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body.encode()))

    place = f"127.0.0.1:{serve(echo)}/"
    options: dict[str, Any] = {
        "url": {"url": "http://bob:S3cr3t-Word@" + place},
        "query": {"url": "http://" + place + "?key=S3cr3t-Word"},
        "header": {"url": "http://" + place, "headers": {"X-Key": "S3cr3t-Word"}},
        "token": {"url": "http://" + place, "token": "S3cr3t-Word"},
        "password": {"url": "http://" + place, "username": "bob", "password": "S3cr3t-Word"},
    }[where]
    result = run([dict(options, name="it", type="http", json=[{"path": "said", "equals": "nothing"}])])
    assert result["checks"][0]["status"] == "critical"
    assert "S3cr3t" not in str(result)
    assert "Ym9iOlMzY3IzdC1Xb3Jk" not in str(result)  # bob:S3cr3t-Word


def test_a_secret_does_not_show_in_what_is_wrong_with_a_specification(run: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        run(
            [
                {"name": "a", "type": "http", "url": "ftp://bob:S3cr3t@x/"},
                {"name": "b", "type": "http", "url": "http://x/", "headers": ["S3cr3t"]},
                {"name": "c", "type": "http", "url": ["http://bob:S3cr3t@x/"]},
                {"name": "d", "type": "http", "url": "http://x/", "headers": {"X": "S3cr3t\n"}},
            ]
        )
    assert "S3cr3t" not in str(caught.value) + str(caught.value.details)
    assert len(caught.value.details["problems"]) == 4


# TLS


def test_tls_with_a_trusted_certificate(check: Check, web: Nginx) -> None:
    assert check("https", url=f"https://localhost:{web.tls}/healthz", ca=web.ca)["status"] == "ok"
    assert (
        check("https", url=f"https://127.0.0.1:{web.tls}/healthz", ca=web.ca, server_name="good.test")["status"] == "ok"
    )


def test_a_redirect_to_tls(check: Check, web: Nginx) -> None:
    assert (
        check("http", url=web.url + "/secure", ca=web.ca)["message"]
        == f"https://localhost:{web.tls}/healthz returned 200"
    )
    assert "certificate is not trusted" in check("http", url=web.url + "/secure")["message"]


def test_tls_that_is_left_by_a_redirect(check: Check, web: Nginx) -> None:
    result = check("https", url=f"https://localhost:{web.tls}/far", ca=web.ca)
    assert result["status"] == "critical"
    assert "which is not https" in result["message"]


def test_tls_with_a_certificate_that_nobody_trusts(check: Check, web: Nginx) -> None:
    result = check("https", url=f"https://localhost:{web.tls}/healthz")
    assert result["status"] == "critical"
    assert "its certificate is not trusted: unable to get local issuer certificate" in result["message"]
    assert check("https", url=f"https://localhost:{web.tls}/healthz", validate_certs=False)["status"] == "ok"


def test_tls_with_a_certificate_for_another_name(check: Check, web: Nginx) -> None:
    result = check("https", url=f"https://127.0.0.1:{web.tls}/healthz", ca=web.ca)
    assert result["status"] == "critical"
    assert "IP address mismatch" in result["message"]


def test_tls_with_our_certificate(check: Check, web: Nginx) -> None:
    url = f"https://localhost:{web.mutual}/"
    pair = {"client_certificate": str(web.directory / "client.pem"), "client_key": str(web.directory / "client.key")}
    assert check("https", url=url, ca=web.ca)["status"] == "critical"
    assert check("https", url=url, ca=web.ca, body_matches="CN=a client", **pair)["status"] == "ok"
    pair["client_key"] = web.ca
    broken = check("https", url=url, ca=web.ca, **pair)
    assert broken["status"] == "unknown"
    assert "client.pem can't be used" in broken["message"]


def test_tls_towards_a_server_without(check: Check, web: Nginx) -> None:
    result = check("https", url=f"https://127.0.0.1:{web.http}/")
    assert result["status"] == "critical"
    assert "TLS failed" in result["message"]


# Servers that nobody would wish for. All take a second at most, whatever they do.


def silent(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    time.sleep(600)


def slow_header(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X-A: b\r\n")
        time.sleep(0.1)


def slow_body(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        connection.sendall(b"x")
        time.sleep(0.1)


def endless_chunks(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"1\r\nx\r\n")
        time.sleep(0.05)


def dripping_handshake(connection: socket.socket) -> None:
    connection.recv(1 << 16)
    for byte in b"\x16\x03\x03\x40\x00" + b"\x02" * 1000:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


@pytest.mark.parametrize("server", [silent, slow_header, slow_body, endless_chunks])
def test_a_server_that_takes_its_time(check: Check, serve: Serve, server: Callable[[socket.socket], None]) -> None:
    port = serve(server)
    result = check("http", url=f"http://127.0.0.1:{port}/", timeout="700ms", body_matches="never")
    assert result["status"] == "critical"
    assert "no answer within 700ms while" in result["message"]
    assert 0.6 < result["duration_s"] < 600


def test_a_handshake_that_drips(check: Check, serve: Serve) -> None:
    result = check("https", url=f"https://127.0.0.1:{serve(dripping_handshake)}/", timeout="3s")
    # long enough to get there on a busy machine: the system's certificates are read first
    assert result["message"] == "no answer within 3s while waiting for the TLS handshake"


@pytest.mark.parametrize("server", [silent, slow_header, slow_body, endless_chunks, dripping_handshake])
def test_a_probe_keeps_to_its_time_without_being_told(serve: Serve, server: Callable[[socket.socket], None]) -> None:
    scheme = "https" if server is dripping_handshake else "http"
    given = {"name": "it", "type": scheme, "url": f"{scheme}://127.0.0.1:{serve(server)}/", "body_matches": "never"}
    (check,) = read_checks([given], {"timeout": "500ms", "retries": 0, "interval": 0})
    began = time.monotonic()
    with pytest.raises(TimeUp):
        check.probe.run(Deadline(0.5))
    assert 0.4 < time.monotonic() - began < 600


def test_what_of_a_url_is_shown() -> None:
    url = parse_url("http://bob:geheim@example.com:8080/a?token=abc&b=c#d")
    assert url.shown == "http://example.com:8080/a?token=***&b=***"
    assert url.target == "/a?token=abc&b=c"
    assert set(url.secrets) == {"geheim", "abc", "c"}
    assert parse_url("http://x/?abc").shown == "http://x/?***"
    assert parse_url("https://[::1]/ä b".replace(" ", "%20")).target == "/%C3%A4%20b"


def test_an_endless_body(check: Check, serve: Serve) -> None:
    def flood(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    port = serve(flood)
    for options in ({}, {"body_matches": "y"}):
        result = check("http", url=f"http://127.0.0.1:{port}/", **options)
        assert result["status"] == "critical"
        assert "the body is larger than max_body" in result["message"]


def test_a_large_body_that_is_allowed(check: Check, web: Nginx) -> None:
    assert check("http", url=web.url + "/big")["status"] == "critical"
    assert check("http", url=web.url + "/big", max_body="4M")["status"] == "ok"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "the response is not HTTP"),
        (b"", "closed the connection without a response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "the body is truncated"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50000 + b"\r\n", "not valid HTTP"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 200, "not valid HTTP"),
        (b"HTTP/1.1 302 Found\r\nLocation: gopher://x/\r\n\r\n", "not http or https"),
    ],
    ids=["ssh", "nothing", "short", "headers", "interim", "gopher"],
)
def test_answers_that_are_none(check: Check, serve: Serve, answer: bytes, problem: str) -> None:
    def handler(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(answer)

    result = check("http", url=f"http://127.0.0.1:{serve(handler)}/")
    assert result["status"] == "critical"
    assert problem in result["message"]


def test_more_redirects_than_allowed(check: Check, serve: Serve) -> None:
    def handler(connection: socket.socket) -> None:
        number = int(connection.recv(1 << 16).split(b" ")[1].strip(b"/") or b"0")
        connection.sendall(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /%d\r\n\r\n" % (number + 1))

    result = check("http", url=f"http://127.0.0.1:{serve(handler)}/0", redirects=3)
    assert result["status"] == "critical"
    assert "more than 3 redirects" in result["message"]


def test_nobody_listens(check: Check) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        result = check("http", url=f"http://127.0.0.1:{port}/")
    assert (result["status"], result["message"]) == (
        "critical",
        f"127.0.0.1:{port}: connection refused, nothing is listening",
    )


def test_a_name_that_is_none(check: Check) -> None:
    result = check("http", url="http://no-such-host.invalid/")
    assert result["status"] == "critical"
    assert "the name can't be resolved" in result["message"]
