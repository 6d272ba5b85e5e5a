# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of backups in other repositories."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import (
    Cancelled,
    InvalidRequest,
    LockTimeout,
    NoSpace,
    RepositoryError,
)
from ansible_collections.day2.ops.plugins.module_utils._repository import copying
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from ansible_collections.day2.ops.plugins.module_utils._verbs import backup_copy, snapshots

Copy = Callable[..., dict[str, Any]]


@pytest.fixture
def copy(run: Any, tmp_path: Path) -> Copy:
    """`backup_copy` from the repository of `run` to another directory."""

    def call(check: bool = False, keep: Any = None, **params: Any) -> dict[str, Any]:
        places = {
            "from": {"repository": str(tmp_path / "backups")},
            "to": {"repository": str(tmp_path / "copies"), "keep": keep},
        }
        return dict(run("backup_copy", check, **{**places, **params}))

    return call


@pytest.fixture
def backups(run: Any, document: Any) -> list[str]:
    """Three backups, oldest first."""
    made = []
    for records in (1, 2, 3):
        document.fill(records, settle=False)
        made.append(run("backup", source=document.store, compression="none")["backup"]["id"])
    return made


def tree(path: Path) -> dict[str, bytes]:
    """All files but the state."""
    found = {str(one.relative_to(path)): one.read_bytes() for one in path.rglob("*") if one.is_file()}
    return {name: data for name, data in found.items() if "/.state/" not in f"/{name}"}


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def test_check_run_check_run(copy: Copy, backups: list[str], tmp_path: Path) -> None:
    predicted = copy(check=True)
    assert not (tmp_path / "copies").exists()
    done = copy()
    assert predicted["changed"] is done["changed"] is True
    assert (predicted["diff"], predicted["copied"]) == (done["diff"], done["copied"])
    assert [one["id"] for one in done["copied"]] == backups[-1:]
    assert done["copied"][0]["path"] == str(tmp_path / "copies" / "app" / backups[-1])
    original, copied = tmp_path / "backups" / "app", tmp_path / "copies" / "app"
    assert tree(copied / backups[-1]) == tree(original / backups[-1])
    assert os.stat(copied / backups[-1] / "manifest.json").st_mode & 0o777 == 0o600
    for check in (True, False):
        again = copy(check=check)
        assert (again["changed"], again["copied"], again["existing"]) == (False, [], backups[-1:])
        assert again["diff"]["before"] == again["diff"]["after"]
        assert "Nothing to copy" in again["msg"]


def test_all_of_them(copy: Copy, backups: list[str], tmp_path: Path) -> None:
    copy(which=backups[1])
    predicted = copy(check=True, which="all")
    done = copy(which="all")
    assert (
        [one["id"] for one in predicted["copied"]] == [one["id"] for one in done["copied"]] == [backups[0], backups[2]]
    )
    assert done["existing"] == [backups[1]]
    assert tree(tmp_path / "copies") == tree(tmp_path / "backups")
    assert copy(which="all")["changed"] is False


def test_nothing_of_the_state_travels(copy: Copy, backups: list[str], tmp_path: Path) -> None:
    copy()
    assert sorted(os.listdir(tmp_path / "copies" / "app" / ".state")) == ["lock", "verified.json"]


def test_a_copy_can_be_verified_and_restored(
    run: Any, copy: Copy, backups: list[str], document: Any, tmp_path: Path
) -> None:
    copy()
    info = run("backup_info", repository=str(tmp_path / "copies"))
    assert info["ok"]
    assert info["sets"][0]["backups"][0]["verified"]
    assert run("backup_info", repository=str(tmp_path / "copies"), verify="full")["ok"]
    document.fill(9, settle=False)
    run("restore", repository=str(tmp_path / "copies"), target=document.store, on_existing="replace")
    assert document.records() == 3


def test_removal_at_the_source_does_not_travel(
    run: Any, copy: Copy, backups: list[str], document: Any, tmp_path: Path
) -> None:
    copy(which="all")
    run("backup", source=document.store, keep={"last": 1})
    assert copy(which="all")["changed"] is False
    assert len(os.listdir(tmp_path / "copies" / "app")) == 4


def test_keep_of_the_copies_is_their_own(copy: Copy, backups: list[str], tmp_path: Path) -> None:
    copy(which=backups[0])
    predicted = copy(check=True, keep={"last": 2}, which="all")
    done = copy(keep={"last": 2}, which="all")
    assert predicted["removed"] == done["removed"] == [backups[0]]
    assert [one["id"] for one in done["copied"]] == backups[1:]
    assert [one["id"] for one in done["kept"]] == backups[:0:-1]
    for check in (True, False):
        again = copy(check=check, keep={"last": 2}, which="all")
        assert (again["changed"], again["not_kept"]) == (False, backups[:1])
    assert DirectoryRepository(str(tmp_path / "backups")).ids("app") == sorted(backups)
    with pytest.raises(InvalidRequest, match="keep would remove it"):
        copy(keep={"last": 2}, which=backups[0])


def test_another_backup_with_the_same_id_is_an_error(copy: Copy, backups: list[str], tmp_path: Path) -> None:
    copy()
    path = tmp_path / "copies" / "app"
    other = json.loads((path / backups[-1] / "manifest.json").read_text())
    other["duration_s"] = 4711
    (path / backups[-1] / "manifest.json").write_text(json.dumps(other))
    sums = [
        line for line in (path / backups[-1] / "SHA256SUMS").read_text().splitlines() if "manifest.json" not in line
    ]
    digest = copying.HashingReader(open(path / backups[-1] / "manifest.json", "rb"))
    digest.read(1 << 20)
    (path / backups[-1] / "SHA256SUMS").write_text("\n".join([*sums, f"{digest.sha256()}  manifest.json", ""]))
    before = tree(path)
    for check in (True, False):
        with pytest.raises(RepositoryError, match="is another backup with the same ID"):
            copy(check=check)
        assert tree(path) == before
    # it does not stop the others
    with pytest.raises(RepositoryError, match="1 backup was not copied") as failure:
        copy(which="all", keep={"last": 1})
    assert [one["id"] for one in failure.value.details["copied"]] == []
    with pytest.raises(RepositoryError, match="1 backup was not copied") as failure:
        copy(which="all")
    assert [one["id"] for one in failure.value.details["copied"]] == backups[:2]
    assert list(failure.value.details["failures"]) == backups[2:]


def test_what_is_known_to_be_damaged_is_not_copied_and_the_next_is_named(
    run: Any, copy: Copy, backups: list[str], tmp_path: Path
) -> None:
    os.truncate(tmp_path / "backups" / "app" / backups[-1] / "data" / "requests.json", 1)
    with pytest.raises(RepositoryError, match=f"{backups[-1]}.*damaged.*The next good backup is {backups[1]}"):
        copy(which=backups[-1])
    for check in (True, False):
        done = copy(check=check)
        assert [one["id"] for one in done["copied"]] == [backups[1]]
        assert any(backups[-1] in one and f"newest good one is {backups[1]}" in one for one in done["warnings"])
    assert [one["id"] for one in copy(which="all")["copied"]] == [backups[0]]


def test_damage_that_copying_finds(copy: Copy, backups: list[str], tmp_path: Path) -> None:
    damage(tmp_path / "backups" / "app" / backups[-1] / "data" / "requests.json")
    with pytest.raises(RepositoryError, match=rf"damaged and was not copied: data/requests.json.*is {backups[1]}"):
        copy()
    assert not (tmp_path / "copies" / "app").exists()
    with pytest.raises(RepositoryError, match="1 backup was not copied") as failure:
        copy(which="all")
    assert [one["id"] for one in failure.value.details["copied"]] == backups[:2]
    assert failure.value.details["changed"] is True


class BadDisk(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_disk_that_can_not_be_read(copy: Copy, backups: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "open_piece", lambda *_where: BadDisk())
    with pytest.raises(
        RepositoryError, match=r"damaged and was not copied: data/.*can't be read \(Input/output error\)"
    ):
        copy()


def test_a_disk_that_stores_something_else(copy: Copy, backups: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    real = copying.Copying._read_back

    def flipped(self: Any, path: str, staging: Any) -> Any:
        damage(Path(staging._path) / path)
        return real(self, path, staging)

    monkeypatch.setattr(copying.Copying, "_read_back", flipped)
    with pytest.raises(RepositoryError, match="differs when it is read back"):
        copy()


def test_a_damaged_copy_is_not_touched(run: Any, copy: Copy, backups: list[str], tmp_path: Path) -> None:
    copy()
    damage(tmp_path / "copies" / "app" / backups[-1] / "data" / "requests.json")
    assert not run("backup_info", repository=str(tmp_path / "copies"), verify="full")["ok"]
    before = tree(tmp_path / "copies")
    for check in (True, False):
        with pytest.raises(RepositoryError, match="is damaged: data/requests.json.*Remove it"):
            copy(check=check)
    assert tree(tmp_path / "copies") == before


def test_another_owner(run: Any, copy: Copy, backups: list[str], document: Any, tmp_path: Path) -> None:
    document.fill(4, settle=False)
    run("backup", source=document.store, host="other", repository=str(tmp_path / "copies"))
    for check in (True, False):
        with pytest.raises(InvalidRequest, match="belongs to .* on host other, not to"):
            copy(check=check)
    assert copy(take_over=True)["changed"]
    assert copy(which="all")["changed"]


@pytest.mark.parametrize("left", ["whole", "torn", "longer", "other"])
def test_what_an_interrupted_copy_left(copy: Copy, backups: list[str], left: str, tmp_path: Path) -> None:
    original = tmp_path / "backups" / "app" / backups[-1]
    data = (original / "data" / "requests.json").read_bytes()
    staging = tmp_path / "copies" / "app" / f".staging-{backups[-1]}"
    (staging / "data").mkdir(parents=True)
    (staging / "data" / "requests.json").write_bytes(
        {"whole": data, "torn": data[:-1], "longer": data + b"x", "other": b"x" * len(data)}[left]
    )
    (staging / "manifest.json").write_bytes(b"half")
    (staging / "data" / "else").symlink_to("/etc/passwd")
    (staging / "data" / "empty").touch()
    with open(staging / "data" / "requests.json", "rb") as held:  # its number is not used again
        inode = os.fstat(held.fileno()).st_ino
        assert copy()["changed"]
    copied = tmp_path / "copies" / "app" / backups[-1]
    assert tree(copied) == tree(original)
    assert not (copied / "data" / "else").is_symlink()
    assert ((copied / "data" / "requests.json").stat().st_ino == inode) == (left == "whole")


def test_what_an_interrupted_copy_left_of_what_keep_no_longer_wants(
    copy: Copy, backups: list[str], tmp_path: Path
) -> None:
    left = [tmp_path / "copies" / "app" / f".staging-{one}" for one in backups]
    for one in left:
        (one / "data").mkdir(parents=True)
    predicted = copy(check=True, which="all", keep={"last": 1})
    assert all(one.exists() for one in left)
    done = copy(which="all", keep={"last": 1})
    assert predicted["not_kept"] == done["not_kept"] == backups[:-1]
    assert not any(one.exists() for one in left)
    assert len(done["warnings"]) == len(backups) - 1
    assert all(any(str(one) in warning for warning in done["warnings"]) for one in left[:-1])
    assert copy(which="all", keep={"last": 1})["warnings"] == []


def test_a_task_that_is_stopped_goes_on(copy: Copy, backups: list[str], tmp_path: Path, monkeypatch: Any) -> None:
    def stopped(self: Any, *arguments: Any) -> None:
        raise Cancelled("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(copying.Copying, "_read_back", stopped)
        with pytest.raises(Cancelled):
            copy()
    assert (tmp_path / "copies" / "app" / f".staging-{backups[-1]}" / "data" / "requests.json").exists()
    assert copy()["warnings"] == []
    assert os.listdir(tmp_path / "copies" / "app" / backups[-1] / "data") == ["requests.json"]


def test_a_disk_that_is_too_small(copy: Copy, backups: list[str], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(DirectoryRepository, "free_bytes", lambda self: 10)
    for check in (True, False):
        with pytest.raises(NoSpace, match="where 10 are free"):
            copy(check=check)
    assert not (tmp_path / "copies" / "app").exists()


def test_two_copies_at_once(copy: Copy, backups: list[str], tmp_path: Path) -> None:
    results: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: results.append(copy(which="all"))) for dummy in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one["changed"] for one in results) == [False, False, True]
    with DirectoryRepository(str(tmp_path / "copies")).lock("app", "backup", 0), pytest.raises(LockTimeout):
        copy(lock_timeout="0")


def test_a_backup_that_is_copied_is_not_removed_meanwhile(
    run: Any, copy: Copy, backups: list[str], document: Any, monkeypatch: Any
) -> None:
    real = copying.Copying._bring
    removals = []

    def meanwhile(self: Any, *arguments: Any) -> None:
        document.fill(7, settle=False)
        removals.append(run("backup", source=document.store, keep={"last": 1}))
        real(self, *arguments)

    monkeypatch.setattr(copying.Copying, "_bring", meanwhile)
    assert [one["id"] for one in copy()["copied"]] == backups[-1:]
    assert removals[0]["removed"] == backups[1::-1]
    assert any("is being read" in one for one in removals[0]["warnings"])


def test_a_backup_that_is_gone_does_not_stop_the_others(
    copy: Copy, backups: list[str], monkeypatch: Any, tmp_path: Path
) -> None:
    real = copying.Copying.copy

    def gone(self: Any, backup: str) -> Any:
        if backup == backups[0]:
            shutil.rmtree(tmp_path / "backups" / "app" / backup)
        return real(self, backup)

    monkeypatch.setattr(copying.Copying, "copy", gone)
    with pytest.raises(RepositoryError, match="1 backup was not copied") as failure:
        copy(which="all")
    assert [one["id"] for one in failure.value.details["copied"]] == backups[1:]


def test_requests_that_make_no_sense(copy: Copy, backups: list[str], tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="newest, to all, or to the ID"):
        copy(which="latest")
    with pytest.raises(InvalidRequest, match="can't hold copies of itself"):
        copy(to={"repository": f"{tmp_path}/./backups/"})
    with pytest.raises(RepositoryError, match=r"has no set other.*The sets are: app"):
        copy(name="other")
    with pytest.raises(RepositoryError, match="does not exist"):
        copy(**{"from": {"repository": str(tmp_path / "nowhere")}})
    with pytest.raises(RepositoryError, match="has no backup 2025"):
        copy(which="20250630T120000Z-00000000")
    assert not (tmp_path / "copies").exists()
    spec = backup_copy.ARGUMENTS["argument_spec"]
    assert spec["from"]["options"]["s3"]["options"]["secret_access_key"]["no_log"]


def test_safety_backups_of_another_host_are_copied_with_the_others(
    run: Any, copy: Copy, backups: list[str], document: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy()
    document.fill(9, settle=False)
    monkeypatch.setattr(snapshots, "this_host", lambda given=None: given or "another")
    made = run("restore", target=document.store, on_existing="replace")["safety_backup"]
    assert made["host"] == "another"
    done = copy(which="all", keep={"last": 2})
    assert {one["id"] for one in done["copied"]} == {backups[1], made["id"]}
    assert done["not_kept"] == [backups[0]]


def test_a_task_that_is_stopped_tells_what_it_has_copied(
    copy: Copy, backups: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = copying.Copying.copy

    def stopped(self: copying.Copying, backup: str) -> Any:
        if backup == backups[1]:
            raise Cancelled("Stopped: it received SIGTERM.")
        return real(self, backup)

    monkeypatch.setattr(copying.Copying, "copy", stopped)
    with pytest.raises(Cancelled) as told:
        copy(which="all")
    assert f"Before that: copied {backups[0]} to {tmp_path / 'copies'}." in str(told.value)
    assert told.value.details == {"changed": True}
    assert DirectoryRepository(str(tmp_path / "copies")).ids("app") == backups[:1]
