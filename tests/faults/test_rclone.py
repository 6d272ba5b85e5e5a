# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories over SFTP, through rclone: many runs at once, and runs that are killed."""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.rclone import Rclone
from ansible_collections.day2.ops.plugins.module_utils._repository import rclone_streams
from ansible_collections.day2.ops.plugins.module_utils._repository.rclone import RcloneObjects
from ansible_collections.day2.ops.plugins.module_utils._repository.turns import Turns
from ansible_collections.day2.ops.plugins.module_utils._repository.watch import Watch
from ansible_collections.day2.ops.tests.faults.verb import run_verb
from tests.conftest import TIMES
from tests.services.repositories import KINDS

LOCK = "app/.state/lock/"
STEP = 2 if TIMES > 1 else 9  # one of so many calls: a run starts some thirty programs
CONTENDERS = 16


def test_of_many_contenders_one_holds_the_lock_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    inside, most, done = 0, 0, []
    guard, begin = threading.Lock(), threading.Barrier(CONTENDERS)
    with KINDS["rclone-sftp"](tmp_path) as place:

        def contend(number: int) -> None:
            nonlocal inside, most
            objects = RcloneObjects(place["repository"], place["rclone"])
            lease = Turns(objects, LOCK, f"test {number}", watch=Watch("test", str(number), "locks"))
            begin.wait()
            lease.acquire(600)
            with guard:
                inside += 1
                most = max(most, inside)
            time.sleep(0.01)
            with guard:
                inside -= 1
                done.append(lease)
            lease.release()

        threads = [threading.Thread(target=contend, args=(number,)) for number in range(CONTENDERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (most, len(done)) == (1, CONTENDERS)
        assert list(RcloneObjects(place["repository"], place["rclone"]).walk("")) == []


# Killed


class Application:
    """A document, and its backups in a directory of this host, through rclone."""

    def __init__(self, top: Path) -> None:
        self.path = top / "a.json"
        self.there = top / "remote"
        self.there.mkdir()
        self.newest = ""  # the ID of the last backup of the fixture
        # what is not to be killed does not start hundreds of programs
        self.place = self.calling(False)

    def calling(self, each: bool) -> dict[str, Any]:
        """Where the backups are, with a program for each call or with one for all."""
        rclone = {"settings": {"type": "local"}, "server": not each}
        return {"repository": f"rclone:here:{self.there}", "rclone": rclone}

    def change(self) -> None:
        self.path.write_text(json.dumps({"a": {"b": secrets.token_hex(1 << 20)}}))

    def backup(self, **more: Any) -> dict[str, Any]:
        source = {"type": "json", "path": str(self.path)}
        params = {"name": "app", "source": source, "compression": "none", "keep": {"last": 2}, **self.place, **more}
        return run_verb("backup", params)

    def check(self, verify: str = "full") -> list[str]:
        """The backups, all of them whole."""
        info = run_verb("backup_info", {"name": "app", "verify": verify, **self.place})
        assert info["ok"], info["problems"]
        return sorted(one["id"] for one in info["sets"][0]["backups"])


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    one = Application(tmp_path)
    for dummy in range(2):
        one.change()
        one.newest = one.backup()["backup"]["id"]
    return one


def killed_at(at: int, application: Application, *, program: bool) -> int:
    """The status of a run that is killed right after it has started its n-th call, or whose n-th call is.

    A call of a run that is killed goes on, with the end of its input.
    """
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    count, start = 0, Rclone.start

    def killing(self: Rclone, *words: str, **streams: Any) -> Any:
        nonlocal count
        started = start(self, *words, **streams)
        count += 1
        if count == at:
            time.sleep(0.02)  # it does some of its work
            os.kill(started.pid if program else os.getpid(), signal.SIGKILL)
        return started

    Rclone.start = killing  # type: ignore[method-assign]
    try:
        application.backup(**application.calling(True))
    except Day2Error:
        os._exit(3)
    finally:
        os._exit(0 if count < at else 4)


@pytest.mark.parametrize("program", [False, True])
def test_killed_at_each_call(application: Application, program: bool) -> None:
    before, newest = application.check(), application.newest
    for at in range(1 + 2 * program, 60, STEP):
        application.change()
        status = killed_at(at, application, program=program)
        middle = application.check("quick")
        assert newest in middle, "a backup that was to be kept is gone"
        assert status or len(middle) == 2  # a run that ends has removed the older one, without a server
        again = application.backup()
        before = application.check()  # also whether the one that was to be kept is whole
        assert len(before) == 2
        newest = again["backup"]["id"]  # not always the last by name: the random part of two of one second has no order
        assert newest in before
        if status == 0:
            break
    assert status == 0
    assert at > 12
    left = {one.name for one in (application.there / "app").iterdir()}
    assert left >= {*before, ".state"}
    assert not list((application.there / "app/.state").glob("new-*"))
    assert list((application.there / "app/.state/lock").iterdir()) == []


def test_a_store_that_hangs_is_left(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    application.change()
    start = Rclone.start

    def stopped(self: Rclone, *words: str, **streams: Any) -> Any:
        started = start(self, *words, **streams)
        if words[0] == "rcat" and "/data/" in words[1]:
            os.kill(started.pid, signal.SIGSTOP)
            patch.setattr(rclone_streams, "_STALL", 1.0)
            patch.setattr(Rclone, "seconds_for", lambda self, size: 0.0)
        return started

    with monkeypatch.context() as patch:
        patch.setattr(Rclone, "start", stopped)
        with pytest.raises(Day2Error, match=r"has accepted no data for 1 s|did not end within 1 s"):
            application.backup(**application.calling(True))
    before = application.check()
    assert application.backup()["backup"]["id"] not in before
