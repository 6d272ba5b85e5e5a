# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Drills with real stores and repositories: what passes, what fails, what proves nothing, and what stays as it was."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core import files as core_files
from ansible_collections.day2.ops.plugins.module_utils._core import host_state
from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, InvalidRequest, TargetError
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup, restore
from ansible_collections.day2.ops.plugins.module_utils._verbs.drill import drill, place
from ansible_collections.day2.ops.plugins.module_utils._verbs.drill.choice import position
from ansible_collections.day2.ops.plugins.module_utils._verbs.drill.waits import AGE, REPOSITORY, Clock
from tests.unit.module_utils._verbs.conftest import Application
from tests.unit.module_utils.verbs import run_verb


class Lab:
    """Stores with backups, a repository, and a scratch directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repository = root / "backups"
        self.scratch = root / "scratch"
        self.scratch.mkdir(mode=0o700)

    def run(self, verb: Any, check: bool = False, **params: Any) -> dict[str, Any]:
        values = {name: one.get("default") for name, one in verb.ARGUMENTS["argument_spec"].items()}
        return run_verb(verb, {**values, "name": "app", "repository": str(self.repository), **params}, check)

    def backup(self, *stores: dict[str, Any], **params: Any) -> str:
        given = {"source": stores[0]} if len(stores) == 1 else {"sources": list(stores)}
        return str(self.run(backup, **given, **params)["backup"]["id"])

    def drill(self, check: bool = False, **params: Any) -> dict[str, Any]:
        """The result. Nothing is left of what it made."""
        result = self.run(drill, check, **{"scratch": str(self.scratch), **params})
        assert self.left() == []
        return result

    def left(self) -> list[str]:
        return sorted(os.listdir(self.scratch))


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setenv(host_state.VARIABLE, str(tmp_path / "state"))
    return Lab(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Application:
    application = Application("sqlite", tmp_path / "application" / "app.db")
    application.fill(20, settle=False)
    return application


def state_of(root: Path) -> dict[str, tuple[Any, ...]]:
    """The attributes and content of a tree: what a drill must not change."""
    found = {}
    for path in sorted([root, *root.rglob("*")]):
        info = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (info.st_ino, info.st_mode, info.st_mtime_ns, info.st_ctime_ns, content)
    return found


def test_a_drill_of_each_type_passes_and_changes_nothing(lab: Lab, application: Application) -> None:
    application.fill(3, settle=False)
    backup_id = lab.backup(application.store)
    before = state_of(lab.repository), state_of(application.path.parent)
    checked = lab.drill(check=True)
    assert (checked["drill"]["verdict"], checked["drill"]["backup"]) == (None, backup_id)
    assert checked["msg"].startswith(f"Would drill app/{backup_id}, made ")
    result = lab.drill()
    told = result["drill"]
    assert (told["verdict"], told["backup"], told["which"]) == ("pass", backup_id, "newest")
    assert (result["changed"], result.get("failed"), result["warnings"]) == (False, None, [])
    assert list(told["stages"]) == ["fetch", "restore", "verify"]
    assert told["rto_s"] == pytest.approx(sum(told["stages"].values()))
    assert re.match(rf"The drill of app/{backup_id} passed: \w+.*\. A restore takes at least ", result["msg"])
    assert (told["rpo_s"], told["canary"], told["reason"], told["next"]) == (None, None, None, None)
    assert (state_of(lab.repository), state_of(application.path.parent)) == before


def test_several_stores_and_a_probe_that_finds_them(lab: Lab, database: Application, document: Application) -> None:
    document.fill(2, settle=False)
    lab.backup({**database.store, "name": "db"}, {**document.store, "name": "doc-1"})
    script = (
        'test "$DAY2_DRILL_PATH_DB" = {path.db} && test "$DAY2_DRILL_PATH_DOC_1" = {path.doc-1} && '
        'test "$DAY2_DRILL_PATH" = {path} && test "$(sqlite3 {path.db} "SELECT count(*) FROM requests")" = 20 && '
        'test "$(stat -c %a {path})" = 700 && test "${DAY2_DRILL_PATH_DB##*/}" = NAME'
    ).replace("NAME", database.path.name)
    result = lab.drill(probe=["sh", "-c", script])
    assert result["drill"]["verdict"] == "pass", result["msg"]
    assert list(result["drill"]["stages"]) == ["fetch", "restore", "verify", "probe"]
    checks = [
        {"name": "database", "type": "sqlite", "path": "{path.db}"},
        {"name": "document", "type": "json", "path": "{path.doc-1}"},
    ]
    assert lab.drill(probe=checks)["drill"]["verdict"] == "pass"
    checks[0]["path"] = "{path.doc-1}"
    failed = lab.drill(probe=checks)
    assert (failed["failed"], failed["drill"]["verdict"]) == (True, "fail")
    assert "database is critical" in failed["drill"]["reason"]


@pytest.mark.parametrize(
    ("probe", "verdict", "reason"),
    [
        (["sh", "-c", "echo broken >&2; exit 3"], "fail", "The probe sh ended with status 3: broken."),
        (["sleep", "60"], "fail", "The probe sleep did not end within 50ms."),
        (["no-such-program"], "inconclusive", "no-such-program is required by probe, but was not found."),
    ],
)
def test_a_probe_that_does_not_succeed(
    lab: Lab, database: Application, probe: list[str], verdict: str, reason: str
) -> None:
    lab.backup(database.store)
    limit = {"probe_timeout": "50ms" if probe[0] == "sleep" else "10m"}
    result = lab.drill(probe=probe, **limit)
    assert (result["failed"], result["drill"]["verdict"], result["drill"]["reason"]) == (True, verdict, reason)
    assert result["drill"]["rto_s"] is None
    assert result["drill"]["next"]
    accepted = lab.drill(probe=probe, **limit, fail_on="fail")
    assert accepted.get("failed", False) == (verdict == "fail")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"probe": ["sh", {"name": "a"}]}, "probe is neither a command nor a list of health checks"),
        ({"probe": [{"name": "a", "type": "sqlite", "pth": "{path}"}]}, "pth is not an option of type sqlite"),
        ({"probe": ["cat", "{path.nothing}"]}, "probe has the placeholder {path.nothing}"),
        ({"probe": ["cat", "{dsn}"]}, "probe has the placeholder {dsn}"),
        ({"probe": ["true"], "probe_timeout": "0s"}, "probe_timeout must be more than 0"),
        ({"which": "sample", "backup": "20250630T120000Z-3f2a9c1b"}, "which=sample and backup are mutually exclusive"),
        ({"canary": {"table": "a"}}, "canary for a store of type sqlite requires table and column"),
        ({"canary": {"store": "b", "table": "a", "column": "b"}}, "The backup has no part b"),
        ({"canary": {"max_age": "1h"}}, "canary does not contain the location of the time"),
        ({"canary": {"file": "../a"}}, "canary.file is ../a"),
        ({"canary": {"field": "$["}}, "'$[' is not a path into a JSON document"),
        ({"probe": ["psql", "{database}"]}, "probe has the placeholder {database}"),
        ({"probe": ["cat", "{path.the shop}"]}, "probe has the placeholder {path.the shop}"),
        ({"scratch": "/nonexistent"}, "The scratch directory /nonexistent does not exist"),
        ({"name": "../app"}, "can't be the name of a backup set"),
    ],
)
@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_wrong_arguments_are_refused(
    lab: Lab, database: Application, check: bool, params: dict[str, Any], message: str
) -> None:
    lab.backup(database.store)
    with pytest.raises(InvalidRequest) as caught:
        lab.drill(check, **params)
    assert message in str(caught.value)


# --- scratch places and the store in use


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / "live" / "tree"
    (path / "inside").mkdir(parents=True)
    (path / "file").write_text("data")
    return path


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_no_scratch_inside_the_store_in_use(lab: Lab, tree: Path, check: bool) -> None:
    lab.backup({"type": "files", "path": str(tree)})
    link = lab.root / "link"
    link.symlink_to(tree / "inside")
    before = state_of(tree)
    for scratch in (tree, tree / "inside", link, lab.root / "live" / ".." / "live" / "tree"):
        with pytest.raises(InvalidRequest, match="is inside .*/live/tree, the source of the backup"):
            lab.drill(check, scratch=str(scratch))
    with pytest.raises(InvalidRequest, match="is inside the repository"):
        lab.drill(check, scratch=str(lab.repository / "app"))
    assert state_of(tree) == before


def test_no_scratch_inside_a_store_that_was_backed_up_through_a_link(lab: Lab, tree: Path) -> None:
    current = lab.root / "current"
    current.symlink_to(tree)
    lab.backup({"type": "files", "path": str(current)})
    with pytest.raises(InvalidRequest, match="is inside .*/current, the source of the backup"):
        lab.drill(scratch=str(tree / "inside"))


@pytest.mark.root
def test_no_scratch_on_a_mount_of_the_store_in_use(lab: Lab, tree: Path) -> None:
    lab.backup({"type": "files", "path": str(tree)})
    mounted = lab.root / "mounted"
    mounted.mkdir()
    subprocess.run(["mount", "--bind", str(tree), str(mounted)], check=True)
    try:
        with pytest.raises(InvalidRequest, match="is inside .*/live/tree, the source of the backup"):
            lab.drill(scratch=str(mounted / "inside"))
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def test_scratch_directories_that_others_control_are_refused(lab: Lab, database: Application) -> None:
    lab.backup(database.store)
    lab.scratch.chmod(0o777)
    with pytest.raises(InvalidRequest, match="Other users could replace the content of the scratch directory"):
        lab.drill()
    lab.scratch.chmod(0o1777)
    assert lab.drill()["drill"]["verdict"] == "pass"
    (lab.root / "file").write_text("")
    with pytest.raises(InvalidRequest, match="is not a directory"):
        lab.drill(scratch=str(lab.root / "file"))


def test_a_scratch_directory_that_others_can_replace_is_refused(lab: Lab, database: Application) -> None:
    lab.backup(database.store)
    inside = lab.root / "shared" / "mine"
    inside.mkdir(mode=0o700, parents=True)
    inside.parent.chmod(0o777)
    with pytest.raises(InvalidRequest, match="Other users could replace the scratch directory, .*/shared"):
        lab.run(drill, True, scratch=str(inside))
    inside.parent.chmod(0o1777)
    assert lab.run(drill, scratch=str(inside))["drill"]["verdict"] == "pass"


def test_a_link_in_a_directory_of_others_is_not_followed(lab: Lab, database: Application, tree: Path) -> None:
    lab.backup(database.store)
    lab.scratch.chmod(0o1777)
    (lab.scratch / "link").symlink_to(tree)
    with pytest.raises(InvalidRequest, match="a directory that other users can write to, and was not followed"):
        lab.run(drill, scratch=str(lab.scratch / "link"))
    assert sorted(os.listdir(tree)) == ["file", "inside"]


def test_what_a_manifest_says_of_a_path_is_only_a_name(lab: Lab, tree: Path) -> None:
    """A backup may be of anybody: its paths do not decide where it is restored to."""
    lab.backup({"type": "files", "path": str(tree)})
    shutil.rmtree(tree)
    tree.parent.rmdir()
    assert lab.drill()["drill"]["verdict"] == "pass"
    assert not tree.parent.exists()


# --- what a killed drill leaves


class Killed(BaseException):
    """As if the process had been killed: nothing is cleaned up after it."""


@pytest.fixture
def left(lab: Lab, database: Application, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The scratch directory of a drill that was killed after the restore."""
    lab.backup(database.store)

    def killed(*_args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(drill, "_verify", killed)
        patched.setattr(place, "discard", lambda _path: [])
        with pytest.raises(Killed):
            lab.run(drill, scratch=str(lab.scratch))
    (name,) = lab.left()
    assert list((lab.scratch / name / "data").iterdir())
    return lab.scratch / name


def test_the_next_drill_removes_what_a_killed_one_left(lab: Lab, left: Path) -> None:
    (left / "data" / "closed").mkdir(mode=0o500)
    checked = lab.run(drill, True, scratch=str(lab.scratch))
    assert left.exists()  # check mode removes nothing
    assert checked["warnings"] == []
    result = lab.drill()
    assert result["drill"]["verdict"] == "pass"
    assert result["warnings"] == [f"Removed {left}, which a killed drill had left."]


def test_what_only_looks_like_a_drill_stays(lab: Lab, left: Path) -> None:
    """A name proves nothing, and neither does that of another directory."""
    name = left.name
    moved = left.rename(lab.scratch / "day2-drill-renamed")
    shutil.copytree(moved, lab.scratch / name)
    (lab.scratch / name).chmod(0o700)
    full = lab.scratch / "day2-drill-new-full"
    (full / "data").mkdir(mode=0o700, parents=True)
    full.chmod(0o700)
    (lab.scratch / "day2-drill-afile").write_text("")
    (lab.scratch / "day2-drill-link").symlink_to(lab.root / "application")
    before = lab.left()
    (lab.scratch / "day2-drill-new-empty").mkdir(mode=0o700)
    assert lab.run(drill, scratch=str(lab.scratch))["warnings"] == []
    assert lab.left() == before
    assert (moved / "data").exists()
    assert (lab.root / "application" / "app.db").exists()


def test_a_drill_at_work_is_not_removed_by_another(lab: Lab, left: Path) -> None:
    held = os.open(left, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    assert lab.run(drill, scratch=str(lab.scratch))["drill"]["verdict"] == "pass"
    assert lab.left() == [left.name]
    os.close(held)
    assert place.remove_left(str(lab.scratch)) == [f"Removed {left}, which a killed drill had left."]


@pytest.mark.parametrize("mode", [0o700, place.ENTERED])
def test_the_server_of_a_killed_drill_is_ended(lab: Lab, left: Path, mode: int) -> None:
    copy = left / "server" / "data"
    copy.mkdir(parents=True)
    left.chmod(mode)
    server = subprocess.Popen(["sleep", "60"], cwd=copy)
    (copy / "postmaster.pid").write_text(f"{server.pid}\n")
    assert place.remove_left(str(lab.scratch)) == [f"Removed {left}, which a killed drill had left."]
    assert server.wait() == -signal.SIGQUIT


def test_a_link_to_a_server_in_use_ends_nothing(lab: Lab, left: Path, tmp_path: Path) -> None:
    used = tmp_path / "used"
    used.mkdir()
    with subprocess.Popen(["sleep", "60"], cwd=used) as server:
        (used / "postmaster.pid").write_text(f"{server.pid}\n")
        (left / "server").mkdir()
        (left / "server" / "data").symlink_to(used)
        assert place.remove_left(str(lab.scratch)) == [f"Removed {left}, which a killed drill had left."]
        assert server.poll() is None
        assert (used / "postmaster.pid").exists()
        server.kill()


def test_an_open_mode_proves_nothing(lab: Lab, left: Path) -> None:
    left.chmod(0o755)
    assert place.remove_left(str(lab.scratch)) == []
    assert left.exists()


# --- verdicts


def data_file(lab: Lab) -> Path:
    (path,) = [one for one in lab.repository.glob("app/*/data/**/*") if one.is_file()]
    return path


def test_a_damaged_backup_fails(lab: Lab, database: Application) -> None:
    lab.backup(database.store)
    path = data_file(lab)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    result = lab.drill()
    assert (result["failed"], result["drill"]["verdict"]) == (True, "fail")
    assert "is damaged: data/app.db" in result["drill"]["reason"]
    assert result["drill"]["rto_s"] is None
    assert list(result["drill"]["stages"]) == ["fetch", "restore"]


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_without_a_good_backup_there_is_nothing_to_restore(lab: Lab, database: Application, check: bool) -> None:
    lab.backup(database.store)
    missing = lab.drill(check, name="other")
    assert (missing["failed"], missing["drill"]["verdict"], missing["drill"]["backup"]) == (True, "fail", None)
    assert "has no good backup" in missing["drill"]["reason"]
    assert ("would fail" in missing["msg"]) == check
    first = data_file(lab)
    first.chmod(0o600)
    with open(first, "ab") as handle:
        handle.write(b"more")
    assert lab.drill(check)["drill"]["verdict"] == "fail"


def test_newer_backups_that_are_damaged_are_named(lab: Lab, database: Application) -> None:
    lab.backup(database.store)
    database.fill(30)
    newer = lab.backup(database.store)
    (path,) = [one for one in (lab.repository / "app" / newer / "data").rglob("*") if one.is_file()]
    path.unlink()
    result = lab.drill()
    assert result["drill"]["verdict"] == "pass"
    assert result["warnings"] == [f"Newer backups of the set are damaged, and were not drilled: {newer}."]


def test_a_full_disk_proves_nothing(lab: Lab, database: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.backup(database.store)
    with monkeypatch.context() as patched:
        patched.setattr(core_files, "free_bytes", lambda _path: 1000)
        for check in (True, False):
            result = lab.drill(check)
            assert (result["failed"], result["drill"]["verdict"]) == (True, "inconclusive")
            assert "where 1000 are free" in result["drill"]["reason"]
            assert ("would be inconclusive" in result["msg"]) == check

    def full(*_args: Any) -> None:
        with core_files.os_errors(TargetError, "Can't write", "x"):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(restore, "apply", full)
    assert lab.drill()["drill"]["verdict"] == "inconclusive"


def test_space_for_the_comparison_of_a_database_is_asked_for(
    lab: Lab, database: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of it is compared, so that a disk that has room for one would be full after the restore."""
    lab.backup(database.store)
    size = database.path.stat().st_size
    monkeypatch.setattr(core_files, "free_bytes", lambda _path: core_files.LEAST + size * 3 // 2)
    assert lab.drill(True)["drill"]["verdict"] == "inconclusive"


def test_what_differs_from_the_backup_fails(lab: Lab, database: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.backup(database.store)
    real = restore.apply

    def wrong(ready: restore.RestorePlan) -> Any:
        real(ready)
        with sqlite3.connect(ready.steps[0].entry.store.path) as connection:
            connection.execute("DELETE FROM requests WHERE id = 1")

    monkeypatch.setattr(restore, "apply", wrong)
    result = lab.drill()
    assert result["drill"]["verdict"] == "fail"
    assert result["drill"]["reason"] == "The restored data differs from the backup: app.db."


def test_dangling_foreign_keys(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "keys.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p); INSERT INTO c VALUES (7), (8);"
        )
    connection.close()
    lab.backup({"type": "sqlite", "path": str(path)})
    result = lab.drill()
    assert result["drill"]["verdict"] == "fail"
    assert result["drill"]["reason"] == "keys.db: records have dangling foreign keys: 2 in c to p."
    accepted = lab.drill(integrity="warn")
    assert accepted["drill"]["verdict"] == "pass"
    assert accepted["warnings"] == ["keys.db: records have dangling foreign keys: 2 in c to p."]


def test_foreign_keys_that_cannot_be_checked(lab: Lab, tmp_path: Path) -> None:
    """As of an application that does not switch them on. Those of other tables are checked, and any table may have the
    name of a drill."""
    path = tmp_path / "keys.db"
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "CREATE TABLE p (id INTEGER PRIMARY KEY, n); CREATE TABLE a (p REFERENCES p(n));"
            "CREATE TABLE day2_drill (x); CREATE TABLE c (p REFERENCES p);"
            "INSERT INTO a VALUES (1); INSERT INTO c VALUES (7);"
        )
    connection.close()
    lab.backup({"type": "sqlite", "path": str(path)})
    message = "keys.db: records have dangling foreign keys: 1 in c to p. foreign keys can't be checked: "
    message += 'foreign key mismatch - "a" referencing "p".'
    told = lab.drill()["drill"]
    assert (told["verdict"], told["reason"]) == ("fail", message)
    accepted = lab.drill(integrity="warn")
    assert (accepted["drill"]["verdict"], accepted["warnings"]) == ("pass", [message])


@pytest.mark.root
def test_owners_and_modes_are_restored(lab: Lab, tree: Path) -> None:
    os.chown(tree / "file", 1234, 1235)
    (tree / "file").chmod(0o640)
    lab.backup({"type": "files", "path": str(tree)})
    probe = ["sh", "-c", 'test "$(stat -c "%u %g %a" {path}/file)" = "1234 1235 640"']
    assert lab.drill(probe=probe)["drill"]["verdict"] == "pass"


# --- the drill itself


def test_a_negative_drill_finds_the_damage(lab: Lab, application: Application) -> None:
    application.fill(3, settle=False)
    lab.backup(application.store, compression="none")
    before = state_of(lab.repository)
    assert "with one bit of data/" in lab.drill(check=True, negative=True)["msg"]
    result = lab.drill(negative=True)
    assert (result["drill"]["verdict"], result["drill"]["negative"]) == ("pass", True)
    assert "was changed while it was read, and found: " in result["drill"]["reason"]
    assert result["msg"] == f"The negative drill of app/{result['drill']['backup']} passed: {result['drill']['reason']}"
    assert result["drill"]["rto_s"] is None
    assert state_of(lab.repository) == before


def test_damage_that_is_not_found_fails(lab: Lab, database: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.backup(database.store)
    monkeypatch.setattr(drill, "Damaging", Blind)
    result = lab.drill(negative=True)
    assert (result["failed"], result["drill"]["verdict"]) == (True, "fail")
    assert "the restore did not find it" in result["drill"]["reason"]


@pytest.mark.parametrize("damaged", ["the largest file", "another file"])
def test_other_damage_does_not_pass(lab: Lab, tree: Path, database: Application, damaged: str) -> None:
    """The backup itself is damaged, so that it can't show whether the drill finds anything."""
    (tree / "large").write_bytes(os.urandom(1 << 17))
    stores = ({"type": "files", "path": str(tree), "name": "b"}, {**database.store, "name": "a"})
    lab.backup(*stores, compression="none")
    data = sorted(
        (one for one in lab.repository.glob("app/*/data/**/*") if one.is_file()), key=lambda one: one.stat().st_size
    )
    path = data[-1 if damaged == "the largest file" else 0]
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    told = lab.drill(negative=True)["drill"]
    assert (told["verdict"], "is damaged" in told["reason"]) == ("fail", True), told


class Blind:
    """A damage that does not reach the reader."""

    def __init__(self, repository: Any, _manifest: Any) -> None:
        self._repository = repository
        self.victim = _manifest.files[0].stored[0]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._repository, name)


# --- samples


@pytest.mark.parametrize("every", [1, 2, 7, 14, 30, 91])
def test_all_backups_get_their_turn_whatever_the_interval(every: int) -> None:
    for count in (1, 2, 7, 13, 30, 60):
        turns = [
            position(date(2026, 1, 1) + timedelta(days=every * number), "web1", "app", count)
            for number in range(8 * count)
        ]
        assert set(turns) == set(range(count)), (every, count)


def test_hosts_and_sets_begin_at_different_places() -> None:
    day = date(2026, 1, 1)
    assert len({position(day, f"web{number}", "app", 1000) for number in range(20)}) > 15
    assert len({position(day, "web1", f"app{number}", 1000) for number in range(20)}) > 15
    assert position(day, "web1", "app", 1000) == position(day, "web1", "app", 1000)


def test_a_sample_is_one_of_the_good_backups(lab: Lab, database: Application) -> None:
    ids = []
    for number in range(3):
        database.fill(10 + number, settle=False)
        ids.append(lab.backup(database.store))
    result = lab.drill(which="sample")
    told = result["drill"]
    assert told["verdict"] == "pass"
    assert told["backup"] in ids
    assert told["which"] == f"sample: {ids.index(told['backup']) + 1} of 3, oldest first, is drilled today"
    assert lab.drill(which="sample")["drill"]["backup"] == told["backup"]
    named = lab.drill(backup=ids[0])["drill"]
    assert (named["backup"], named["which"]) == (ids[0], "named")


# --- canaries


def canary_database(path: Path, written: Any) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE canary (at)")
        connection.executemany("INSERT INTO canary VALUES (?)", [("2020-01-01T00:00:00Z",), (written,)])
    connection.close()


def test_a_canary_measures_what_would_be_lost(lab: Lab, tmp_path: Path) -> None:
    written = datetime.now(timezone.utc) - timedelta(minutes=10)
    canary_database(tmp_path / "a.db", written.strftime("%Y-%m-%d %H:%M:%S"))
    lab.backup({"type": "sqlite", "path": str(tmp_path / "a.db")})
    canary = {"store": None, "table": "canary", "column": "AT", "file": None, "field": None, "max_age": "1h"}
    told = lab.drill(canary=canary)["drill"]
    assert told["verdict"] == "pass"
    assert told["canary"]["written"] == written.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert 599 < told["canary"]["behind_s"] < 660
    assert 599 < told["rpo_s"] < 720
    assert lab.drill(canary=canary, backup=told["backup"])["drill"]["rpo_s"] is None
    late = lab.drill(canary={**canary, "max_age": "5m"})["drill"]
    assert late["verdict"] == "fail"
    assert "5m is allowed" in late["reason"]


@pytest.mark.parametrize(
    ("canary", "reason"),
    [
        ({"table": "nothing", "column": "at"}, "There is no table nothing."),
        ({"table": "canary", "column": "nothing"}, "canary has no column nothing."),
    ],
)
def test_a_canary_that_is_missing_fails(lab: Lab, tmp_path: Path, canary: dict[str, Any], reason: str) -> None:
    canary_database(tmp_path / "a.db", None)
    lab.backup({"type": "sqlite", "path": str(tmp_path / "a.db")})
    told = lab.drill(canary=canary)["drill"]
    assert told["verdict"] == "fail"
    assert reason in told["reason"]


def test_canaries_in_files_and_documents(lab: Lab, tree: Path, tmp_path: Path) -> None:
    now = datetime.now(timezone.utc)
    (tree / "inside" / "at").write_text(now.isoformat() + "\n")
    document = tmp_path / "doc.json"
    document.write_text(json.dumps({"meta": {"at": now.timestamp()}}))
    lab.backup(
        {"type": "files", "path": str(tree), "name": "tree"}, {"type": "json", "path": str(document), "name": "doc"}
    )
    for canary in ({"store": "tree", "file": "inside/at"}, {"store": "doc", "field": "$.meta.at"}):
        told = lab.drill(canary=canary)["drill"]
        assert told["verdict"] == "pass", told
        assert told["canary"]["behind_s"] < 3600
    (tree / "inside" / "at").write_text("yesterday")
    lab.backup(
        {"type": "files", "path": str(tree), "name": "tree"}, {"type": "json", "path": str(document), "name": "doc"}
    )
    told = lab.drill(canary={"store": "tree", "file": "inside/at"})["drill"]
    assert (told["verdict"], "'yesterday', which is not a time" in told["reason"]) == ("fail", True)
    told = lab.drill(canary={"store": "doc", "field": "$.meta.nothing"})["drill"]
    assert (told["verdict"], "$.meta.nothing is empty" in told["reason"]) == ("fail", True)


def test_a_canary_from_the_future_measures_nothing(lab: Lab, tmp_path: Path) -> None:
    canary_database(tmp_path / "a.db", "2999-01-01T00:00:00Z")
    lab.backup({"type": "sqlite", "path": str(tmp_path / "a.db")})
    result = lab.drill(canary={"table": "canary", "column": "at"})
    assert (result["drill"]["verdict"], result["drill"]["rpo_s"]) == ("pass", None)
    assert "clocks differ" in result["warnings"][0]


def test_a_canary_is_not_read_outside_of_what_was_restored(lab: Lab, tree: Path) -> None:
    """A link in a backup may lead to the store in use, whose canary is fresh however old the backup is."""
    live = lab.root / "live" / "releases"
    live.mkdir()
    (live / "at").write_text("a secret")
    (tree / "current").symlink_to(live)
    (tree / "here").symlink_to("inside")
    (tree / "inside" / "at").write_text(f"{datetime.now(timezone.utc).timestamp():.0f}\n")
    (tree / "deep").write_text("[" * 100_000)
    lab.backup({"type": "files", "path": str(tree)})
    told = lab.drill(canary={"file": "current/at"})["drill"]
    assert (told["verdict"], "current/at leads out of the store" in told["reason"]) == ("fail", True)
    assert "secret" not in told["reason"]
    told = lab.drill(canary={"file": "here/at"})["drill"]
    assert (told["verdict"], told["canary"]["behind_s"] < 3600) == ("pass", True), told
    told = lab.drill(canary={"file": "deep", "field": "$.at"})["drill"]
    assert (told["verdict"], "is not JSON" in told["reason"]) == ("fail", True)


# --- what is recorded for the report of the fleet


def test_a_failure_counts_until_a_drill_passes(lab: Lab, database: Application) -> None:
    lab.backup(database.store)

    key = f"from {lab.repository}"

    def recorded(*probe: str) -> Any:
        lab.drill(probe=list(probe))
        return host_state.read("drills")["sets"]["app"][f"newest {key}"]["result"]

    assert recorded("true") == "pass"
    lab.drill(host="elsewhere")  # which has none: that says nothing of this host
    kept = host_state.read("drills")["sets"]["app"]
    assert {rule: (one["result"], one["host"]) for rule, one in kept.items()} == {
        f"newest {key}": ("pass", None),
        f"newest of elsewhere {key}": ("fail", "elsewhere"),
    }
    assert recorded("no-such-program") == "inconclusive"
    assert recorded("false") == "fail"
    assert recorded("no-such-program") == "fail"
    assert recorded("true") == "pass"


def test_a_copy_does_not_make_up_for_its_original(lab: Lab, database: Application) -> None:
    lab.backup(database.store)
    shutil.copytree(lab.repository, lab.root / "copy", symlinks=True)
    lab.drill(probe=["false"])
    lab.drill(repository=str(lab.root / "copy"))
    kept = host_state.read("drills")["sets"]["app"].values()
    assert [(Path(one["from"]).name, one["result"]) for one in kept] == [("backups", "fail"), ("copy", "pass")]


def test_a_drill_that_takes_too_long_is_recorded(lab: Lab, database: Application) -> None:
    lab.backup(database.store)
    with pytest.raises(Cancelled) as raised:
        lab.drill(probe=["sleep", "600"], timeout="5s")
    assert raised.value.details["drill"]["verdict"] == "inconclusive"
    assert lab.left() == []
    (kept,) = host_state.read("drills")["sets"]["app"].values()
    assert (kept["result"], "timeout (5s) was exceeded" in kept["reason"]) == ("inconclusive", True)


# --- encrypted backups, and other repositories


def test_an_encrypted_backup_needs_its_identity(lab: Lab, database: Application, tmp_path: Path) -> None:
    key, other = tmp_path / "key", tmp_path / "other"
    for path in (key, other):
        subprocess.run(["age-keygen", "-o", str(path)], check=True, capture_output=True)
    (recipient,) = [line[14:] for line in key.read_text().splitlines() if line.startswith("# public key: ")]
    lab.backup(database.store, encrypt_to=[recipient])
    told = lab.drill(identity_file=str(key))["drill"]
    assert (told["verdict"], list(told["stages"])) == ("pass", ["fetch", "decrypt", "restore", "verify"])
    assert lab.drill(identity_file=str(key), negative=True)["drill"]["verdict"] == "pass"
    wrong = lab.drill(identity_file=str(other))["drill"]  # nobody could restore it with that
    assert (wrong["verdict"], "but to none whose identity was given" in wrong["reason"]) == ("fail", True)
    assert lab.drill()["drill"]["verdict"] == "inconclusive"


def test_waiting_for_the_repository_and_for_age_has_stages_of_its_own(
    lab: Lab, database: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["age-keygen", "-o", str(tmp_path / "key")], check=True, capture_output=True)
    (recipient,) = re.findall("public key: (.*)", (tmp_path / "key").read_text())
    lab.backup(database.store, encrypt_to=[recipient])
    program, slow = shutil.which("age"), tmp_path / "bin" / "age"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\ncase " $* " in *" -d "*) sleep 2;; esac\nexec {program} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    opened = DirectoryRepository.open

    def late(self: DirectoryRepository, *where: str) -> Any:
        time.sleep(0.75)
        return opened(self, *where)

    monkeypatch.setattr(DirectoryRepository, "open", late)
    stages = lab.drill(identity_file=str(tmp_path / "key"))["drill"]["stages"]
    assert stages["fetch"] >= 0.75
    assert stages["decrypt"] >= 1.75  # a moment of it may pass while the repository is read


def test_threads_that_wait_at_once_count_once() -> None:
    clock, inside, go_on = Clock(), threading.Barrier(3), threading.Event()

    def wait() -> None:
        with clock.waiting(AGE):
            inside.wait()
            go_on.wait()

    threads = [threading.Thread(target=wait) for _number in range(2)]
    began = time.monotonic()
    for one in threads:
        one.start()
    inside.wait()
    with clock.waiting(REPOSITORY):
        time.sleep(0.2)
    go_on.set()
    for one in threads:
        one.join()
    repository, age = clock.seconds()
    assert repository >= 0.2
    assert 0 < repository + age <= time.monotonic() - began


def test_what_is_shown_of_checks_has_no_secrets() -> None:
    checks = [{"name": "a", "type": "http", "url": "http://u:hunter2@host/"}]
    assert drill.echo({"probe": checks}) == {"probe": "1 health checks"}
    assert drill.echo({"probe": ["true"]}) == {"probe": ["true"]}
