# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One rclone for all small calls of a run."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import rclone_server
from ansible_collections.day2.ops.plugins.module_utils._core.errors import MissingDependency
from ansible_collections.day2.ops.plugins.module_utils._core.rclone import Answer, Rclone
from ansible_collections.day2.ops.plugins.module_utils._core.rclone_server import Server
from tests.services.waiting import PATIENCE, wait_for

pytestmark = pytest.mark.once  # it is a program, which is the same for every Python


def remote(path: Path, **options: Any) -> Any:
    """One with a name that no variable of a shell can have."""
    return Rclone(f"rclone:here-1.x:{path}", {"settings": {"type": "local"}, "server": True, **options})


def serving(port: int) -> bool:
    """Whether something listens there."""
    return any(f":{port:04X} " in line and " 0A " in line for line in Path("/proc/net/tcp").read_text().splitlines())


def test_calls_are_answered_without_a_program_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "top").mkdir()
    one = remote(tmp_path / "top")
    assert one.call("write", "a", "rcat", one.at('a/b "c" ü'), data=b"data") == Answer(b"")
    assert (tmp_path / "top" / "a" / 'b "c" ü').read_bytes() == b"data"
    monkeypatch.setattr(one, "start", None)  # no other program
    assert one.call("read", "a", "cat", one.at('a/b "c" ü')) == Answer(b"data")
    assert one.call("read", "b", "cat", one.at("b")).missing
    assert one.call("list", "none", "lsjson", one.at("none")).missing
    assert b'"Path": "b ' in one.call("list", "a", "lsjson", "--files-only", one.at("a")).out
    one.call("write", "a", "moveto", "--ignore-times", one.at('a/b "c" ü'), one.at("d"))
    one.call("remove", "d", "delete", "--files-from-raw=-", one.at(""), data=b"d\nnone\n")
    assert [path.name for path in (tmp_path / "top").rglob("*")] == ["a"]


def test_it_is_not_started_where_it_would_miss_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    (tmp_path / "rclone.conf").write_text("[here-1.x]\ntype = memory\n")
    one = remote(tmp_path, config=str(tmp_path / "rclone.conf"))  # its type is in a variable of that name
    assert one.served(("cat", one.at("file")), None) is None
    assert one.call("read", "file", "cat", one.at("file")).out == b"content"
    other = remote(tmp_path, config=str(tmp_path / "rclone.conf"), settings={})
    assert other.served(("cat", other.at("file")), None) == Answer(b"", missing=True)


def test_only_those_with_its_password_are_served(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    one = remote(tmp_path)
    assert one.call("read", "file", "cat", one.at("file")).out == b"content"
    server = one._server
    for path in ("/", f"/[{one.at('')}]/file"):
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{server._port}{path}")
    said = subprocess.run(["ps", "-eo", "args"], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "rclone rcd" in said
    assert server._password not in said
    server.close()
    assert not serving(server._port)


def test_it_ends_with_a_run_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path[:] = sys.argv[1].split(':');"
        "from tests.unit.module_utils._core.test_rclone_server import remote;"
        "from pathlib import Path; one = remote(Path(sys.argv[2])); one.call('list', '', 'lsjson', one.at(''));"
        "print(one._server._port, flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code, ":".join(sys.path), str(tmp_path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        port = int(run.stdout.readline())  # type: ignore[union-attr]
        assert serving(port)
        run.send_signal(signal.SIGKILL)
        wait_for(lambda: not serving(port))


def test_it_ends_with_a_run_although_its_shell_was_ended(tmp_path: Path) -> None:
    one = remote(tmp_path)
    one.call("list", "", "lsjson", one.at(""))
    server = one._server
    server._process.send_signal(signal.SIGTERM)
    server._process.wait()
    assert serving(server._port)
    server.close()
    wait_for(lambda: not serving(server._port))


def test_what_takes_its_port_after_it_is_not_told_the_password(tmp_path: Path) -> None:
    one = remote(tmp_path)
    one.call("list", "", "lsjson", one.at(""))
    server, port = one._server, one._server._port
    shell = server._process.pid
    children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    (pid,) = (int(one) for one in children if Path(f"/proc/{one}/comm").read_text() == "rclone\n")
    os.kill(pid, signal.SIGKILL)
    server._process.wait(PATIENCE)
    server._own.connection.close()  # another thread has none yet
    server._own.connection = None
    with socket.create_server(("127.0.0.1", port)) as taken:
        assert server.ask(["lsjson", str(tmp_path)], None, 1) is None
        taken.settimeout(0)
        with pytest.raises(BlockingIOError):
            taken.accept()


def test_one_that_does_not_start_is_not_waited_for(tmp_path: Path) -> None:
    server = Server(str(tmp_path), ["--no-such-option"], dict(os.environ))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rclone_server, "_STARTS", 3600.0)
        assert server.ask(["lsjson", str(tmp_path)], None, 10) is None


def test_without_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sh").symlink_to("/bin/sh")
    one = remote(tmp_path)
    one.environment["PATH"] = str(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(MissingDependency, match="rclone is required"):
        one.call("list", "", "lsjson", one.at(""))
