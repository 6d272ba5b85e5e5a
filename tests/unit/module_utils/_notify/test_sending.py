# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to servers that answer, that are silent, and that never end."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._notify import together, web
from ansible_collections.day2.ops.plugins.module_utils._notify.channel import EVENTS, checked_channel, checked_ping
from ansible_collections.day2.ops.plugins.module_utils._notify.message import FAILURE, Message
from ansible_collections.day2.ops.plugins.module_utils._notify.sending import ping_sender, sender
from ansible_collections.day2.ops.plugins.module_utils._notify.together import NotSent, send_all
from ansible_collections.day2.ops.plugins.module_utils._notify.web import FAIL, NOTE, START, SUCCESS
from tests.services.waiting import has_ended, wait_for
from tests.services.web_hooks import receiving

SECRET = "hunter2hunter2"
MESSAGE = Message(FAILURE, "db1", "app", "backup", "failed", 'No "space" left.', 2, "", "", "", "", "day2 status app")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_PAUSE", 0.01)


def ping(url: str, state: str = SUCCESS, text: str = "x", **settings: Any) -> str:
    made = ping_sender(checked_ping({"url": "c", **settings}), lambda name: url, state, text, 5)
    return send_all([made], 30)[0].problem


def channel(known: Any = (), **settings: Any) -> str:
    made = sender(checked_channel({"name": "a", **settings}), lambda name: str(dict(known)[name]), MESSAGE, 5)
    return send_all([made], 30)[0].problem


def problems(*sends: Callable[[], None], seconds: float = 30) -> list[str]:
    return [one.problem for one in send_all(sends, seconds)]


@contextlib.contextmanager
def talking(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """The URL of a server that does this with its connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError), listening.accept()[0] as connection:
                answer(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/{SECRET}"


def test_pings_as_healthchecks_expects_them() -> None:
    with receiving() as (url, received):
        for state in (START, FAIL, SUCCESS, NOTE):
            assert ping(f"{url}/{SECRET}/?rid=1", state, "line 1\nline 2") == ""
    assert [(one.method, one.path) for one in received] == [
        ("POST", f"/{SECRET}/start?rid=1"),
        ("POST", f"/{SECRET}/fail?rid=1"),
        ("POST", f"/{SECRET}?rid=1"),
        ("POST", f"/{SECRET}/log?rid=1"),
    ]
    assert received[1].body == b"line 1\nline 2"


def test_pings_as_uptime_kuma_expects_them() -> None:
    with receiving() as (url, received):
        for state in (START, FAIL, SUCCESS):
            assert ping(f"{url}/api/push/x?status=up&msg=OK&ping=", state, "a & b\nc", type="uptime_kuma") == ""
    assert [(one.method, one.path) for one in received] == [
        ("GET", "/api/push/x?status=down&msg=a+%26+b+c"),
        ("GET", "/api/push/x?status=up&msg=a+%26+b+c"),
    ]


def test_a_ping_is_tried_again() -> None:
    with receiving(503, 200) as (url, received):
        assert ping(url) == ""
    assert len(received) == 2
    with receiving(404) as (url, received):
        assert ping(f"{url}/{SECRET}") == "The server answered with HTTP status 404."
    assert len(received) == 1


def test_webhooks_are_filled_templates() -> None:
    template = {"text": "{host}: {msg} {unknown}", "topic": "{topic}", "priority": 4, "tags": ["{event}", "{}"]}
    with pytest.raises(InvalidRequest, match="Unknown placeholder {topic}, {unknown}"):
        channel(type="webhook", url="u", template=template)
    template["text"] = '{host}: {msg} {"x"}'
    with receiving() as (url, received):
        secrets = {"u": url, "t": "{job}"}
        headers = {"Authorization": "Bearer {topic}"}
        assert (
            channel(secrets, type="webhook", url="u", template=template, headers=headers, secrets={"topic": "t"}) == ""
        )
        assert channel(secrets, type="webhook", url="u") == ""
    assert json.loads(received[0].body) == {
        "text": 'db1: No "space" left. {"x"}',
        "topic": "{job}",
        "priority": 4,
        "tags": ["failure", "{}"],
    }
    assert received[0].headers["Authorization"] == "Bearer {job}"
    assert json.loads(received[1].body)["title"] == "db1: app failed"


def test_a_long_message_is_cut_but_in_a_mail(tmp_path: Path) -> None:
    message = MESSAGE._replace(msg="é" * 200_000, warnings="w" * 200_000)
    said = tmp_path / "said"
    with receiving() as (url, received):
        webhook = checked_channel({"name": "a", "type": "webhook", "url": "u"})
        script = 'printf %s "$DAY2_MSG$DAY2_WARNINGS" >"$0"'
        command = checked_channel({"name": "b", "type": "command", "argv": ["sh", "-c", script, str(said)]})
        assert problems(*(sender(one, lambda name: url, message, 30) for one in (webhook, command))) == ["", ""]
    expected = "é" * 1999 + "…"
    assert json.loads(received[0].body)["msg"] == expected
    assert said.read_text() == expected + "w" * 1999 + "…"


def test_a_header_is_one_line_of_any_language() -> None:
    message = MESSAGE._replace(msg="Kein Platz für\nテスト")
    with receiving() as (url, received):
        settings = checked_channel({"name": "a", "type": "webhook", "url": "u", "headers": {"X-Message": "!{msg}"}})
        assert problems(sender(settings, lambda name: url, message, 5)) == [""]
    assert received[0].headers["X-Message"].encode("latin-1").decode() == "!Kein Platz für テスト"


def test_a_url_with_a_login() -> None:
    with receiving(200, 500) as (url, received):
        with_login = url.replace("://", f"://ops:{SECRET}%21@") + "/topic"
        assert ping(with_login) == ""
        reason = ping(with_login)
    words = base64.b64encode(f"ops:{SECRET}!".encode()).decode()
    assert (received[0].path, received[0].headers["Authorization"]) == ("/topic", f"Basic {words}")
    assert received[0].headers["Host"] == url.partition("//")[2]
    assert reason == "The server answered with HTTP status 500."
    assert SECRET not in ping(f"http://ops:{SECRET}@127.0.0.1/x")


def test_redirects_are_not_followed() -> None:
    with receiving(302) as (url, received):
        reason = channel({"u": f"{url}/{SECRET}"}, type="webhook", url="u")
    assert "HTTP status 302. The server redirects to another URL" in reason
    assert len(received) == 1


def test_commands_that_fail() -> None:
    script = 'echo "no $WORD" >&2; exit 3'
    reason = channel({"w": SECRET}, type="command", argv=["sh", "-c", script], secrets={"WORD": "w"})
    assert reason == "sh ended with exit status 3: no ********."
    assert channel(type="command", argv=["/does/not/exist"]).startswith("/does/not/exist can't be run: ")


def test_what_a_command_gets(tmp_path: Path) -> None:
    script = f'cat >{tmp_path}/text; echo "$DAY2_JOB $DAY2_EVENT $WORD" >{tmp_path}/variables'
    assert channel({"w": "x"}, type="command", argv=["sh", "-c", script], secrets={"WORD": "w"}) == ""
    assert (tmp_path / "variables").read_text() == "app failure x\n"
    assert (tmp_path / "text").read_text() == MESSAGE.text
    assert "On db1: day2 status app" in MESSAGE.text


def silent(connection: socket.socket) -> None:
    connection.recv(1)
    time.sleep(600)


def slow(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        connection.sendall(b"X")
        time.sleep(0.1)


@pytest.mark.parametrize("answer", [silent, slow], ids=["silent", "a_byte_at_a_time"])
def test_servers_that_never_end(answer: Callable[[socket.socket], None]) -> None:
    with talking(answer) as url:
        never = ping_sender(checked_ping({"url": "c"}), lambda name: url, SUCCESS, "x", 60)
        assert problems(never, lambda: None, seconds=5) == ["It did not end within 5s.", ""]


def test_lost_packets() -> None:
    """A connection that is never accepted: the queue of the server is full."""
    with socket.socket() as listening, contextlib.ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _number in range(4):
            one = stack.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listening.getsockname())
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/{SECRET}"
        made = ping_sender(checked_ping({"url": "c"}), lambda name: url, SUCCESS, "x", 60)
        assert problems(made, seconds=0.5) == ["It did not end within 500ms."]


def test_what_a_program_has_started_ends_with_it(tmp_path: Path) -> None:
    argv = ["sh", "-c", f"sleep 1000 & echo $! >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; wait"]
    settings = checked_channel({"name": "a", "type": "command", "argv": argv})
    child = together._Child(sender(settings, lambda name: "", MESSAGE, 1))
    wait_for((tmp_path / "pid").exists)
    child.kill()
    wait_for(lambda: has_ended(int((tmp_path / "pid").read_text())))


def test_what_a_program_leaves_running_is_not_waited_for() -> None:
    settings = checked_channel({"name": "a", "type": "command", "argv": ["sh", "-c", "sleep 60 & exit 0"]})
    assert problems(sender(settings, lambda name: "", MESSAGE, 1)) == [""]


def test_no_reason_contains_the_url() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/{SECRET}?token={SECRET}"
        assert ping(url) == "The server can't be reached: [Errno 111] Connection refused."
    with talking(lambda connection: connection.sendall(f"{SECRET}\r\n\r\n".encode())) as wrong:
        reason = channel({"u": wrong}, type="webhook", url="u")
    assert reason
    assert SECRET not in reason
    reason = channel(
        {"u": url, "t": f"{SECRET}\nX: 1"}, type="webhook", url="u", headers={"A": "{t}"}, secrets={"t": "t"}
    )
    assert reason == "The request is not valid (ValueError): see headers and ca."


def test_a_bug_tells_no_secret() -> None:
    def send() -> None:
        raise KeyError(SECRET)

    assert problems(send) == ["This is a bug: KeyError."]


def test_reasons_are_passed_on() -> None:
    def send() -> None:
        raise NotSent("Nö.", "Do it.")

    assert problems(send, lambda: None, lambda: os._exit(3))[:2] == ["Nö. Do it.", ""]
    assert send_all([], 1) == []


@pytest.mark.parametrize(
    "url", ["", "example.com/x", "file:///etc/passwd", "http:///x", "https://a b/", "http://a:x/", "https://a/é"]
)
def test_a_credential_that_is_not_a_url(url: str) -> None:
    with pytest.raises(InvalidRequest, match="The credential c is not a URL") as caught:
        ping(url)
    assert not url or url not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"type": "webhook"}, "type=webhook requires url"),
        ({"type": "mail", "from": "a"}, "type=mail requires to"),
        ({"type": "mail", "from": "a", "to": []}, "to is empty"),
        ({"type": "command", "argv": []}, "argv is empty"),
        ({"type": "pigeon"}, "choices: webhook, mail, command"),
        ({"type": "command", "argv": ["a"], "cooldown": "soon"}, "'soon' is not a duration"),
        ({"type": "command", "argv": ["a"], "events": ["never"]}, "events is 'never'"),
        ({"type": "mail", "from": "a", "to": ["b"], "user": "u"}, "user and password must be set together"),
        (
            {"type": "mail", "from": "a", "to": ["b"], "user": "u", "password": "p", "tls": "none"},
            "would send the password unencrypted",
        ),
        ({"type": "command", "argv": ["a"], "secrets": {"A": 1}}, "must be strings"),
    ],
)
def test_wrong_channels(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        checked_channel({"name": "a", **settings})
    assert problem in str(caught.value)


def test_defaults() -> None:
    made = checked_channel({"name": "a", "type": "command", "argv": ["true"]})
    assert made["events"] == EVENTS
    assert made["cooldown"] == "4h"


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "fork", fork)
    reasons = problems(lambda: None, lambda: None)
    assert reasons == ["No process could be started: [Errno 11] Resource temporarily unavailable."] * 2
    assert len(os.listdir("/proc/self/fd")) == before
