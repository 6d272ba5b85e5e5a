# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups and copies into a repository of restic, whose run or program is killed at each call of the program."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Day2Error
from ansible_collections.day2.ops.plugins.module_utils._core.restic import Restic
from ansible_collections.day2.ops.plugins.module_utils._repository.location import open_repository
from ansible_collections.day2.ops.tests.faults.verb import run_verb
from tests.conftest import TIMES
from tests.services.repositories import KINDS

EVERY = 2 if TIMES > 1 else 5  # calls: each of them starts a program


class Application:
    """A document, and its backups."""

    def __init__(self, top: Path, place: dict[str, Any]) -> None:
        self.path = top / "a.json"
        self.place = place

    def change(self) -> None:
        self.path.write_text(json.dumps({"a": {"b": secrets.token_hex(1000)}}))

    def backup(self) -> dict[str, Any]:
        source = {"type": "json", "path": str(self.path)}
        return run_verb("backup", {"name": "app", "source": source, "keep": {"last": 9}, **self.place})

    def ids(self) -> list[str]:
        repository: Any = open_repository({**self.place})
        return list(repository.ids("app"))

    def check(self) -> list[str]:
        """The backups, all of them whole."""
        info = run_verb("backup_info", {"name": "app", "verify": "full", **self.place})
        assert info["ok"], info["problems"]
        return sorted(one["id"] for one in info["sets"][0]["backups"])

    def states(self) -> set[str]:
        """What is in the repository, whoever wrote it."""
        environment = {**os.environ, "RESTIC_PASSWORD": "pass word"}
        argv = ["restic", "--no-cache", "-r", self.place["repository"], "snapshots", "--json", "--no-lock"]
        found = json.loads(subprocess.run(argv, env=environment, stdout=subprocess.PIPE, check=True).stdout)
        return {tag[6:] for one in found for tag in one["tags"] if tag.startswith("state=")}


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    with KINDS["restic"](tmp_path) as place:
        one = Application(tmp_path, place)
        one.change()
        one.backup()
        yield one


def killed_at(at: int, run: Callable[[], object], *, program: bool) -> int:
    """The status of a run that is killed after it has started its n-th call, or whose n-th call is.

    A call of a run that is killed goes on.
    """
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    count, start = 0, Restic.start

    @contextlib.contextmanager
    def killing(self: Restic, *words: str, **streams: Any) -> Iterator[Any]:
        nonlocal count
        with start(self, *words, **streams) as process:
            yield process
        count += 1
        if count == at:
            time.sleep(0.1)  # it does some of its work
            os.kill(process.pid if program else os.getpid(), signal.SIGKILL)

    Restic.start = killing  # type: ignore[method-assign]
    try:
        run()
    except Day2Error:
        os._exit(3)
    finally:
        os._exit(0 if count < at else 4)


@pytest.mark.parametrize("program", [False, True], ids=["run", "program"])
def test_killed_at_each_call(application: Application, program: bool) -> None:
    kept = application.ids()
    for at in range(1 + 2 * program, 60, EVERY):
        application.change()
        status = killed_at(at, application.backup, program=program)
        assert set(kept) <= set(application.ids()), "a backup that was to be kept is gone"
        if status == 0:
            break
    assert status == 0, "the last run was not disturbed"
    assert at > 2 * EVERY
    assert len(application.check()) >= 2  # whatever came of the others
    application.backup()
    assert application.states() == {"good"}


def test_a_copy_that_is_killed_at_each_call(application: Application, tmp_path: Path) -> None:
    """Each goes on with what those before it have stored, and only a whole one counts."""
    source = {"repository": str(tmp_path / "source")}
    place, application.place = application.place, source
    made = application.backup()["backup"]["id"]
    application.place = place
    kept = set(application.ids())

    def copy() -> object:
        return run_verb("backup_copy", {"name": "app", "from": source, "to": place})

    for at in range(1, 60, EVERY):
        status = killed_at(at, copy, program=False)
        if status == 0:
            break
        assert set(application.ids()) - kept <= {made}
    assert status == 0, "the last run was not disturbed"
    assert at > 2 * EVERY
    assert set(application.check()) == {*kept, made}
    application.backup()
    assert application.states() == {"good"}
