# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""dns against dnsmasq."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from tests.services.dnsmasq import dnsmasq
from tests.services.local import free_ports

Check = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with dnsmasq(tmp_path_factory.mktemp("dnsmasq")) as port:
        yield {"server": "127.0.0.1", "port": port}


@pytest.mark.parametrize(
    ("query", "record", "expect"),
    [
        ("www.test", "A", "192.0.2.1"),
        ("WWW.test.", "AAAA", "2001:0db8::0001"),
        ("alias.test", "A", "192.0.2.1"),
        ("alias.test", "CNAME", "www.test."),
        ("test", "MX", "10 mail.test"),
        ("text.test", "TXT", "hello world"),
        ("_http._tcp.test", "SRV", "1 2 80 www.test"),
        ("192.0.2.1", "PTR", "www.test"),
    ],
)
def test_records(check: Check, server: dict[str, Any], query: str, record: str, expect: str) -> None:
    result = check("dns", query=query, record=record, expect=expect, **server)
    assert result["status"] == "ok", result["message"]
    assert 0 < result["value"] < 5


def test_texts_have_case_and_names_have_none(check: Check, server: dict[str, Any]) -> None:
    assert check("dns", query="text.test", record="TXT", expect="Hello world", **server)["status"] == "critical"
    assert check("dns", query="WWW.Test", expect="192.0.2.1", **server)["status"] == "ok"


def test_another_answer_than_expected(check: Check, server: dict[str, Any]) -> None:
    result = check("dns", query="www.test", expect=["192.0.2.1", "192.0.2.7"], **server)
    assert result["status"] == "critical"
    assert result["message"].endswith("resolves A of www.test to 192.0.2.1, without 192.0.2.7")


def test_a_name_that_is_none(check: Check, server: dict[str, Any]) -> None:
    result = check("dns", query="nothing.test", **server)
    assert result["status"] == "critical"
    assert "returned NXDOMAIN for A of nothing.test" in result["message"]
    assert check("dns", query="nothing.test", rcode="NXDOMAIN", **server)["status"] == "ok"


def test_a_name_without_that_record(check: Check, server: dict[str, Any]) -> None:
    result = check("dns", query="text.test", **server)
    assert result["status"] == "critical"
    assert "returned 0 answers" in result["message"]
    assert check("dns", query="text.test", count=0, **server)["status"] == "ok"


def test_an_answer_that_needs_tcp(check: Check, server: dict[str, Any]) -> None:
    result = check("dns", query="long.test", record="TXT", count=10, **server)
    assert result["status"] == "ok", result["message"]


def test_nobody_answers(check: Check) -> None:
    (port,) = free_ports(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", port))
        result = check("dns", query="www.test", server="127.0.0.1", port=port, timeout="1s")
        assert result["message"] == f"no answer within 1s while waiting for 127.0.0.1:{port}"
    refused = check("dns", query="www.test", server="127.0.0.1", port=port)
    assert refused["status"] == "critical"
    assert "connection refused" in refused["message"]


@pytest.mark.parametrize("answer", [b"\xc0\x0c" * 40, b"", b"\x03www\x04test\x00\x00\x01\x00\x01\xc0\x0c\x00\x01"])
def test_an_answer_that_is_nonsense(check: Check, answer: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as liar:
        liar.bind(("127.0.0.1", 0))

        def reply() -> None:
            query, peer = liar.recvfrom(1000)
            # Another's answer is not taken for ours.
            liar.sendto(bytes([query[0] ^ 1, query[1]]) + struct.pack("!HHHHH", 0x8183, 1, 0, 0, 0) + query[12:], peer)
            liar.sendto(query[:2] + struct.pack("!HHHHH", 0x8180, 1, 3, 0, 0) + answer, peer)

        threading.Thread(target=reply, daemon=True).start()
        result = check("dns", query="www.test", server="127.0.0.1", port=liar.getsockname()[1])
    assert result["status"] == "critical"
    assert "not valid DNS" in result["message"]
