# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups that are copied as soon as they are made."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import Cancelled, InvalidRequest, RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._core.files import LEAST
from ansible_collections.day2.ops.plugins.module_utils._repository.copying import Copying
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._repository.history import read_history
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup as backups
from ansible_collections.day2.ops.plugins.module_utils._verbs import copy_to

Backup = Callable[..., dict[str, Any]]


@pytest.fixture
def backup(run: Any, document: Any, tmp_path: Path) -> Backup:
    """`backup` with copies in two other directories."""

    def call(check: bool = False, records: int = 0, keep_one: Any = None, **params: Any) -> dict[str, Any]:
        if records:
            document.fill(records, settle=False)
        places = [{"repository": str(tmp_path / "one"), "keep": keep_one}, {"repository": str(tmp_path / "two")}]
        return dict(run("backup", check, **{"source": document.store, "copy_to": places, **params}))

    return call


def ids(path: Path) -> list[str]:
    return DirectoryRepository(str(path)).ids("app")


def test_check_run_check_run(backup: Backup, tmp_path: Path) -> None:
    predicted = backup(check=True, records=1)
    assert sorted(os.listdir(tmp_path)) == ["application"]
    done = backup()
    assert predicted["changed"] is done["changed"] is True
    made = done["backup"]["id"]
    assert ids(tmp_path / "backups") == ids(tmp_path / "one") == ids(tmp_path / "two") == [made]
    assert [one["path"] for one in predicted["copies"]] == [None, None]
    assert [one["path"] for one in done["copies"]] == [str(tmp_path / name / "app" / made) for name in ("one", "two")]
    for before, after in zip(predicted["copies"], done["copies"]):
        assert {key: before[key] for key in ("repository", "changed", "failed", "removed")} == {
            key: after[key] for key in ("repository", "changed", "failed", "removed")
        }
    assert "Would copy" in predicted["msg"]
    assert f"to {tmp_path / 'one'}. Copied 1 backup (" in done["msg"]
    for check in (True, False):
        again = backup(check=check)
        assert again["changed"] is False
        assert [one["changed"] for one in again["copies"]] == [False, False]
        assert again["msg"].startswith("Nothing to back up")


@pytest.mark.parametrize("shared", [False, True], ids=["a disk of its own", "the disk of the repository"])
def test_check_mode_foresees_that_a_copy_does_not_fit(
    backup: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    """To the byte, and without reading anything twice where there is room."""
    size = backup(records=500)["backup"]["stored_bytes"]
    for name in ("backups", "one", "two"):
        shutil.rmtree(tmp_path / name)
    free = [0]
    monkeypatch.setattr(
        DirectoryRepository, "free_bytes", lambda self: free[0] if self.location.endswith("one") else 1 << 40
    )
    if not shared:
        monkeypatch.setattr(copy_to, "_device", lambda repository: repository.location)
    need = LEAST + (2 if shared else 1) * size
    for left, fits in ((need - 1, False), (need, True)):
        free[0] = left
        if fits:
            assert len(backup(check=True)["copies"]) == 2
        else:
            with pytest.raises(RepositoryError, match=rf"1 of 2 copies would fail: .*require {need} bytes") as caught:
                backup(check=True)
            assert [one["failed"] for one in caught.value.details["copies"]] == [True, False]
    free[0] = LEAST + size - 1  # a run has written the backup itself by then
    with pytest.raises(RepositoryError, match=r"1 of 2 copies failed: .*require \d+ bytes"):
        backup()


def test_what_a_copy_lacks_is_brought_by_an_unchanged_run(backup: Backup, tmp_path: Path) -> None:
    made = backup(records=1)["backup"]["id"]
    shutil.rmtree(tmp_path / "two")
    for check in (True, False):
        again = backup(check=check)
        assert (again["reason"], again["changed"]) == ("unchanged", True)
        assert [one["changed"] for one in again["copies"]] == [False, True]
    assert ids(tmp_path / "two") == [made]
    shutil.rmtree(tmp_path / "one")
    assert backup(max_age="1h")["reason"] == "recent"
    assert ids(tmp_path / "one") == [made]


def test_a_copy_that_fails_stops_neither_the_others_nor_the_backup(backup: Backup, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("in the way")
    with pytest.raises(RepositoryError, match=f"1 of 2 copies would fail: {tmp_path}/one: .*not a directory"):
        backup(check=True, records=1)
    with pytest.raises(
        RepositoryError, match=f"Backed up 34 B.*1 of 2 copies failed: {tmp_path}/one: .*The next run"
    ) as failure:
        backup()
    details = failure.value.details
    assert details["changed"] is True
    assert ids(tmp_path / "backups") == ids(tmp_path / "two") == [details["backup"]["id"]]
    assert [one["failed"] for one in details["copies"]] == [True, False]
    for check in (True, False):  # as long as it lacks, it is an error
        with pytest.raises(RepositoryError, match="1 of 2 copies") as failure:
            backup(check=check)
        assert failure.value.details["changed"] is False
    (tmp_path / "one").unlink()
    assert backup()["changed"]
    assert ids(tmp_path / "one") == ids(tmp_path / "two")


def test_keep_of_each_is_its_own(backup: Backup, tmp_path: Path) -> None:
    made = [backup(records=records)["backup"]["id"] for records in (1, 2)]
    predicted = backup(check=True, records=3, keep_one={"last": 1})
    done = backup(keep_one={"last": 1})
    assert predicted["copies"][0]["removed"] == done["copies"][0]["removed"]
    assert sorted(done["copies"][0]["removed"]) == sorted(made)
    assert len(ids(tmp_path / "two")) == len(ids(tmp_path / "backups")) == 3
    assert backup(keep_one={"last": 1})["changed"] is False


def test_an_import_is_copied_where_it_is_kept(backup: Backup, document: Any, tmp_path: Path) -> None:
    newest = backup(records=2)["backup"]["id"]
    old = tmp_path / "old.json"
    old.write_text('{"requests": {"a": {"id": 1}}}')
    os.utime(old, (1_700_000_000, 1_700_000_000))
    done = backup(keep_one={"last": 1}, **{"import": str(old)})
    assert [one["changed"] for one in done["copies"]] == [False, True]
    assert ids(tmp_path / "one") == [newest]
    assert len(ids(tmp_path / "two")) == 2


def test_a_copy_is_as_old_as_the_last_comparison(backup: Backup, tmp_path: Path) -> None:
    made = backup(records=1)["backup"]["id"]
    first = read_history(DirectoryRepository(str(tmp_path / "one")), "app").confirmed[made]
    backup()
    second = read_history(DirectoryRepository(str(tmp_path / "one")), "app").confirmed[made]
    assert second > first
    backup(max_age="1h")  # nothing was compared
    assert read_history(DirectoryRepository(str(tmp_path / "one")), "app").confirmed[made] == second


def test_another_owner_there(run: Any, backup: Backup, document: Any, tmp_path: Path) -> None:
    document.fill(5, settle=False)
    run("backup", source=document.store, host="other", repository=str(tmp_path / "one"))
    for check in (True, False):
        with pytest.raises(RepositoryError, match="1 of 2 copies .* belongs to .* on host other"):
            backup(check=check, records=1)
    assert backup(take_over=True)["changed"]


def test_copies_must_be_elsewhere(backup: Backup, document: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="can't hold copies of itself"):
        backup(records=1, copy_to=[{"repository": str(tmp_path / "backups")}])
    with pytest.raises(InvalidRequest, match="can't hold copies of itself"):
        backup(copy_to=[{"repository": str(tmp_path / "one")}, {"repository": str(tmp_path / "x" / ".." / "one")}])
    with pytest.raises(InvalidRequest, match="is inside"):
        backup(
            source={"type": "files", "path": str(document.path.parent)},
            copy_to=[{"repository": str(document.path.parent / "copies")}],
        )
    assert not (tmp_path / "backups").exists()


def test_how_many_copies_there_are(run: Any, backup: Backup, tmp_path: Path) -> None:
    places = [{"repository": str(tmp_path / "one"), "offsite": True}, {"repository": str(tmp_path / "two")}]

    def look(**objective: int) -> dict[str, Any]:
        return dict(run("backup_info", copy_to=places, copies=objective or None, max_age="1h"))

    made = backup(records=1)["backup"]["id"]
    for objective in ({"min": 4, "offsite": 1}, {}):
        info = look(**objective)
        assert info["ok"], info["problems"]
        copies = info["sets"][0]["copies"]
        assert (copies["count"], copies["offsite"]) == (4, 1)
        assert copies["met"] is (True if objective else None)
        assert [one["newest"] for one in copies["repositories"]] == [made] * 3
        assert all(one["verified"] and one["age_s"] < 60 for one in copies["repositories"])
    assert info["sets"][0]["msg"].endswith("4 copies, 1 offsite")
    assert not look(offsite=2)["ok"]
    newer = backup(records=2, copy_to=places[1:])["backup"]["id"]
    info = look(min=4)
    assert info["problems"] == [
        {
            "set": "app",
            "backup": None,
            "path": "app",
            "problem": info["problems"][0]["problem"],
        }
    ]
    assert (
        f"3 copies, 0 offsite (the objective is 4, 0 offsite): {tmp_path}/one has only {made}" in info["sets"][0]["msg"]
    )
    assert [one["status"] for one in info["sets"][0]["copies"]["repositories"]] == ["current", "behind", "current"]
    assert look(min=3)["ok"]
    # what this repository lacks, another may have
    shutil.rmtree(tmp_path / "backups" / "app" / newer)
    assert [one["status"] for one in look()["sets"][0]["copies"]["repositories"]] == ["behind", "behind", "current"]


def test_no_repository_counts_twice(run: Any, backup: Backup, tmp_path: Path) -> None:
    backup(records=1)
    one = {"repository": str(tmp_path / "one")}
    for places in ([{"repository": str(tmp_path / "backups")}], [one, {"repository": str(tmp_path / "two/../one")}]):
        with pytest.raises(InvalidRequest, match="can't hold copies of itself"):
            run("backup_info", copy_to=places, copies={"min": 3})


def test_a_repository_that_cannot_be_read_is_a_problem(run: Any, backup: Backup, tmp_path: Path) -> None:
    backup(records=1)
    shutil.rmtree(tmp_path / "one")
    places = [{"repository": str(tmp_path / name)} for name in ("one", "two")]
    info = run("backup_info", copy_to=places, copies={"min": 3})
    assert not info["ok"]
    assert info["sets"][0]["copies"]["met"] is False
    assert info["sets"][0]["copies"]["count"] == 3
    (problem,) = info["problems"]
    assert problem["path"] == str(tmp_path / "one")
    assert "its copies are unknown: it does not exist" in problem["problem"]
    (tmp_path / "one").mkdir()  # it is there, and has none
    info = run("backup_info", copy_to=places, copies={"min": 4})
    assert f"{tmp_path}/one has no good backup" in info["problems"][0]["problem"]


def test_the_age_is_that_of_the_last_comparison(run: Any, backup: Backup, tmp_path: Path) -> None:
    backup(records=1)
    places = [{"repository": str(tmp_path / "one")}]
    time.sleep(0.2)
    assert not run("backup_info", copy_to=places, copies={"min": 3}, max_age="200ms")["ok"]
    info = run("backup_info", copy_to=places, copies={"min": 1}, max_age="200ms")
    assert [one["status"] for one in info["sets"][0]["copies"]["repositories"]] == ["old", "old"]


def test_a_missing_program_fails_the_copy_and_not_the_backup(
    run: Any, document: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document.fill(1, settle=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    places = [{"repository": "rclone:vault:backups"}, {"repository": str(tmp_path / "two")}]
    with pytest.raises(
        RepositoryError, match="1 of 2 copies would fail: rclone:vault:backups: The program rclone is required"
    ):
        run("backup", True, source=document.store, copy_to=places, compression="gzip")
    with pytest.raises(
        RepositoryError, match="1 of 2 copies failed: rclone:vault:backups: The program rclone is required"
    ) as caught:
        run("backup", False, source=document.store, copy_to=places, compression="gzip")
    assert ids(tmp_path / "backups") == ids(tmp_path / "two") == [caught.value.details["backup"]["id"]]
    assert [one["failed"] for one in caught.value.details["copies"]] == [True, False]


def test_a_task_that_is_stopped_while_it_copies_tells_what_it_has_made(
    backup: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Copying.copy

    def stopped(self: Copying, *arguments: Any) -> Any:
        if self.target.location.endswith("two"):
            raise Cancelled("Stopped: it received SIGTERM.")
        return real(self, *arguments)

    monkeypatch.setattr(Copying, "copy", stopped)
    with pytest.raises(Cancelled, match="^Stopped: it received SIGTERM. Before that: Backed up ") as told:
        backup(records=1)
    assert told.value.details["changed"]
    assert [told.value.details["backup"]["id"]] == ids(tmp_path / "backups") == ids(tmp_path / "one")


def test_a_task_that_is_stopped_after_the_backup_tells_of_it(
    backup: Backup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_arguments: Any) -> Any:
        raise Cancelled("Stopped: it received SIGTERM.")

    monkeypatch.setattr(backups, "carry_out", stopped)
    with pytest.raises(Cancelled) as told:
        backup(records=1)
    (made,) = ids(tmp_path / "backups")
    assert f"Before that: the backup {made} was published." in str(told.value)
    assert told.value.details == {"changed": True}


def test_a_task_that_is_stopped_as_it_ends_tells_of_the_backup(
    run: Any, document: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = DirectoryRepository.lock

    @contextlib.contextmanager
    def lock(*arguments: Any) -> Iterator[Any]:
        with real(*arguments) as notes:
            yield notes
        raise Cancelled("Stopped: it received SIGTERM.")

    document.fill(1, settle=False)
    monkeypatch.setattr(DirectoryRepository, "lock", lock)
    with pytest.raises(Cancelled) as told:
        run("backup", source=document.store)
    (made,) = ids(tmp_path / "backups")
    assert f"Before that: the backup {made} was published." in str(told.value)
