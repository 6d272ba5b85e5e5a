# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that are made when the data has changed."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._host import on_change
from ansible_collections.day2.ops.plugins.module_utils._host import run as runs
from ansible_collections.day2.ops.plugins.module_utils._host.places import JOBS_VARIABLE
from tests.services.waiting import PATIENCE

from .conftest import Host

AFTER = 0.3


@pytest.fixture
def tree(host: Host) -> Path:
    path = host.root / "data"
    path.mkdir()
    (path / "file").write_text("first")
    source = {"type": "files", "path": str(path)}
    watch(host, source)
    return path


def watch(host: Host, source: dict[str, Any], after: float = AFTER, **more: Any) -> None:
    arguments = {"name": "job", "source": source, "repository": host.path("repository")}
    host.job("job", "backup", arguments, on_change=after, timeout=600, **more)


def reasons(host: Host) -> list[str]:
    return [one["facts"].get("reason", one["status"]) for one in host.runs()]


class Writer:
    """Writes whenever a run in this process has slept, which takes no time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.writes = 0  # that are to come
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.slept

    def time_ns(self) -> int:
        return time.time_ns() + 10**9  # the files are old enough

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        if self.writes:
            self.writes -= 1
            with self._path.open("a") as handle:
                handle.write("x")


@pytest.fixture
def writer(host: Host, tree: Path, monkeypatch: pytest.MonkeyPatch) -> Writer:
    for name in (JOBS_VARIABLE, host_state.VARIABLE):
        monkeypatch.setenv(name, host.environment[name])
    made = Writer(tree / "busy")
    monkeypatch.setattr(on_change, "time", made)
    return made


def test_a_change_is_seen_until_it_is_in_a_backup(host: Host, tree: Path) -> None:
    assert host.run("changed", "job")[0] == 0
    assert host.run("run", "job", "--settle")[0] == 0
    assert host.run("changed", "job")[0] == 75
    tree.joinpath("sub").mkdir()
    tree.joinpath("sub", "below").write_text("second")
    assert host.run("changed", "job")[0] == 0
    assert host.run("run", "job")[0] == 0  # by a person: it does not wait
    assert host.run("changed", "job")[0] == 75
    assert reasons(host) == ["new", "changed"]


def test_it_waits_until_the_data_is_quiet(host: Host, tree: Path, writer: Writer) -> None:
    writer.writes = 20
    assert runs.run_settled("job") == 0
    assert writer.slept == pytest.approx(20 * AFTER / 4 + AFTER, abs=AFTER / 2)
    assert host.run("changed", "job")[0] == 75
    assert reasons(host) == ["new"]


def test_a_writer_that_never_pauses_gets_backups(host: Host, tree: Path, writer: Writer) -> None:
    writer.writes = 1_000_000
    during = ["sh", "-c", f"echo more >>{tree}/busy"]
    watch(host, {"type": "files", "path": str(tree)}, hooks={"after": during})
    assert runs.run_settled("job") == 0
    assert reasons(host) == ["new", "changed", "changed"]
    assert writer.slept == pytest.approx(3 * 10 * AFTER, abs=AFTER)
    assert host.run("changed", "job")[0] == 0
    writer.writes = 0
    watch(host, {"type": "files", "path": str(tree)})
    assert runs.run_settled("job") == 0
    assert host.run("changed", "job")[0] == 75


def test_it_runs_again_if_the_data_changes_meanwhile(host: Host, tree: Path) -> None:
    source = {"type": "files", "path": str(tree)}
    arguments = {"name": "job", "source": source, "repository": host.path("repository")}
    # Once: as if an application wrote while the backup is made.
    write = f"test -e {host.root}/done || {{ sleep 0.2; echo late >{tree}/late; touch {host.root}/done; }}"
    host.job("job", "backup", arguments, on_change=AFTER, timeout=600, hooks={"after": ["sh", "-c", write]})
    assert host.run("run", "job", "--settle")[0] == 0
    assert reasons(host) == ["new", "changed"]
    assert host.run("changed", "job")[0] == 75


def test_another_file_beside_the_data_starts_no_run(host: Host, tree: Path) -> None:
    database = host.root / "app" / "app.db"
    database.parent.mkdir()
    subprocess.run(["sqlite3", str(database), "PRAGMA journal_mode=wal; CREATE TABLE t(x)"], check=True)
    watch(host, {"type": "sqlite", "path": str(database)})
    host.environment["TRIGGER_UNIT"] = "day2-job.path"
    assert host.run("run", "job", "--settle")[0] == 0
    database.with_name("log").write_text("x")
    assert host.run("run", "job", "--settle") == (75, "job: skipped: The data has not changed since the last backup.\n")
    assert reasons(host) == ["new"]
    subprocess.run(["sqlite3", str(database), "INSERT INTO t VALUES (1)"], check=True)
    assert host.run("run", "job", "--settle")[0] == 0
    assert reasons(host) == ["new", "changed"]


def test_a_job_that_fails_is_tried_again_later(host: Host, tree: Path) -> None:
    watch(host, {"type": "files", "path": str(tree)}, after=60)
    (host.root / "repository").write_text("not a directory")
    assert host.run("run", "job")[0] != 0
    assert host.run("changed", "job")[0] == 75
    known = host.summary()
    known["job"]["began"] -= 600
    (host.state / "summary.json").write_text(json.dumps({"jobs": known}))
    assert host.run("changed", "job")[0] == 0


@pytest.mark.parametrize(
    ("unit", "waits"), [("day2-job.path", "the last run has failed"), ("day2-job.timer", "the data is being written")]
)
def test_a_writer_that_never_pauses_does_not_repeat_a_failure(host: Host, tree: Path, unit: str, waits: str) -> None:
    """A path unit starts the job at each write, others do not."""
    watch(host, {"type": "files", "path": str(tree)}, after=60)
    (host.root / "repository").write_text("not a directory")
    assert host.run("run", "job")[0] != 0
    host.environment["TRIGGER_UNIT"] = unit
    run = host.start("run", "job", "--settle")
    while f"(waiting: {waits})" not in host.run("status", "job")[1]:
        assert run.poll() is None
    run.terminate()
    assert run.wait(PATIENCE) == 75


def test_a_run_that_is_stopped_while_it_waits(host: Host, tree: Path) -> None:
    watch(host, {"type": "files", "path": str(tree)}, after=60)
    run = host.start("run", "job", "--settle")
    while "is being written" not in host.run("status", "job")[1]:
        assert run.poll() is None
    run.terminate()
    assert run.wait(PATIENCE) == 75
    assert [one["status"] for one in host.runs()] == ["skipped"]
    assert "It was waiting until the data is no longer written." in host.runs()[0]["msg"]


def test_another_repository_has_no_backup_yet(host: Host, tree: Path) -> None:
    assert host.run("run", "job")[0] == 0
    source = {"type": "files", "path": str(tree)}
    arguments = {"name": "job", "source": source, "repository": host.path("other")}
    host.job("job", "backup", arguments, on_change=AFTER, timeout=600)
    assert host.run("changed", "job")[0] == 0


def test_what_is_no_backup_has_no_data_to_watch(host: Host) -> None:
    host.old_files(on_change=1)
    status, output = host.run("check")
    assert (status, "on_change is for the verb backup" in output) == (78, True)
