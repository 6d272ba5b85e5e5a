# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""memory, swap, load, process, service, time and icmp on this host."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.mounts import parse
from ansible_collections.day2.ops.plugins.module_utils._probes import icmp_probe, process_probe
from ansible_collections.day2.ops.plugins.module_utils._probes.mounts import Mounts
from tests.services.waiting import named

Check = Callable[..., dict[str, Any]]


def metric(result: dict[str, Any], name: str) -> float:
    value: float = next(one["value"] for one in result["metrics"] if one["name"] == name)
    return value


def test_memory(check: Check) -> None:
    result = check("memory", warn=100, crit=100)
    _total, _used, _free, _shared, _cache, available = (
        int(word) for word in os.popen("free -b").read().splitlines()[1].split()[1:]
    )
    assert result["status"] == "ok"
    assert abs(metric(result, "available") - available) < 0.1 * available
    assert check("memory", available_crit="1000T")["status"] == "critical"
    assert "the used memory is" in check("memory", warn=0, crit=100)["message"]


def test_swap(check: Check) -> None:
    result = check("swap")
    assert result["status"] == "ok"
    without = os.popen("free -b").read().splitlines()[2].split()[1] == "0"
    assert (result["message"] == "this host has no swap space") == without


def test_load(check: Check) -> None:
    before = os.getloadavg()[1]
    result = check("load", warn=1000, crit=1000)
    around = before, os.getloadavg()[1]
    assert result["status"] == "ok"
    assert min(around) - 0.5 < result["value"] * (os.cpu_count() or 1) < max(around) + 0.5
    assert check("load", crit=-1)["status"] == "critical"


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[tuple[str, int]]:
    program = tmp_path / "day2-sleeper"
    shutil.copy(shutil.which("sleep") or "", program)
    process = subprocess.Popen([str(program), "3000"])
    (tmp_path / "pid").write_text(f"{process.pid}\n")
    named(process)
    yield program.name, process.pid
    process.kill()
    process.wait()


@pytest.fixture
def nobody() -> Iterator[None]:
    """The effective rights of a user who owns nothing."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.usefixtures("nobody")
def test_open_files_that_cannot_be_seen_are_unknown(check: Check) -> None:
    first = {"pattern": ".", "user": "0", "count": "1-1000000"}
    found = check("process", **first)
    assert found["status"] == "ok", found["message"]
    assert "descriptors" not in {one["name"] for one in found["metrics"]}
    result = check("process", descriptors_crit=100000, **first)
    assert result["status"] == "unknown"
    assert "can't be seen: run as root (become: true)" in result["message"]


@pytest.mark.usefixtures("nobody")
def test_processes_that_proc_hides_are_unknown(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = Mounts(parse(b"5 1 0:5 / /proc rw - proc proc rw,hidepid=invisible\n"))
    monkeypatch.setattr(process_probe, "Mounts", lambda: hidden)
    result = check("process", process="no-such-program", count=0)
    assert result["status"] == "unknown"
    assert "processes of other users can't be seen" in result["message"]


def test_processes(check: Check, sleeper: tuple[str, int], tmp_path: Path) -> None:
    name, _pid = sleeper
    result = check("process", process=name, pattern="sleeper 3000$", user=str(os.geteuid()), count=1)
    assert result["status"] == "ok"
    assert result["message"].startswith("1 process of day2-sleeper, ")
    assert 0 < result["value"] < 100 << 20
    assert metric(result, "processes") == 1
    assert metric(result, "descriptors") >= 3
    assert check("process", pid_file=str(tmp_path / "pid"), pattern="day2-sleeper")["status"] == "ok"
    assert check("process", process=name, crit="1k")["status"] == "critical"
    assert check("process", process=name, age_crit="1h")["status"] == "critical"
    assert check("process", process=name, count="2-9")["message"] == "1 process of day2-sleeper"


def test_processes_that_are_not_there(check: Check, tmp_path: Path) -> None:
    result = check("process", process="no-such-program")
    assert (result["status"], result["message"]) == ("critical", "0 processes of no-such-program")
    assert check("process", process="no-such-program", count=0)["status"] == "ok"
    (tmp_path / "pid").write_text("999999999\n")
    assert check("process", pid_file=str(tmp_path / "pid"))["status"] == "critical"
    (tmp_path / "pid").write_text("../1")
    assert "does not contain a process ID" in check("process", pid_file=str(tmp_path / "pid"))["message"]
    assert check("process", process="x", user="no-such-user")["status"] == "unknown"


def test_a_process_that_is_dead_and_not_waited_for(check: Check, tmp_path: Path) -> None:
    program = tmp_path / "day2-dead"  # a name that no other process of this machine has
    program.symlink_to("/bin/true")
    process = subprocess.Popen([program])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    result = check("process", process=program.name)
    process.wait()
    assert result["status"] == "critical"
    assert "not waited for" in result["message"]


# No systemd runs where the tests do: its answers are those of a real one, told by a script in its place.
_SHOW = """#!/bin/sh
case "$*" in
*nothing.service*) set LoadState=not-found ActiveState=inactive ;;
*broken.service*)
  set LoadState=loaded ActiveState=failed SubState=failed UnitFileState=disabled NRestarts=5 Result=exit-code ;;
*hangs.service*) sleep 600 ;;
*)
  set LoadState=loaded ActiveState=active SubState=running UnitFileState=enabled NRestarts=1 Result=success
  set "$@" ActiveEnterTimestampMonotonic=1000000 MemoryCurrent=18446744073709551615 ;;
esac
printf '%s\\n' "$@"
"""


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "systemctl"
    program.write_text(_SHOW)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


@pytest.mark.usefixtures("systemctl")
def test_services(check: Check) -> None:
    result = check("service", service="hawkfish", enabled=True, warn=1)
    assert result["status"] == "ok"
    assert result["message"].startswith("hawkfish.service is active (running) for ")
    assert result["value"] == 1
    assert check("service", service="hawkfish", warn=0)["status"] == "warning"  # it was restarted
    assert check("service", service="nothing")["message"] == "the unit nothing.service does not exist"
    result = check("service", service="broken", enabled=True)
    assert result["status"] == "critical"
    assert result["message"] == (
        "broken.service is failed (failed), its result is exit-code: check journalctl -u broken.service;"
        " broken.service is disabled; the number of restarts of broken.service is 5, warning above 3"
    )
    assert check("service", service="broken", state=["failed"], warn=9)["status"] == "ok"
    result = check("service", service="hawkfish", memory_crit="1T")
    assert result["status"] == "unknown"
    assert "systemd does not account for the memory of hawkfish.service" in result["message"]
    hanging = check("service", service="hangs", timeout="1s")
    assert hanging["message"] == "no answer within 1s while querying systemd"


def test_a_host_without_systemd(check: Check, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = check("service", service="hawkfish")
    assert (result["status"], result["message"]) == ("unknown", "systemctl can't be run: No such file or directory")


@pytest.fixture
def time_server() -> Iterator[Callable[[float, int], int]]:
    """`time_server(offset, stratum)`: the port of an NTP server whose clock goes wrong by so many seconds."""
    started = []

    def start(offset: float, stratum: int) -> int:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))

        def stamp() -> bytes:
            now = time.time() + offset + 2208988800
            return struct.pack("!II", int(now), int(now % 1 * 2**32))

        def loop() -> None:
            while True:
                query, peer = sock.recvfrom(100)
                if not query:
                    return
                arrived = stamp()
                sock.sendto(b"\x24" + b"x" * 47, peer)  # somebody else's answer
                answer = bytes([0x24, stratum, 3, 0xEC]) + b"\0" * 12 + stamp() + query[40:48] + arrived + stamp()
                sock.sendto(answer, peer)

        thread = threading.Thread(target=loop, daemon=True)
        thread.start()
        started.append((sock, thread))
        port: int = sock.getsockname()[1]
        return port

    yield start
    for sock, thread in started:
        # Its thread must not read any more: another socket may get its number.
        sock.sendto(b"", sock.getsockname())
        thread.join()
        sock.close()


def test_the_clock(check: Check, time_server: Callable[[float, int], int]) -> None:
    result = check("time", server="127.0.0.1", port=time_server(0, 2), warn="2s")
    assert result["status"] == "ok"
    # at most half of the round trip is the error, however busy this machine is
    assert result["value"] <= metric(result, "delay") / 2 + 0.001
    result = check("time", server="127.0.0.1", port=time_server(-3, 2))
    assert result["status"] == "warning"
    assert abs(result["value"] - 3) <= metric(result, "delay") / 2 + 0.001
    assert metric(result, "offset") == -result["value"]
    assert check("time", server="127.0.0.1", port=time_server(7, 2))["status"] == "critical"
    assert "is not synchronised itself" in check("time", server="127.0.0.1", port=time_server(0, 16))["message"]
    assert check("time", server="127.0.0.1", port=1, timeout="300ms")["status"] == "critical"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_pings(check: Check, host: str) -> None:
    result = check("icmp", host=host)
    assert result["status"] == "ok", result["message"]
    assert 0 < result["value"] < 60
    assert metric(result, "loss") == 0


def test_pings_that_nobody_answers(check: Check) -> None:
    result = check("icmp", host="240.0.0.1", packets=1, timeout="400ms")  # reserved for ever
    assert result["status"] == "critical"


def test_pings_that_are_not_permitted(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        """The module `socket`, on a host that permits no pings."""

        def __getattr__(self, name: str) -> Any:
            return getattr(socket, name)

        def socket(self, *_args: Any) -> Any:
            raise PermissionError

    monkeypatch.setattr(icmp_probe, "socket", Refusing())
    result = check("icmp", host="127.0.0.1")
    assert result["status"] == "unknown"
    assert "no permission to send pings: run as root" in result["message"]
