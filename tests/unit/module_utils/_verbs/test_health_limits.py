# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What health_check does where something does not end, or this host has not enough of something."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.services.waiting import wait_for
from tests.unit.module_utils._verbs.checks import COLLECTIONS, run, statuses

EVIL, ENDLESS = "^(a+)+$", "a" * 40 + "!"


def test_a_search_that_does_not_end_holds_up_nobody(tmp_path: Path) -> None:
    (tmp_path / "evil.json").write_text(f'{{"text": "{ENDLESS}"}}')
    (tmp_path / "evil.txt").write_text(ENDLESS)
    (tmp_path / "good.txt").write_text("aaa")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _address = listener.accept()
                with contextlib.suppress(OSError), connection:  # whose time was over has gone
                    head = b"" if connection.recv(65536) == b"x" else b"HTTP/1.0 200 OK\r\nX-Said: aaa\r\n\r\n"
                    connection.sendall(head + ENDLESS.encode())

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    soon = {"timeout": "5s"}
    result = run(
        [
            {"name": "body", "type": "http", "url": url, "body_matches": EVIL, **soon},
            {"name": "header", "type": "http", "url": url, "response_headers": {"X-Said": EVIL}},
            {"name": "tcp", "type": "tcp", "host": "127.0.0.1", "port": port, "send": "x", "expect": EVIL, **soon},
            {
                "name": "json",
                "type": "json",
                "path": f"{tmp_path}/evil.json",
                "json": [{"path": "text", "matches": EVIL}],
                **soon,
            },
            {"name": "file", "type": "file", "path": f"{tmp_path}/evil.txt", "contains": EVIL, **soon},
            {"name": "good", "type": "file", "path": f"{tmp_path}/good.txt", "contains": EVIL},
            {"name": "process", "type": "process", "pattern": ".+", "count": "0-100000"},
            *({"name": f"disk {n}", "type": "disk", "path": "/", "crit": 100, "warn": 100} for n in range(40)),
        ],
        timeout="60s",
        fail_on="never",
    )
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    found = statuses(result)
    assert [found.pop(name) for name in ("body", "tcp", "json", "file")] == ["unknown"] * 4
    assert set(found.values()) == {"ok"}, [one for one in result["checks"] if one["status"] != "ok"]
    said = {one["name"]: one["message"] for one in result["checks"]}
    assert said["body"] == f"the search for {EVIL} does not end in time: write it without nested repetitions"
    assert said["file"] == f"no answer within 5s while reading {tmp_path}/evil.txt"


def test_a_document_alone_is_searched_apart_and_all_values_at_once(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_text(json.dumps({"good": ["aaa"] * 5000, "evil": [ENDLESS]}))
    check = {"name": "j", "type": "json", "path": str(path), "timeout": "60s"}
    assert statuses(run([dict(check, json=[{"path": "good.*", "matches": "^a+$"}])])) == {"j": "ok"}
    evil = dict(check, json=[{"path": "evil.*", "matches": EVIL}], timeout="2s")
    assert statuses(run([evil])) == {"j": "unknown"}


def test_processes_for_checks_are_used_again_and_go(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    before = children()
    checks = [{"name": f"f{n}", "type": "file", "path": f"{tmp_path}/f", "contains": "x+"} for n in range(100)]
    assert set(statuses(run(checks, timeout="60s")).values()) == {"critical"}
    wait_for(lambda: children() <= before)


def children() -> set[str]:
    """The processes that come from this one."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
            if parent == str(os.getpid()) and state != "Z":  # on a busy machine nobody may have waited for it
                found.add(pid)
    return found


PROGRAM = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]), int(sys.argv[3])))
sys.path.insert(0, sys.argv[1])
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import check as health_check
values = {name: one.get("default") for name, one in health_check.ARGUMENTS["argument_spec"].items()}
found = health_check.run({**values, "checks": json.load(sys.stdin), "timeout": "60s", "fail_on": "never"}, False,
                         Progress())
print(json.dumps([found["summary"], found["msg"], resource.getrlimit(resource.RLIMIT_NOFILE)]))
"""


@pytest.mark.parametrize(("soft", "hard"), [(96, 96), (96, 4096), (4096, 4096)])
def test_checks_share_the_descriptors_that_there_are(soft: int, hard: int) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1000)

    def answer(connection: socket.socket) -> None:
        with connection:
            connection.recv(65536)
            time.sleep(0.03)  # so that many wait at the same time
            connection.sendall(b"HTTP/1.0 204 No Content\r\n\r\n")

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    checks = [{"name": f"c{number}", "type": "http", "url": url} for number in range(200)]
    command = [sys.executable, "-c", PROGRAM, str(COLLECTIONS), str(soft), str(hard)]
    done = subprocess.run(command, input=json.dumps(checks), capture_output=True, text=True, check=True)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    summary, message, limits = json.loads(done.stdout)
    assert summary["ok"] == 200, message
    assert limits[0] == soft if soft == hard else limits[0] > soft


AFFORDABLE = """
import os, resource, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.day2.ops.plugins.module_utils._verbs.health import pool
used = len(os.listdir("/proc/self/fd")) + pool._RESERVED
for more in map(int, sys.argv[2:]):
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + more, 4096))
    found = pool._affordable([1, 3, 5, 2], 3)
    print(found, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - used)
resource.setrlimit(resource.RLIMIT_NOFILE, (used + 9, used + 9))
print(*(pool._affordable([1, 3, 5, 2], most) for most in (1, 2, 3)))
resource.setrlimit(resource.RLIMIT_NOFILE, (used - 9, used - 9))
print(pool._affordable([5], 1), pool._affordable([], 1))
"""


def test_as_many_checks_at_once_as_have_descriptors() -> None:
    command = [sys.executable, "-c", AFFORDABLE, str(COLLECTIONS), "9", "10", "11"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # the limit is raised to what three of them can need, and no further
    assert done.stdout.splitlines() == ["3 10", "3 10", "3 11", "1 2 2", "1 1"]


def test_what_this_host_lacks_is_unknown(monkeypatch: pytest.MonkeyPatch, black_hole: int) -> None:
    def refuse(*_arguments: object) -> socket.socket:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", refuse)
    (check,) = run([{"name": "t", "type": "tcp", "host": "127.0.0.1", "port": black_hole}], fail_on="never")["checks"]
    assert check["status"] == "unknown"
    assert "this process has too many open files" in check["message"]


def test_a_host_that_allows_no_more_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError("fork")

    monkeypatch.setattr(os, "fork", refuse)
    check = {"name": "f", "type": "file", "path": "/etc/passwd", "contains": "^root:.+"}
    assert statuses(run([check])) == {"f": "ok"}
