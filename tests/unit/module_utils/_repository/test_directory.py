# Copyright (c) 2026, day2.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.day2.ops.plugins.module_utils._core.errors import LockTimeout, RepositoryError
from ansible_collections.day2.ops.plugins.module_utils._repository.base import Removal
from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository
from tests.unit.module_utils._stores.conftest import as_nobody

ID = "20250630T120000Z-3f2a9c1b"
NOW = datetime(2025, 6, 30, 12, tzinfo=timezone.utc)


@pytest.fixture
def repository(tmp_path: Path) -> DirectoryRepository:
    return DirectoryRepository(str(tmp_path / "backups"))


def publish(repository: DirectoryRepository, backup_id: str = ID) -> Path:
    with repository.lock("app", "test", 0), repository.stage("app", NOW) as staging:
        with staging.create("data/file") as handle:
            handle.write(b"content")
        assert staging.publish(backup_id, b"manifest", b"sums")
    return Path(repository.path("app", backup_id))


def names(repository: DirectoryRepository) -> list[str]:
    return sorted(os.listdir(repository.path("app", "")))


def test_a_published_backup_is_there_with_private_modes(repository: DirectoryRepository) -> None:
    old = os.umask(0)
    try:
        path = publish(repository)
    finally:
        os.umask(old)
    assert repository.ids("app") == [ID]
    assert repository.sets() == ["app"]
    assert repository.look("app", ID).read("data/file") == b"content"
    modes = {
        one.name: oct(one.stat().st_mode & 0o777) for one in [path.parent.parent, path.parent, path, *path.rglob("*")]
    }
    assert set(modes.values()) == {"0o600", "0o700"}, modes
    assert modes["manifest.json"] == "0o600"
    assert names(repository) == [".state", ID]


def test_what_is_not_published_leaves_nothing(repository: DirectoryRepository) -> None:
    with repository.lock("app", "test", 0), pytest.raises(KeyError), repository.stage("app", NOW) as staging:
        staging.create("data/file").close()
        raise KeyError
    assert not os.path.exists(repository.path("app", ""))


def test_an_id_that_is_taken_is_not_overwritten(repository: DirectoryRepository) -> None:
    publish(repository)
    with repository.lock("app", "test", 0), repository.stage("app", NOW) as staging:
        assert not staging.publish(ID, b"other", b"other")
    assert repository.look("app", ID).read("manifest.json") == b"manifest"


def test_leftovers_of_a_killed_run_are_removed_and_named(repository: DirectoryRepository) -> None:
    path = publish(repository)
    for name in (".staging-00000000", ".removing-" + ID):
        (path.parent / name / "data").mkdir(parents=True)
        (path.parent / name / "data" / "file").write_text("x")
    (path.parent / "notes.txt").write_text("mine")
    with repository.lock("app", "test", 0) as notes:
        for note, left in zip(notes, (".removing-" + ID, ".staging-00000000")):
            assert str(path.parent / left) in note
    assert names(repository) == [".state", ID, "notes.txt"]


def test_the_second_run_waits_and_then_says_who_holds_the_lock(repository: DirectoryRepository) -> None:
    with repository.lock("app", "backup", 0):
        began = time.monotonic()
        with pytest.raises(
            LockTimeout, match=rf"backup, process {os.getpid()} on .*, since 2.*lock_timeout .now 0.3 s"
        ):
            with repository.lock("app", "restore", 0.3):
                pass
        assert time.monotonic() - began >= 0.3
    with repository.lock("app", "restore", 0):
        pass


def test_the_second_run_goes_on_when_the_first_ends(repository: DirectoryRepository) -> None:
    entered = threading.Event()

    def first() -> None:
        with repository.lock("app", "backup", 0):
            entered.set()
            time.sleep(0.2)

    thread = threading.Thread(target=first)
    thread.start()
    assert entered.wait(60)
    with repository.lock("app", "restore", 60):
        pass
    thread.join()


def test_the_lock_of_a_killed_run_is_free(repository: DirectoryRepository) -> None:
    program = (
        "import sys, time\n"
        "from ansible_collections.day2.ops.plugins.module_utils._repository.directory import DirectoryRepository\n"
        "with DirectoryRepository(sys.argv[1]).lock('app', 'backup', 0):\n"
        "    print('locked', flush=True); time.sleep(600)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, repository.location],
        stdout=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"locked\n"
    with pytest.raises(LockTimeout, match=f"process {child.pid}"):
        repository.lock("app", "backup", 0).__enter__()
    child.kill()
    child.wait()
    child.stdout.close()
    with repository.lock("app", "backup", 0):
        pass


def test_a_run_that_waited_for_one_that_left_nothing_is_alone_all_the_same(repository: DirectoryRepository) -> None:
    entered, leave, second, end = (threading.Event() for dummy in range(4))

    def run(inside: threading.Event, until: threading.Event) -> None:
        with repository.lock("app", "backup", 60):
            inside.set()
            until.wait(60)

    threads = [threading.Thread(target=run, args=(entered, leave)), threading.Thread(target=run, args=(second, end))]
    threads[0].start()
    assert entered.wait(60)
    threads[1].start()
    time.sleep(0.2)  # it waits for the lock's file, which the first removes
    leave.set()
    assert second.wait(60)
    with pytest.raises(LockTimeout):
        repository.lock("app", "backup", 0).__enter__()
    end.set()
    for thread in threads:
        thread.join()
    assert not os.path.exists(repository.path("app", ""))


@pytest.mark.parametrize("said", ["", "{}", "[]", "no JSON", '{"verb": "x"}', '{"pid": 1}', "5"])
def test_a_holder_that_does_not_say_who_it_is(repository: DirectoryRepository, said: str) -> None:
    with repository.lock("app", "backup", 0):
        (file,) = Path(repository.path("app", ".state")).glob("*lock*")
        file.write_text(said)
        with pytest.raises(LockTimeout, match="a process that has not identified itself yet"):
            with repository.lock("app", "restore", 0):
                pass


def test_a_backup_that_is_being_read_is_not_removed(repository: DirectoryRepository) -> None:
    publish(repository)
    before = os.listdir("/proc/self/fd")
    with repository.hold("app", ID):
        with repository.lock("app", "backup", 0):
            assert repository.remove("app", ID).stays
        assert repository.ids("app") == [ID]
    with repository.lock("app", "backup", 0):
        assert repository.remove("app", ID) == Removal(notes=[])
    assert os.listdir("/proc/self/fd") == before
    assert not os.path.exists(repository.path("app", ""))
    with pytest.raises(RepositoryError), repository.hold("app", ID):
        pass


def test_damaged_state_is_no_state(repository: DirectoryRepository) -> None:
    with repository.lock("app", "backup", 0):
        repository.write_state("app", "confirmed", {"id": ID, "at": "2025-06-30T12:00:00Z"})
    path = Path(repository.path("app", ".state/confirmed.json"))
    assert repository.read_state("app", "confirmed")["id"] == ID
    whole = path.read_bytes()
    for index in range(len(whole)):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 4]) + whole[index + 1 :])
        assert repository.read_state("app", "confirmed") in ({}, json.loads(whole)["value"])
    path.write_bytes(whole.replace(b"2025", b"2035"))
    assert repository.read_state("app", "confirmed") == {}
    path.unlink()
    assert repository.read_state("app", "confirmed") == {}


def test_a_repository_behind_a_link_that_others_could_have_put_there(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "backups").symlink_to("/etc")
    with pytest.raises(RepositoryError, match="other users can write"):
        DirectoryRepository(str(tmp_path / "open" / "backups"))


def test_a_data_file_that_is_a_link_is_not_read(repository: DirectoryRepository) -> None:
    path = publish(repository)
    (path / "data" / "file").unlink()
    (path / "data" / "file").symlink_to("/etc/passwd")
    assert repository.look("app", ID).sizes["data/file"] is None
    with pytest.raises(RepositoryError):
        repository.open("app", ID, "data/file")


def test_places_that_can_be_no_repository(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RepositoryError, match="not a directory"):
        DirectoryRepository(str(tmp_path / "file" / "backups")).check_writable("app")
    assert not (tmp_path / "backups").exists()
    DirectoryRepository(str(tmp_path / "backups")).check_writable("app")
    assert not (tmp_path / "backups").exists()


@pytest.mark.parametrize("inside", ["app", "app/.state"])
def test_a_set_that_can_not_be_written(tmp_path: Path, inside: str) -> None:
    (tmp_path / inside).parent.mkdir(exist_ok=True)
    (tmp_path / inside).write_text("x")
    with pytest.raises(RepositoryError, match=f"{inside} is not a directory"):
        DirectoryRepository(str(tmp_path)).check_writable("app")
    DirectoryRepository(str(tmp_path)).check_writable("other")


@pytest.mark.parametrize("mode", [0o755, 0o776, 0o772], ids=oct)
@pytest.mark.parametrize("inside", ["", "app", "app/.state"])
def test_a_user_who_may_not_write_is_told(open_to_all: Path, inside: str, mode: int) -> None:
    place = open_to_all / "backups"
    (place / "app" / ".state").mkdir(parents=True)
    for one in (place, place / "app", place / "app" / ".state"):
        one.chmod(0o777)

    def check() -> list[str]:
        try:
            DirectoryRepository(str(place)).check_writable("app")
        except RepositoryError as exc:
            return [str(exc), str(exc.hint)]
        return []

    assert as_nobody(check) == []
    (place / inside).chmod(mode)
    message, hint = as_nobody(check)
    assert f"is not writable: access to {place / inside} is denied" in message
    assert "Run as a user with permission" in hint
    (place / inside).chmod(0o773)
    assert as_nobody(check) == []


def test_what_is_read_back_is_no_link(repository: DirectoryRepository, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"content")
    with repository.lock("app", "test", 0), repository.stage("app", NOW) as staging:
        with staging.create("data/file") as handle:
            handle.write(b"content")
        with staging.reopen("data/file") as handle:
            assert handle.read() == b"content"
            assert not os.get_inheritable(handle.fileno())
        (written,) = (tmp_path / "backups").rglob("data/file")
        written.unlink()
        written.symlink_to(tmp_path / "other")
        with pytest.raises(RepositoryError, match="Can't read back"):
            staging.reopen("data/file")
