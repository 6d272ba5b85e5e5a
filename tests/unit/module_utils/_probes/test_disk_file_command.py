# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""disk, file and command on this host."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.mounts import parse
from ansible_collections.day2.ops.plugins.module_utils._core.outcome import Metric
from ansible_collections.day2.ops.plugins.module_utils._probes.command_probe import parse_performance
from ansible_collections.day2.ops.plugins.module_utils._probes.mounts import Mounts
from tests.services.waiting import has_ended, wait_for

Check = Callable[..., dict[str, Any]]


def metric(result: dict[str, Any], name: str) -> float:
    value: float = next(one["value"] for one in result["metrics"] if one["name"] == name)
    return value


def test_disk_says_what_df_says(check: Check, tmp_path: Path) -> None:
    result = check("disk", path=str(tmp_path), warn=100, crit=100, inodes_warn=100, inodes_crit=100)
    told = os.popen(f"df --output=pcent {tmp_path}").read().split()[-1]
    assert abs(result["value"] - int(told.rstrip("%"))) <= 1.5
    assert result["status"] == "ok"


def test_disk_thresholds(check: Check, tmp_path: Path) -> None:
    path = str(tmp_path)
    assert check("disk", path=path, warn="0%", crit="100%")["status"] == "warning"
    assert check("disk", path=path, crit="0%")["status"] == "critical"
    assert check("disk", path=path, free_crit="8000P")["status"] == "critical"
    result = check("disk", path=path, free_crit="1k", inodes_warn=0, inodes_crit=100)
    assert (result["warn"], result["crit"]) == (None, None)  # the defaults in percent do not count then
    assert result["status"] == "warning"
    assert "the used inodes of" in result["message"]


def test_disk_that_is_not_there(check: Check, tmp_path: Path) -> None:
    result = check("disk", path=str(tmp_path / "none"))
    assert (result["status"], result["message"]) == ("critical", f"{tmp_path}/none: No such file or directory")


MOUNTS = """\
21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
22 21 8:2 / /data rw,relatime shared:2 - ext4 /dev/sdb1 ro,errors=remount-ro
23 21 8:3 / /image ro,relatime - squashfs /dev/loop1 ro
24 22 8:4 / /data/a\\040b rw - xfs /dev/sdc1 rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/", False), ("/etc", False), ("/data", True), ("/data/x", True), ("/database", False), ("/image/x", False),
     ("/data/a b/c", False)],
)  # fmt: skip
def test_a_file_system_that_the_kernel_made_read_only(path: str, expected: bool) -> None:
    assert Mounts(parse(MOUNTS.encode())).made_read_only(path) is expected


def test_paths_that_may_hang(tmp_path: Path) -> None:
    (tmp_path / "inside").symlink_to(tmp_path / "nfs" / "x")
    (tmp_path / "relative").symlink_to("a/../nfs")
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "local").symlink_to("/etc")
    mounts = Mounts(parse(f"{MOUNTS}25 21 0:40 / {tmp_path}/nfs rw - nfs4 host:/x rw\n".encode()))
    expected = {
        "nfs": True, "nfs/a/b": True, "nfsx": False, "inside": True, "relative/x": True, "circle": False,
        "local/passwd": False, "none/x": False,
    }  # fmt: skip
    assert {name: mounts.may_hang(f"{tmp_path}/{name}") for name in expected} == expected
    assert Mounts(parse(MOUNTS.encode())).may_hang("/data/x") is False


def test_disk_is_writable_or_not(check: Check, tmp_path: Path) -> None:
    assert check("disk", path=str(tmp_path), writable=True, crit=100)["status"] == "ok"
    result = check("disk", path=str(tmp_path), writable=False)
    assert (result["status"], result["message"]) == ("critical", f"{tmp_path} is writable")
    place = tmp_path / "place"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", place], check=True)
    try:
        assert check("disk", path=str(place), mounted=True)["status"] == "ok"
        assert check("disk", path=str(place), writable=True)["message"] == f"{place} is read-only"
    finally:
        subprocess.run(["umount", place], check=True)


def test_disk_that_is_not_mounted(check: Check, tmp_path: Path) -> None:
    result = check("disk", path=str(tmp_path), mounted=True)
    assert (result["status"], result["message"]) == ("critical", f"{tmp_path} is not mounted")
    assert check("disk", path="/proc", mounted=True)["status"] == "ok"
    assert check("disk", path="/proc", mounted=False)["message"] == "/proc is a mount point"


def test_a_file_that_is_dated_in_the_future_becomes_stale(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "heartbeat"
    path.touch()
    year = time.time() + 365 * 86400
    os.utime(path, (year, year))
    time.sleep(0.3)
    result = check("file", path=str(path), crit="200ms")
    assert result["status"] == "critical"
    assert 0.2 < result["value"] < 60
    assert "in the future: a clock was ahead" in result["message"]
    assert check("file", path=str(path), crit="1h")["status"] == "warning"


def test_the_oldest_file_of_a_queue(check: Check, tmp_path: Path) -> None:
    for ago in (10, 7200):
        (tmp_path / f"job-{ago}").touch()
        os.utime(tmp_path / f"job-{ago}", (time.time() - ago, time.time() - ago))
    result = check("file", path=str(tmp_path), oldest_warn="1h", crit="1m")
    assert result["status"] == "warning"
    assert "the age of the oldest file in" in result["message"]
    assert metric(result, "oldest") == pytest.approx(7200, abs=200)


def test_file_age_size_and_count(check: Check, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"a{number}.log").write_bytes(b"x" * 1000)
        os.utime(tmp_path / f"a{number}.log", (time.time() - 3600, time.time() - 3600 * (number + 1)))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.log").write_bytes(b"y")
    path = str(tmp_path)
    result = check("file", path=path, pattern="a*.log", warn="30m", crit="2h")
    assert result["status"] == "warning"
    assert 3595 < result["value"] < 3800
    assert (metric(result, "size"), metric(result, "files")) == (3000, 3)
    assert check("file", path=path, pattern="*.log", recurse=True, count=4, max_size=3001)["status"] == "ok"
    assert check("file", path=path, pattern="*.log", count="4-9")["status"] == "critical"
    assert check("file", path=path, pattern="a*", min_size="1M")["status"] == "critical"
    assert check("file", path=path, pattern="a*", max_size="2k")["status"] == "critical"
    assert check("file", path=path, pattern="a*", size_warn="2k")["status"] == "warning"


def test_file_there_or_not(check: Check, tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    assert check("file", path=str(tmp_path / "none"))["status"] == "critical"
    assert check("file", path=str(tmp_path / "none"), state="absent")["status"] == "ok"
    assert check("file", path=str(tmp_path / "lock"), state="absent")["status"] == "critical"
    assert check("file", path=str(tmp_path), pattern="*.none")["status"] == "critical"


def test_file_content(check: Check, tmp_path: Path) -> None:
    path = tmp_path / "motd"
    path.write_bytes(b"hello\nworld\n")
    good = hashlib.sha256(path.read_bytes()).hexdigest()
    assert check("file", path=str(path), checksum=good.upper(), contains="^wor")["status"] == "ok"
    assert check("file", path=str(path), checksum=hashlib.md5(path.read_bytes()).hexdigest())["status"] == "ok"
    assert "has the checksum" in check("file", path=str(path), checksum="0" * 64)["message"]
    assert "no line that matches moon" in check("file", path=str(path), contains="moon")["message"]


def test_a_named_pipe_is_not_waited_for(check: Check, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert check("file", path=str(tmp_path / "pipe"), contains="x", timeout="10m")["duration_s"] < 300


@pytest.mark.parametrize(
    ("code", "status"), [(0, "ok"), (1, "warning"), (2, "critical"), (3, "unknown"), (77, "unknown")]
)
def test_command_exit_codes(check: Check, code: int, status: str) -> None:
    result = check("command", argv=["sh", "-c", f"echo said; echo more; exit {code}"])
    assert (result["status"], result["message"]) == (status, "said")


def test_command_with_other_exit_codes(check: Check) -> None:
    assert check("command", command="sh -c 'exit 4'", exit_codes="0-4")["status"] == "ok"
    assert check("command", command="sh -c 'exit 5'", exit_codes=[0, 4])["status"] == "critical"


def test_command_performance_data(check: Check) -> None:
    text = "OK | 'a label'=12.5MB;100;200;0;500 time=250ms;1000:;@2 bad=U %=5%"
    result = check("command", argv=["echo", text + "\nlong text | more=1c"], value="time", warn=0.2, crit=1)
    assert result["status"] == "warning"
    assert (result["value"], result["warn"], result["crit"]) == (0.25, 0.2, 1)
    assert "time is 0.25, warning above 0.2" in result["message"]
    found = {one["name"]: one for one in result["metrics"]}
    assert found["a label"] == {
        "name": "a label", "value": 12.5 * 2**20, "unit": "bytes", "warn": 100 * 2**20, "crit": 200 * 2**20,
    }  # fmt: skip
    assert (found["more"]["value"], found["more"]["unit"]) == (1, "count")
    assert "bad" not in found
    assert check("command", argv=["echo", text], value="none")["status"] == "unknown"


def test_output_without_a_bar_has_no_performance_data(check: Check) -> None:
    result = check("command", argv=["echo", "fine\nload=99 x=1\nmore text | real=1"])
    assert [one["name"] for one in result["metrics"]] == ["real", "time"]
    assert [one["name"] for one in check("command", argv=["echo", "a=1\nb=2"])["metrics"]] == ["time"]


def test_performance_data_that_is_no_finite_number(check: Check) -> None:
    result = check("command", argv=["echo", "fine | x=1e999 y=1"], value="x", crit=5)
    assert result["status"] == "unknown"
    assert [one["name"] for one in result["metrics"]] == ["y", "time"]


@pytest.mark.parametrize("part", ["a", "'", "a=", "a='", "1"])
def test_output_that_is_meant_to_take_long(part: str) -> None:
    """Without bounds each of these took minutes."""
    assert parse_performance(part * 1000000) == []
    assert parse_performance(part * 1000 + " x=1")[-1:] in ([], [Metric("x", 1.0)])


def test_a_real_monitoring_plugin(check: Check) -> None:
    result = check("command", argv=["/usr/lib/nagios/plugins/check_dummy", "1", "so so"])
    assert (result["status"], result["message"]) == ("warning", "WARNING: so so")


def test_command_that_does_not_end(check: Check, tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! >{tmp_path}/child; wait"
    result = check("command", argv=["sh", "-c", script], timeout="5s")
    assert (result["status"], result["message"]) == ("critical", "no answer within 5s while running sh")
    wait_for(lambda: has_ended(int((tmp_path / "child").read_text())))  # its children end with it


def test_command_that_leaves_a_child_behind(check: Check) -> None:
    assert check("command", argv=["sh", "-c", "sleep 600 & echo fine"])["message"] == "fine"


def test_command_that_says_too_much(check: Check) -> None:
    result = check("command", argv=[sys.executable, "-c", "print('x' * 900_000)"])
    assert result["status"] == "ok"
    assert len(result["message"]) <= 500
    for script in ("yes", "yes >&2", "yes & exit 0"):
        result = check("command", argv=["sh", "-c", script])
        assert (result["status"], result["message"]) == ("unknown", "it printed more than 1 MiB and was ended")


def test_command_that_closes_its_output_before_it_ends(check: Check) -> None:
    result = check("command", argv=["sh", "-c", "echo fine; exec >&- 2>&-; sleep 0.2; exit 2"])
    assert (result["status"], result["message"]) == ("critical", "fine")


def test_command_that_is_not_there(check: Check) -> None:
    result = check("command", argv=["/no/such/program"])
    assert (result["status"], result["message"]) == (
        "unknown",
        "/no/such/program can't be run: No such file or directory",
    )


def test_secrets_in_the_environment_of_a_command(check: Check) -> None:
    secrets = {"PASSWORD": "S3cr3t", "ANOTHER": "S3cr3t-which-begins-alike"}
    result = check("command", argv=["sh", "-c", "echo $ANOTHER $PASSWORD"], environment=secrets)
    assert result["message"] == "******** ********"
