# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mails, by a server with TLS."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._notify.channel import checked_channel
from ansible_collections.day2.ops.plugins.module_utils._notify.message import FAILURE, Message
from ansible_collections.day2.ops.plugins.module_utils._notify.sending import sender
from ansible_collections.day2.ops.plugins.module_utils._notify.together import send_all
from tests.services.smtp import mail_server

MESSAGE = Message(FAILURE, "db1", "app", "backup", "failed", "Größe: 0\n.", 1, "", "", "", "", "day2 status app")


def mail(port: int, password: str = "", **settings: Any) -> str:
    given = {"name": "a", "type": "mail", "from": "Day 2 <day2@example.com>", "to": ["a@example.com", "b@example.com"]}
    login = {"user": "üser", "password": "p"} if password else {}
    made = checked_channel({**given, "host": "127.0.0.1", "port": port, **login, **settings})
    return send_all([sender(made, lambda name: password, MESSAGE, 20)], 30)[0].problem


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_everything_but_the_greeting_is_encrypted(tmp_path: Path, tls: str) -> None:
    with mail_server(tmp_path, implicit=tls == "implicit") as server:
        assert mail(server.port, "pässword", tls=tls, ca=server.ca) == ""
    plain = [line.partition(" ")[2].partition(" ")[0] for line in server.lines if line.startswith("plain ")]
    assert [one.upper() for one in plain] == ([] if tls == "implicit" else ["EHLO", "STARTTLS"])
    encoded = base64.b64encode("\0üser\0pässword".encode()).decode()
    assert f"AUTH PLAIN {encoded}" in server.lines
    assert [one.lower() for one in server.lines if one.lower().startswith("rcpt to")] == [
        "rcpt to:<a@example.com>",
        "rcpt to:<b@example.com>",
    ]
    assert "Subject: db1: app failed" in server.lines
    assert "Auto-Submitted: auto-generated" in server.lines


def test_a_login_in_ascii(tmp_path: Path) -> None:
    with mail_server(tmp_path) as server:
        assert mail(server.port, "word", user="user", ca=server.ca) == ""
    assert any(one.startswith("AUTH PLAIN ") for one in server.lines)


def test_tls_is_never_given_up(tmp_path: Path) -> None:
    with mail_server(tmp_path, starttls=False) as server:
        assert "STARTTLS extension not supported" in mail(server.port, "password", ca=server.ca)
    assert [one for one in server.lines if "AUTH" in one or "rcpt" in one.lower()] == []


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    with mail_server(tmp_path) as server:
        assert "CERTIFICATE_VERIFY_FAILED" in mail(server.port, "password")
    assert [one for one in server.lines if "AUTH" in one] == []


def test_without_tls(tmp_path: Path) -> None:
    with mail_server(tmp_path) as server:
        assert mail(server.port, tls="none") == ""
    assert "plain Subject: db1: app failed" in server.lines


def test_a_recipient_is_refused(tmp_path: Path) -> None:
    with mail_server(tmp_path, refuse="b@example.com") as server:
        assert mail(server.port, tls="none") == "The server refuses the recipients b@example.com."
        assert "refuses the recipients b@example.com" in mail(server.port, tls="none", to=["b@example.com"])


def test_only_what_is_refused_for_now_is_sent_again(tmp_path: Path) -> None:
    """Else those who got it would get it every quarter of an hour."""
    given = {"name": "a", "type": "mail", "from": "d@example.com", "to": ["a@example.com", "b@example.com"]}
    delivered = []
    for code in ("550", "450"):
        with mail_server(tmp_path, refuse="b@example.com", refusal=code) as server:
            made = checked_channel({**given, "host": "127.0.0.1", "port": server.port, "tls": "none"})
            (outcome,) = send_all([sender(made, lambda name: "", MESSAGE, 20)], 30)
        assert outcome.problem == "The server refuses the recipients b@example.com."
        delivered.append(outcome.delivered)
    assert delivered == [True, False]


def test_a_server_that_says_no_goodbye(tmp_path: Path) -> None:
    with mail_server(tmp_path, goodbye="") as server:
        assert mail(server.port, tls="none") == ""


def test_no_reason_contains_the_password(tmp_path: Path) -> None:
    with mail_server(tmp_path, login="535 {words}") as server:
        reason = mail(server.port, "hunter2hunter2", user="user", ca=server.ca)
    assert "SMTPAuthenticationError" in reason
    assert base64.b64encode(b"\0user\0hunter2hunter2").decode() not in reason
