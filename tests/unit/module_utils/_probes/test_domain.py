# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""domain against servers of our own."""

from __future__ import annotations

import json
import socket
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._probes import domain_probe
from ansible_collections.day2.ops.plugins.module_utils._probes.domain_probe import find_server, parse_whois

Check = Callable[..., dict[str, Any]]
Serve = Callable[[Callable[[socket.socket], None]], int]

SOON = datetime.now(timezone.utc) + timedelta(days=10, hours=1)


@pytest.fixture
def rdap(serve: Serve) -> str:
    """The URL of a server with a list of servers, and with domains that expire in ten days."""
    place: list[str] = []

    def handler(connection: socket.socket) -> None:
        path = connection.recv(1 << 16).split(b" ")[1].decode()
        events = [
            {"eventAction": "registration", "eventDate": "1995-08-14T04:00:00Z"},
            {"eventAction": "expiration", "eventDate": SOON.isoformat()},
        ]
        found: dict[str, Any] = {
            "/list": {"services": [[["org"], ["http://127.0.0.1:1/"]], [["test"], [place[0] + "/rdap/"]]]},
            "/rdap/domain/example.test": {"status": ["active"], "events": events},
            "/rdap/domain/xn--grn-ioa.test": {"status": ["active"], "events": events},
            "/rdap/domain/held.test": {"status": ["client hold"], "events": events},
            "/rdap/domain/silent.test": {"status": ["active"]},
        }
        status = "200 OK" if path in found else "404 Not Found"
        body = json.dumps(found.get(path, {})).encode()
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    place.append(f"http://127.0.0.1:{serve(handler)}")
    return place[0]


def test_days_by_rdap(check: Check, rdap: str) -> None:
    result = check("domain", domain="example.test", rdap_url=rdap + "/rdap")
    assert (result["status"], result["unit"], result["warn"], result["crit"]) == ("warning", "days", 30, 7)
    assert 10 < result["value"] < 10.1
    assert check("domain", domain="Example.Test.", rdap_url=rdap + "/rdap/", warn=9)["status"] == "ok"
    assert check("domain", domain="grün.test", bootstrap_url=rdap + "/list", warn=9)["status"] == "ok"


def test_what_registries_say_beside(check: Check, rdap: str) -> None:
    there = {"bootstrap_url": rdap + "/list", "warn": 9}
    result = check("domain", domain="held.test", **there)
    assert (result["status"], result["message"]) == ("critical", "held.test has the status client hold")
    assert check("domain", domain="silent.test", **there)["status"] == "unknown"
    result = check("domain", domain="none.test", **there)
    assert (result["status"], result["message"]) == ("critical", "none.test is not registered")
    # that the registry does not answer says nothing of the domain
    assert check("domain", domain="example.org", **there)["status"] == "unknown"


def test_whois_where_there_is_no_rdap(check: Check, serve: Serve, rdap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def whois(connection: socket.socket) -> None:
        asked.append(connection.recv(1000).decode().strip())
        if asked[-1] == "de":
            connection.sendall(b"domain: DE\r\n\r\nwhois:        127.0.0.1\r\n")
        elif asked[-1] == "free.de":
            connection.sendall(b"% Object not found.\r\n")
        else:
            connection.sendall(b"Domain: x\r\nRegistry Expiry Date: " + SOON.strftime("%Y-%m-%d").encode() + b"\r\n")

    port = serve(whois)
    result = check("domain", domain="example.de", whois_server=f"127.0.0.1:{port}", warn=8)
    assert result["status"] == "ok", result["message"]
    assert 8.9 < result["value"] < 10.1
    free = check("domain", domain="free.de", whois_server=f"127.0.0.1:{port}")
    assert (free["status"], free["message"]) == ("critical", "free.de is not registered")
    monkeypatch.setattr(domain_probe, "_IANA", ("127.0.0.1", port))
    # what IANA names is asked at port 43, where nobody is
    assert check("domain", domain="example.de", bootstrap_url=rdap + "/list", timeout="2s")["status"] == "unknown"
    assert asked == ["example.de", "free.de", "de"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("   Registry Expiry Date: 2026-08-13T04:00:00Z\r\n", "2026-08-13"),
        ("Registrar Registration Expiration Date: 2026-08-13T04:00:00+0000", "2026-08-13"),
        ("paid-till:     2026-08-13T21:00:00Z", "2026-08-13"),
        ("expires:       20260813", "2026-08-13"),
        ("Expiry date:  13-Aug-2026", "2026-08-13"),
        ("Expiration Time: 2026-08-13 12:48:36", "2026-08-13"),
        ("expire: 13.08.2026", "2026-08-13"),
        ("renewal date: 2026.08.13 23:59:59", "2026-08-13"),
        ("expires............: 13.08.2026 10:00:00", "2026-08-13"),
        ("Expiration Date: soon", None),
        ("created: 2020-08-13", None),
    ],
)
def test_dates_as_whois_servers_write_them(text: str, expected: Any) -> None:
    found = parse_whois("Domain Name: X\nStatus: active\n" + text + "\n", "x.test").expires
    assert (found.strftime("%Y-%m-%d") if found else None) == expected


def test_the_server_with_the_longest_suffix() -> None:
    services = {"services": [[["uk"], ["http://a/", "https://b/"]], [["co.uk"], ["https://c/"]]]}
    assert find_server(services, "example.uk") == "https://b/"
    assert find_server(services, "example.co.uk") == "https://c/"
    assert find_server(services, "example.fr") is None
    for broken in (None, [], {"services": 1}, {"services": [[1, 2]]}):
        assert find_server(broken, "example.uk") is None


@pytest.mark.parametrize(
    "options",
    [
        {"domain": "example"},
        {"domain": "exa mple.com"},
        {"domain": "a.test", "rdap_url": "ftp://x/"},
        {"domain": "a.test", "whois_server": "x:y"},
        {"domain": "a.test", "whois_server": "x", "rdap_url": "http://x/"},
    ],
)
def test_domains_and_servers_that_are_none(check: Check, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        check("domain", **options)
