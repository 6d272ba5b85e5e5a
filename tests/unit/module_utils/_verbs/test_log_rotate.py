# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import gzip
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import InvalidRequest
from ansible_collections.day2.ops.plugins.module_utils._core.secure_directory import SecureDirectory
from ansible_collections.day2.ops.tests.unit.module_utils._logs.conftest import (
    Writer,
    both,
    failing,
    names,
    rotate,
    tree,
)


def test_a_log_is_rotated_and_compressed(log: Path, logs: Path) -> None:
    done = both(paths=[log])
    assert names(logs) == ["app.log", "app.log.1.gz"]
    assert log.read_text() == ""
    assert log.stat().st_mode & 0o777 == 0o640
    assert gzip.decompress((logs / "app.log.1.gz").read_bytes()) == b"one\n"
    assert done["changed"]
    (one,) = done["rotations"]
    assert (one["name"], one["rotated"], one["rotated_to"]) == (str(log), True, str(logs / "app.log.1"))
    assert one["compressed"][0]["to"] == str(logs / "app.log.1.gz")
    assert done["bytes_freed"] == 4 - (logs / "app.log.1.gz").stat().st_size
    assert done["diff"]["after"] == f"{logs}/app.log.1.gz\n"
    again = both(paths=[log])
    assert not again["changed"]
    assert again["rotations"][0]["reason"] == "it is empty"


def test_numbers_move_up_and_the_oldest_go(log: Path, logs: Path) -> None:
    for text in ("two\n", "three\n", "four\n"):
        both(paths=[log], keep={"last": 3})
        log.write_text(text)
    done = both(paths=[log], keep={"last": 3})
    assert names(logs) == ["app.log", "app.log.1.gz", "app.log.2.gz", "app.log.3.gz"]
    assert [gzip.decompress((logs / f"app.log.{n}.gz").read_bytes()) for n in (1, 2, 3)] == [
        b"four\n",
        b"three\n",
        b"two\n",
    ]
    (removed,) = done["rotations"][0]["removed"]
    assert (removed["name"], removed["reason"]) == (str(logs / "app.log.4.gz"), "keep.last is 3")


def test_a_gap_ends_the_moving_up(log: Path, logs: Path) -> None:
    (logs / "app.log.1").write_text("a")
    (logs / "app.log.3").write_text("c")
    both(paths=[log], compression="none")
    assert tree(logs) == {"app.log": b"", "app.log.1": b"one\n", "app.log.2": b"a", "app.log.3": b"c"}


@pytest.mark.parametrize(("within", "words"), [("1m", "Write 1mo or 1min"), ("30", "not a span")])
def test_keep_within_what_could_be_misread(log: Path, within: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=f"keep: within: .*{words}"):
        both(paths=[log], keep={"within": within})


def test_keep_within(log: Path, logs: Path) -> None:
    for number, days in ((1, 1), (2, 40), (3, 50)):
        old = logs / f"app.log.{number}"
        old.write_text(str(number))
        os.utime(old, (time.time() - days * 86400,) * 2)
    both(paths=[log], compression="none", keep={"within": "30d"})
    assert tree(logs) == {"app.log": b"", "app.log.1": b"one\n", "app.log.2": b"1"}
    both(paths=[log], compression="none", keep={"within": "30d", "last": 5})


def test_the_total_is_limited_over_all_logs_oldest_first(logs: Path) -> None:
    now = time.time()
    for index, name in enumerate(("a.log", "b.log")):
        (logs / name).write_bytes(b"x" * 1000)
        for number in (1, 2, 3):
            old = logs / f"{name}.{number}"
            old.write_bytes(b"y" * 1000)
            os.utime(old, (now - number * 100 - index,) * 2)
    # 8000 bytes, of which 5000 may stay
    done = both(paths=[logs / "*.log"], compression="none", max_total_size="5000")
    assert names(logs) == ["a.log", "a.log.1", "a.log.2", "a.log.3", "b.log", "b.log.1", "b.log.2"]
    assert {one["reason"] for log in done["rotations"] for one in log["removed"]} == {"max_total_size"}
    assert done["bytes_freed"] == 3000
    assert not both(paths=[logs / "*.log"], compression="none", max_total_size="5000")["changed"]


@pytest.mark.parametrize("compression", ["gzip", "xz", "zstd"])
def test_the_total_counts_compressed_files(log: Path, logs: Path, compression: str) -> None:
    log.write_bytes(b"".join(b"line %d\n" % number for number in range(20000)))
    (logs / "app.log.1").write_bytes(os.urandom(50000))
    both(paths=[log], compression=compression, max_total_size="100K")
    assert len(names(logs)) == 3
    log.write_bytes(os.urandom(60000))
    both(paths=[log], compression=compression, max_total_size="100K")
    assert [name.rpartition(".")[0] for name in names(logs)] == ["app", "app.log.1"]


def test_delay_compress(log: Path, logs: Path) -> None:
    both(paths=[log], delay_compress=True)
    assert names(logs) == ["app.log", "app.log.1"]
    assert not both(paths=[log], delay_compress=True)["changed"]
    log.write_text("two\n")
    both(paths=[log], delay_compress=True)
    assert names(logs) == ["app.log", "app.log.1", "app.log.2.gz"]


def test_dated_names(log: Path, logs: Path) -> None:
    both_date = {"names": "dated", "date_format": "-%Y%m%d"}
    (logs / "app.log-20200131.gz").write_bytes(gzip.compress(b"old"))
    (logs / "app.log-20201331.gz").write_bytes(gzip.compress(b"no date"))
    rotate(paths=[log], keep={"last": 1}, **both_date)
    today = time.strftime("%Y%m%d", time.gmtime())
    assert names(logs) == ["app.log", "app.log-20201331.gz", f"app.log-{today}.gz"]
    log.write_text("two\n")
    error = failing(paths=[log], **both_date)
    assert "already exists and was not overwritten" in str(error)
    assert "includes seconds" in str(error)
    assert log.read_text() == "two\n"
    rotate(paths=[log], names="dated")
    assert len(names(logs)) == 4
    with pytest.raises(InvalidRequest, match="begins|is not valid"):
        rotate(paths=[log], names="dated", date_format="%d")
    for bad in ("-%Y", "-%Y%m%d%Y", "-%j", "-%Y/%m%d", "-%Y%m%d%"):
        with pytest.raises(InvalidRequest, match="is not valid"):
            rotate(paths=[log], names="dated", date_format=bad)


def test_frequency_needs_no_state(log: Path, logs: Path) -> None:
    """The first run rotates what was never rotated; then the newest rotated file tells."""
    daily = {"size": None, "frequency": "daily", "compression": "none"}
    assert both(paths=[log], **daily)["rotations"][0]["reason"] == "it was never rotated"
    log.write_text("two\n")
    done = both(paths=[log], **daily)
    assert not done["changed"]
    assert done["rotations"][0]["reason"].startswith("its last rotation was")
    # ctime can't be set; a dated name can
    (logs / "app.log.1").rename(logs / "app.log-20200101-000000")
    assert both(paths=[log], **daily)["rotations"][0]["reason"] == "it is rotated daily"


def test_rotate_after_and_min_size(log: Path, logs: Path) -> None:
    (logs / "app.log-20200101-000000").write_text("old")
    after = {"size": None, "rotate_after": "1h", "compression": "none"}
    assert not rotate(paths=[log], min_size="1K", **after)["changed"]
    assert rotate(paths=[log], min_size="4", **after)["changed"]
    log.write_text("two\n")
    assert not rotate(paths=[log], **after)["changed"]


def test_empty_logs(log: Path, logs: Path) -> None:
    log.write_text("")
    daily = {"size": None, "frequency": "daily"}
    assert not both(paths=[log], **daily)["changed"]
    assert both(paths=[log], if_empty=True, **daily)["changed"]
    assert not both(paths=[log], if_empty=True, **daily)["changed"]
    assert names(logs) == ["app.log", "app.log.1.gz"]


def test_a_clock_set_back_is_told_and_the_others_are_done(log: Path, logs: Path) -> None:
    (logs / "b.log").write_text("b\n")
    (logs / "app.log-29990101-000000").write_text("future")
    error = failing(paths=[logs / "*.log"], size=None, frequency="daily")
    assert "in the future: the clock has been set back" in str(error)
    assert log.read_text() == "one\n"
    assert (logs / "b.log.1.gz").exists()


def test_old_dir(log: Path, logs: Path, tmp_path: Path) -> None:
    (logs / "old").mkdir()
    both(paths=[log], old_dir="old")
    assert names(logs) == ["app.log", "old"]
    assert names(logs / "old") == ["app.log.1.gz"]
    log.write_text("two\n")
    both(paths=[log], old_dir=str(logs / "old"))
    assert names(logs / "old") == ["app.log.1.gz", "app.log.2.gz"]
    assert not both(paths=[log], old_dir="old")["changed"]
    assert "No such file" in str(failing(paths=[log], old_dir="missing"))


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("method", ["rename", "in_place"])
def test_old_dir_on_another_file_system(log: Path, logs: Path, tmp_path: Path, compression: str, method: str) -> None:
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(other)], check=True)
    try:
        for number in range(3):
            log.write_text(f"{number}\n" * 5000)
            both(paths=[log], old_dir=str(other), compression=compression, method=method)
            assert not both(paths=[log], old_dir=str(other), compression=compression, method=method, size="9000")[
                "changed"
            ]
        suffix = ".gz" if compression == "gzip" else ""
        assert names(other) == [f"app.log.{n}{suffix}" for n in (1, 2, 3)]
        assert names(logs) == ["app.log"]
    finally:
        subprocess.run(["umount", str(other)], check=True)


def test_two_logs_of_one_name_do_not_share_an_old_dir(tmp_path: Path) -> None:
    for name in ("a", "b", "old"):
        (tmp_path / name).mkdir()
    for name in ("a", "b"):
        (tmp_path / name / "app.log").write_text(name)
    error = failing(paths=[tmp_path / "a" / "app.log", tmp_path / "b" / "app.log"], old_dir=str(tmp_path / "old"))
    assert str(error).count("same rotated names") == 2
    assert names(tmp_path / "old") == []


def test_the_new_log(log: Path, logs: Path) -> None:
    rotate(paths=[log], mode="0600", owner="nobody", group="65533")
    info = log.stat()
    assert (info.st_mode & 0o777, info.st_uid, info.st_gid) == (0o600, 65534, 65533)
    log.write_text("two\n")
    rotate(paths=[log], create=False)
    assert not log.exists()
    assert not rotate(paths=[log], create=False)["changed"]
    for wrong in ({"mode": "rw"}, {"mode": "4755"}, {"owner": "nobody-here"}):
        with pytest.raises(InvalidRequest):
            rotate(paths=[log], **wrong)


def test_missing(logs: Path) -> None:
    for pattern in (logs / "*.log", logs / "app.log", logs / "missing" / "app.log", logs / "missing" / "*.log"):
        assert "Set missing_ok=true" in str(failing(paths=[pattern]))
        assert not rotate(paths=[pattern], missing_ok=True)["changed"]


def test_what_is_no_log_is_told_and_the_others_are_done(log: Path, logs: Path) -> None:
    (logs / "directory.log").mkdir()
    os.mkfifo(logs / "fifo.log")
    (logs / "link.log").symlink_to("app.log")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(logs / "socket.log"))
    with server:
        error = failing(paths=[logs / "*.log"])
    for words in ("fifo.log is a FIFO", "socket.log is a socket"):
        assert words in str(error)
    assert error.details["changed"]
    assert len(error.details["problems"]) == 2
    assert [one["name"] for one in error.details["rotations"] if one["rotated"]] == [str(log)]
    assert error.details["warnings"] == [f"{logs}/link.log is a symbolic link and was skipped."]
    for name, words in (("directory.log", "is a directory"), ("link.log", "is a symbolic link and was not followed")):
        assert words in str(failing(paths=[logs / name]))


def test_two_entries_that_match_one_file(log: Path, logs: Path) -> None:
    (logs / "b.log").write_text("b\n")
    error = failing(paths=[logs / "*.log", log])
    assert "app.log is matched by two entries of paths" in str(error)
    assert log.read_text() == "one\n"
    assert (logs / "b.log.1.gz").exists()
    os.link(log, logs / "second.log")
    error = failing(paths=[logs / "app.log", logs / "second.log"])
    assert "are the same file" in str(error)
    assert error.details["changed"] is False


def test_rotated_files_are_no_logs(log: Path, logs: Path) -> None:
    both(paths=[logs / "*"])
    log.write_text("two\n")
    both(paths=[logs / "app*"])
    assert names(logs) == ["app.log", "app.log.1.gz", "app.log.2.gz"]


def test_a_taken_name_is_not_overwritten(log: Path, logs: Path) -> None:
    (logs / "app.log.1.gz").mkdir()
    error = failing(paths=[log])
    assert "app.log.1.gz already exists and was not overwritten" in str(error)
    assert log.read_text() == "one\n"


def test_older_files_are_compressed_too(log: Path, logs: Path) -> None:
    rotate(paths=[log], compression="none")
    done = both(paths=[log])
    assert done["changed"]
    assert names(logs) == ["app.log", "app.log.1.gz"]


def test_commands(log: Path, logs: Path, tmp_path: Path) -> None:
    (logs / "b.log").write_text("b\n")
    said = tmp_path / "said"
    script = tmp_path / "say"
    script.write_text(f'#!/bin/sh\necho "$@" >>{said}\n')
    script.chmod(0o755)
    say = str(script)
    words: dict[str, Any] = {
        "before": [[say, "before"]],
        "before_each": [[say, "before", "{path}"]],
        "after_each": [[say, "{path}", "{rotated}"]],
        "after": [[say, "after", "$(id)"]],
    }
    rotate(True, paths=[logs / "*.log"], **words)
    assert not said.exists()
    rotate(paths=[logs / "*.log"], **words)
    assert said.read_text().splitlines() == [
        "before",
        f"before {logs}/app.log",
        f"before {logs}/b.log",
        f"{logs}/app.log {logs}/app.log.1",
        f"{logs}/b.log {logs}/b.log.1",
        "after $(id)",
    ]
    rotate(paths=[logs / "*.log"], **words)
    assert len(said.read_text().splitlines()) == 6
    log.write_text("two\n")
    error = failing(paths=[log], before=[["sh", "-c", "echo no; exit 3"]])
    assert "exit status 3: no" in str(error)
    assert log.read_text() == "two\n"
    error = failing(paths=[log], before_each=[["false"]])
    assert log.read_text() == "two\n"
    with pytest.raises(InvalidRequest, match="is not a command"):
        rotate(paths=[log], after=["systemctl reload app"])


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("option", "keep"),
    [("before", None), ("before_each", None), ("after_each", None), ("after", None), ("before_remove", {"last": 0})],
)
def test_nothing_is_rotated_when_a_program_is_missing(
    log: Path, logs: Path, option: str, keep: Any, check: bool, tmp_path: Path
) -> None:
    for program, why in (("/missing/program", "No such file"), (str(tmp_path), "Permission denied")):
        error = failing(check=check, paths=[log], keep=keep, **{option: [[program]]})
        assert f"Can't run {program}: {why}" in str(error)
        assert not error.details["changed"]
        assert names(logs) == ["app.log"]
    log.write_text("")  # nothing to rotate, nothing to run
    assert not both(paths=[log], keep=keep, **{option: [[program]]})["changed"]


def test_a_process_that_reopens(log: Path, logs: Path, tmp_path: Path, writer: Writer) -> None:
    process = writer(log)
    pid_file = tmp_path / "pid"
    pid_file.write_text(f"{process.pid}\n")
    done = both(paths=[log], signal={"pid_file": str(pid_file), "name": "HUP"})
    assert names(logs) == ["app.log", "app.log.1.gz"]
    assert done["rotations"][0]["held_by"] == []


def test_a_process_that_does_not_reopen_is_named(log: Path, logs: Path, tmp_path: Path, writer: Writer) -> None:
    process = writer(log, stay="stay")
    pid_file = tmp_path / "pid"
    pid_file.write_text(str(process.pid))
    told = {"signal": {"pid_file": str(pid_file), "name": "HUP"}, "reopen_timeout": "300ms"}
    error = failing(paths=[log], **told)
    assert f"(process {process.pid}) still writes to the rotated file, which was therefore not compressed" in str(error)
    assert names(logs) == ["app.log", "app.log.1"]
    assert error.details["rotations"][0]["held_by"][0]["pid"] == process.pid
    # it is told again, and never compressed or removed under the writer's hands
    error = failing(paths=[log], max_total_size="0", **told)
    assert "still writes" in str(error)
    assert names(logs) == ["app.log", "app.log.1"]
    process.kill()
    process.wait()
    assert both(paths=[log])["changed"]
    assert names(logs) == ["app.log", "app.log.1.gz"]


def test_nobody_is_told(log: Path, logs: Path, writer: Writer) -> None:
    process = writer(log)
    done = both(paths=[log])
    assert names(logs) == ["app.log", "app.log.1"]
    assert "is not notified to reopen its log" in done["warnings"][0]
    again = both(paths=[log])
    assert not again["changed"]
    assert again["rotations"][0]["held_by"] == [
        {"name": again["rotations"][0]["held_by"][0]["name"], "pid": process.pid}
    ]
    pid_file = logs.parent / "pid"
    pid_file.write_text(str(process.pid))
    # what a killed run did not tell, the next one does
    assert both(paths=[log], signal={"pid_file": str(pid_file), "name": "HUP"})["changed"]
    assert names(logs) == ["app.log", "app.log.1.gz"]


def test_a_service_is_reloaded(log: Path, logs: Path, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its init script, also where the machine of the test runs systemd; and one that fails is told."""
    isdir = os.path.isdir
    monkeypatch.setattr(os.path, "isdir", lambda path: path != "/run/systemd/system" and isdir(path))
    process = writer(log)
    script = Path(f"/etc/init.d/day2-ops-test-{os.getpid()}")
    script.write_text(f'#!/bin/sh\n[ "$1" = reload ] && kill -HUP {process.pid}\n')
    script.chmod(0o755)
    try:
        assert both(paths=[log], service=script.name)["rotations"][0]["held_by"] == []
        assert names(logs) == ["app.log", "app.log.1.gz"]
        script.write_text("#!/bin/sh\necho broken configuration; exit 1\n")
        log.write_text("two\n")
        error = failing(paths=[log], size="1", service=script.name)
        assert "failed with exit status 1: broken configuration" in str(error)
        assert error.details["rotations"][0]["rotated"]
    finally:
        script.unlink()


def test_pid_files(log: Path, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    how = {"signal": {"pid_file": str(pid_file), "name": "CONT"}}
    for text, words in (
        (None, "Can't read the PID file"),
        ("x", "does not contain a process ID"),
        ("1", "does not contain a process ID"),
    ):
        log.write_text("x\n")
        if text:
            pid_file.write_text(text)
        assert words in str(failing(paths=[log], **how))
    pid_file.write_text("4194305")
    log.write_text("x\n")
    assert "is not running" in str(failing(paths=[log], **how))
    pid_file.write_text(str(os.getpid()))
    os.chown(pid_file, 65534, 65534)
    log.write_text("x\n")
    assert "is not theirs. No signal was sent" in str(failing(paths=[log], **how))
    with pytest.raises(InvalidRequest, match="signal NOPE does not exist"):
        rotate(paths=[log], signal={"pid_file": str(pid_file), "name": "NOPE"})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": None}, "One of size, rotate_after, frequency and force is required"),
        ({"size": "huge"}, "size: 'huge' is not a size"),
        ({"min_size": "-1"}, "min_size"),
        ({"date_format": "-%Y%m%d"}, "names=dated"),
        ({"allow_loss": True}, "method=in_place"),
        ({"method": "in_place", "service": "nginx"}, "service requires method=rename"),
        ({"create": False, "mode": "0600"}, "apply to the new log"),
        ({"compression": "none", "delay_compress": True}, "delay_compress"),
        ({"keep": {"last": -1}}, "or to 0"),
        ({"create_old_dir": True}, "requires old_dir"),
        ({"extension": "log"}, "Write for example .log"),
        ({"extension": ".gz"}, "is not valid"),
        ({"min_age": "long"}, "min_age: 'long' is not a duration"),
        ({"owner": "99999999999"}, "owner 99999999999 does not exist"),
        ({"group": "4294967295"}, "the group .* does not exist"),
        ({"owner": "4294967296"}, "the owner .* does not exist"),
        ({"owner": "\u00b2"}, "the owner .* does not exist"),
        ({"run_as": "nobody-here"}, "user nobody-here does not exist"),
        ({"paths": ["relative.log"]}, "not absolute"),
    ],
)
def test_what_does_not_go_together(log: Path, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        rotate(**{"paths": [log], **wrong})
    assert log.read_text() == "one\n"


def test_an_unwritable_directory(log: Path, logs: Path) -> None:
    subprocess.run(["mount", "--bind", str(logs), str(logs)], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", str(logs)], check=True)
    try:
        error = failing(paths=[log])
        assert "Read-only file system" in str(error)
        assert error.details["changed"] is False
    finally:
        subprocess.run(["umount", str(logs)], check=True)


def test_a_hostile_directory(log: Path, logs: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's\n")
    logs.chmod(0o1777)
    (logs / "link.log").symlink_to(secret)
    os.link(secret, logs / "hard.log")
    (logs / "theirs.log").write_text("x\n")
    os.chown(logs / "theirs.log", 65534, 65534)
    (logs / "app.log.1").symlink_to(secret)
    for method in ("rename", "in_place"):
        error = failing(paths=[logs / "*.log"], method=method, keep={"last": 1})
        assert f"{logs}/link.log is a symbolic link and was skipped." in error.details["warnings"]
        assert "hard.log has 2 hard links" in str(error)
        assert "theirs.log belongs to nobody" in str(error)
    assert secret.read_text() == "root's\n"
    assert os.readlink(logs / "app.log.1") == str(secret)
    # the link took the name: nothing was overwritten
    assert log.read_text() == "one\n"


def test_run_as(open_to_all: Path) -> None:
    folder = open_to_all / "theirs"
    folder.mkdir()
    (folder / "app.log").write_text("x\n")
    os.chown(folder / "app.log", 65534, 65534)
    # root may, and this user may not
    assert "Permission denied" in str(failing(paths=[folder / "app.log"], run_as="nobody"))
    os.chown(folder, 65534, 65534)
    done = both(paths=[folder / "app.log"], run_as="nobody")
    assert done["changed"]
    assert names(folder) == ["app.log", "app.log.1.gz"]
    assert {(folder / name).stat().st_uid for name in names(folder)} == {65534}
    assert os.geteuid() == 0


def test_two_runs_at_once(log: Path, logs: Path) -> None:
    with SecureDirectory(str(logs)) as other:
        other.lock(0)
        assert "Another run is working in" in str(failing(paths=[log], lock_timeout="100ms"))
    assert rotate(paths=[log])["changed"]


def test_an_account_that_can_read_the_directory_can_not_keep_a_run_out(log: Path, logs: Path) -> None:
    fd = os.open(logs, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert rotate(paths=[log], lock_timeout="0")["changed"]
    os.close(fd)


@pytest.mark.parametrize("compression", ["zstd", "gzip", "xz", "none"])
def test_no_code_is_read_as_another_user(compression: str) -> None:
    """A task's code is in a file that only its own user can read."""
    program = f"""
import importlib.machinery, os, sys
from ansible_collections.day2.ops.plugins.module_utils._core.progress import Progress
from ansible_collections.day2.ops.plugins.module_utils._verbs.logs import rotate as log_rotate

class Forbidden(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if os.geteuid() != 0 and name.startswith("ansible_collections"):
            raise PermissionError(13, "Permission denied: " + name)
        return None

sys.meta_path.insert(0, Forbidden)
log = os.path.join(sys.argv[1], "app.log")
for method in ("rename", "in_place"):
    with open(log, "w") as file:
        file.write("one\\n" * 100_000)
    os.chown(log, 65534, 65534)
    params = {{name: one.get("default") for name, one in log_rotate.ARGUMENTS["argument_spec"].items()}}
    params.update(paths=[log], run_as="nobody", size="1", method=method, compression={compression!r})
    for check in (True, False):
        done = log_rotate.run(params, check, Progress(""))
        assert done["rotations"][0]["rotated"] and not done["problems"], done
"""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as base:
        os.chown(base, 65534, 65534)
        subprocess.run(
            [sys.executable, "-c", program, base],
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
